package control

import (
	"context"
	"fmt"

	"github.com/lambhq/lamb/internal/api"
)

// ListLayers lists the caller's layers in the order of their names, each with
// its newest version that matches.
func (c *Control) ListLayers(ctx context.Context, in *api.ListLayersRequest) (*api.ListLayersResponse, error) {
	match, err := layerMatch(in.CompatibleRuntime, in.CompatibleArchitecture)
	if err != nil {
		return nil, err
	}
	p, err := newPage(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	list, err := c.store.ListLayers(ctx, scope(ctx), match, p.after.Name, p.size+1)
	if err != nil {
		return nil, fmt.Errorf("list layers: %w", err)
	}
	out := &api.ListLayersResponse{Layers: []api.LayersListItem{}}
	list, out.NextMarker = cut(p, list, atLayer)
	for _, v := range list {
		out.Layers = append(out.Layers, api.LayersListItem{
			LayerName:             new(v.Key.Name),
			LayerArn:              new(v.Key.ARN()),
			LatestMatchingVersion: layerItem(v),
		})
	}
	return out, nil
}
