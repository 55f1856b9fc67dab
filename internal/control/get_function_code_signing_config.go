package control

import (
	"context"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
)

// GetFunctionCodeSigningConfig says that a function has no code signing
// configuration: the answer is an empty object, as recorded.
func (c *Control) GetFunctionCodeSigningConfig(
	ctx context.Context, in *api.GetFunctionCodeSigningConfigRequest,
) (*api.GetFunctionCodeSigningConfigResponse, error) {
	ref, err := parseUnpublished(ctx, api.Value(in.FunctionName))
	if err != nil {
		return nil, err
	}
	if _, err := c.find(ctx, function.Ref{Key: ref.Key}); err != nil {
		return nil, err
	}
	return &api.GetFunctionCodeSigningConfigResponse{}, nil
}
