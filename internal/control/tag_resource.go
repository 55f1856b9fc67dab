package control

import (
	"context"
	"maps"

	"github.com/lambhq/lamb/internal/api"
)

// TagResource puts tags on a function, in the place of those with the same keys.
func (c *Control) TagResource(ctx context.Context, in *api.TagResourceRequest) error {
	ref, err := parseTagged(ctx, api.Value(in.Resource))
	if err != nil {
		return err
	}
	if len(in.Tags) == 0 {
		return invalidParameter("An error occurred and the request cannot be processed.")
	}
	return c.changeTags(ctx, ref, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}
