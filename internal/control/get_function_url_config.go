package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// GetFunctionUrlConfig shows the URL of a function or alias.
func (c *Control) GetFunctionUrlConfig(
	ctx context.Context, in *api.GetFunctionUrlConfigRequest,
) (*api.GetFunctionUrlConfigResponse, error) {
	ref, err := parseURLRef(ctx, api.Value(in.FunctionName), in.Qualifier)
	if err != nil {
		return nil, err
	}
	u, err := c.store.URL(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noSuchResource()
	}
	if err != nil {
		return nil, fmt.Errorf("read the URL of %s: %w", ref.ARN(), err)
	}
	return c.showURLWhole(u), nil
}

// showURLWhole is showURL for the operations that answer with one URL.
func (c *Control) showURLWhole(u *function.URL) *api.GetFunctionUrlConfigResponse {
	shown := c.showURL(u)
	return &api.GetFunctionUrlConfigResponse{
		FunctionUrl:      shown.FunctionUrl,
		FunctionArn:      shown.FunctionArn,
		AuthType:         shown.AuthType,
		Cors:             shown.Cors,
		CreationTime:     shown.CreationTime,
		LastModifiedTime: shown.LastModifiedTime,
		InvokeMode:       shown.InvokeMode,
	}
}
