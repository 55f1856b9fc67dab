package control

import (
	"context"
	"fmt"
	"strconv"

	"github.com/lambhq/lamb/internal/api"
)

// ListLayerVersions lists the versions of a layer, the newest first; none for
// a layer that does not exist.
func (c *Control) ListLayerVersions(
	ctx context.Context, in *api.ListLayerVersionsRequest,
) (*api.ListLayerVersionsResponse, error) {
	key, err := parseLayer(ctx, api.Value(in.LayerName))
	if err != nil {
		return nil, err
	}
	match, err := layerMatch(in.CompatibleRuntime, in.CompatibleArchitecture)
	if err != nil {
		return nil, err
	}
	p, err := newPage(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	before := int64(0)
	if !p.after.IsZero() {
		if before, err = strconv.ParseInt(p.after.Version, 10, 64); err != nil {
			return nil, badMarker() // of a list of functions
		}
	}
	list, err := c.store.ListLayerVersions(ctx, key, match, before, p.size+1)
	if err != nil {
		return nil, fmt.Errorf("list the versions of %s: %w", key.ARN(), err)
	}
	out := &api.ListLayerVersionsResponse{LayerVersions: []api.LayerVersionsListItem{}}
	list, out.NextMarker = cut(p, list, atLayer)
	for _, v := range list {
		out.LayerVersions = append(out.LayerVersions, *layerItem(v))
	}
	return out, nil
}
