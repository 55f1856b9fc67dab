package control

import (
	"context"

	"github.com/lambhq/lamb/internal/api"
)

// ListTags shows the tags of a function.
func (c *Control) ListTags(ctx context.Context, in *api.ListTagsRequest) (*api.ListTagsResponse, error) {
	ref, err := parseTagged(ctx, api.Value(in.Resource))
	if err != nil {
		return nil, err
	}
	latest, err := c.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	tags := latest.Config.Kept.Tags
	if tags == nil {
		tags = map[string]string{} // an empty object, and not none
	}
	return &api.ListTagsResponse{Tags: tags}, nil
}
