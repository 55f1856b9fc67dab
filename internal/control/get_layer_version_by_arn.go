package control

import (
	"context"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
)

// GetLayerVersionByArn shows the version of a layer that an ARN names.
func (c *Control) GetLayerVersionByArn(
	ctx context.Context, in *api.GetLayerVersionByArnRequest,
) (*api.GetLayerVersionResponse, error) {
	key, number, ok := function.ParseLayerVersionARN(api.Value(in.Arn))
	if !ok {
		return nil, noSuchResource() // AWS's own layers have such ARNs
	}
	if err := checkReachable(scope(ctx), key); err != nil {
		return nil, err
	}
	return c.getLayerVersion(ctx, key, number)
}
