package control

import (
	"context"

	"github.com/lambhq/lamb/internal/api"
)

// UntagResource takes tags from a function; those that it has not do no harm.
func (c *Control) UntagResource(ctx context.Context, in *api.UntagResourceRequest) error {
	ref, err := parseTagged(ctx, api.Value(in.Resource))
	if err != nil {
		return err
	}
	return c.changeTags(ctx, ref, func(tags map[string]string) {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
	})
}
