package control

import (
	"context"
	"fmt"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
)

// GetLayerVersion shows a version of a layer, and where its archive can be
// downloaded.
func (c *Control) GetLayerVersion(
	ctx context.Context, in *api.GetLayerVersionRequest,
) (*api.GetLayerVersionResponse, error) {
	key, err := parseLayer(ctx, api.Value(in.LayerName))
	if err != nil {
		return nil, err
	}
	return c.getLayerVersion(ctx, key, api.Value(in.VersionNumber))
}

func (c *Control) getLayerVersion(
	ctx context.Context, key function.LayerKey, number int64,
) (*api.GetLayerVersionResponse, error) {
	v, err := c.findLayerVersion(ctx, key, number)
	if err != nil {
		return nil, err
	}
	location, err := c.codeLocation(ctx, v.Code.SHA256)
	if err != nil {
		return nil, fmt.Errorf("make a link to the code of %s: %w", v.ARN(), err)
	}
	return showLayerVersion(v, location), nil
}
