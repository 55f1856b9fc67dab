package control

import (
	"context"

	"github.com/lambhq/lamb/internal/api"
)

// GetFunctionConfiguration shows a version.
func (c *Control) GetFunctionConfiguration(
	ctx context.Context, in *api.GetFunctionConfigurationRequest,
) (*api.FunctionConfiguration, error) {
	ref, err := parseRef(ctx, api.Value(in.FunctionName), in.Qualifier)
	if err != nil {
		return nil, err
	}
	v, err := c.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	return configuration(v, ref.Qualifier), nil
}
