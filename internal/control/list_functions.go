package control

import (
	"context"
	"fmt"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// masterRegionAll is the MasterRegion that leaves nothing out.
const masterRegionAll = "ALL"

// ListFunctions lists $LATEST of the caller's functions in the order of their
// names, and with FunctionVersion ALL every version.
func (c *Control) ListFunctions(ctx context.Context, in *api.ListFunctionsRequest) (*api.ListFunctionsResponse, error) {
	everyVersion := api.Value(in.FunctionVersion) == api.FunctionVersionAll
	if in.MasterRegion != nil && !everyVersion {
		return nil, invalidParameter("FunctionVersion must be set to ALL when MasterRegion is specified.")
	}
	p, err := newPage(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &api.ListFunctionsResponse{Functions: []api.FunctionConfiguration{}}
	if in.MasterRegion != nil && *in.MasterRegion != masterRegionAll {
		return out, nil // no function here is a replica of another region's
	}
	list, err := c.functionPage(ctx, scope(ctx), p, everyVersion)
	if err != nil {
		return nil, fmt.Errorf("list functions: %w", err)
	}
	list, out.NextMarker = cut(p, list, store.CursorAt)
	for _, v := range list {
		qualifier := ""
		if everyVersion {
			qualifier = v.Version
		}
		out.Functions = append(out.Functions, *listEntry(v, qualifier))
	}
	return out, nil
}

func (c *Control) functionPage(
	ctx context.Context, in function.Scope, p page, everyVersion bool,
) ([]*function.Version, error) {
	if everyVersion {
		return c.store.ListAllVersions(ctx, in, p.after, p.size+1)
	}
	return c.store.ListFunctions(ctx, in, p.after.Name, p.size+1)
}
