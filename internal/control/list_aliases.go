package control

import (
	"context"
	"fmt"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// ListAliases lists the aliases of a function in the order of their names; with
// a FunctionVersion those that invoke it, be it as their second version.
func (c *Control) ListAliases(ctx context.Context, in *api.ListAliasesRequest) (*api.ListAliasesResponse, error) {
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
	list, err := c.store.ListAliases(ctx, ref.Key, api.Value(in.FunctionVersion), p.after.Name, p.size+1)
	if err != nil {
		return nil, fmt.Errorf("list the aliases of %s: %w", ref.Key.ARN(), err)
	}
	out := &api.ListAliasesResponse{Aliases: []api.AliasConfiguration{}}
	list, out.NextMarker = cut(p, list, func(a *function.Alias) store.Cursor { return atName(a.Name) })
	for _, a := range list {
		out.Aliases = append(out.Aliases, *showAlias(a))
	}
	return out, nil
}
