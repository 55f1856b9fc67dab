package control

import (
	"context"

	"github.com/lambhq/lamb/internal/api"
)

// GetRuntimeManagementConfig says that runtimes are updated whenever there is a
// newer one: the interpreter of this host is what runs, and nothing pins it.
func (c *Control) GetRuntimeManagementConfig(
	ctx context.Context, in *api.GetRuntimeManagementConfigRequest,
) (*api.GetRuntimeManagementConfigResponse, error) {
	ref, err := parseRef(ctx, api.Value(in.FunctionName), in.Qualifier)
	if err != nil {
		return nil, err
	}
	if _, err := c.find(ctx, ref); err != nil {
		return nil, err
	}
	return &api.GetRuntimeManagementConfigResponse{
		UpdateRuntimeOn: new(api.UpdateRuntimeOnAuto),
		FunctionArn:     new(ref.ARN()),
	}, nil
}
