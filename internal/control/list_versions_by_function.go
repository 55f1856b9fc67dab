package control

import (
	"context"
	"fmt"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// ListVersionsByFunction lists $LATEST and then the published versions in the
// order of their numbers.
func (c *Control) ListVersionsByFunction(
	ctx context.Context, in *api.ListVersionsByFunctionRequest,
) (*api.ListVersionsByFunctionResponse, error) {
	ref, err := parseUnpublished(ctx, api.Value(in.FunctionName))
	if err != nil {
		return nil, err
	}
	p, err := newPage(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	if _, err := c.find(ctx, function.Ref{Key: ref.Key}); err != nil {
		return nil, err
	}
	list, err := c.store.ListVersions(ctx, ref.Key, p.after, p.size+1)
	if err != nil {
		return nil, fmt.Errorf("list the versions of %s: %w", ref.Key.ARN(), err)
	}
	out := &api.ListVersionsByFunctionResponse{Versions: []api.FunctionConfiguration{}}
	list, out.NextMarker = cut(p, list, store.CursorAt)
	for _, v := range list {
		out.Versions = append(out.Versions, *listEntry(v, v.Version))
	}
	return out, nil
}
