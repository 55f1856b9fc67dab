package control

import (
	"context"
	"fmt"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/artifact"
)

// GetAccountSettings shows the account's limits and what its functions take.
func (c *Control) GetAccountSettings(
	ctx context.Context, _ *api.GetAccountSettingsRequest,
) (*api.GetAccountSettingsResponse, error) {
	usage, err := c.store.Usage(ctx, scope(ctx))
	if err != nil {
		return nil, fmt.Errorf("sum up the functions: %w", err)
	}
	return &api.GetAccountSettingsResponse{
		AccountLimit: &api.AccountLimit{
			TotalCodeSize:        new(c.limits.TotalCodeSize),
			CodeSizeUnzipped:     new(int64(artifact.DefaultUnzipped)),
			CodeSizeZipped:       new(int64(artifact.DefaultZipped)),
			ConcurrentExecutions: new(c.limits.ConcurrentExecutions),
			// No function has reserved any.
			UnreservedConcurrentExecutions: new(c.limits.ConcurrentExecutions),
		},
		AccountUsage: &api.AccountUsage{
			TotalCodeSize: new(usage.CodeBytes),
			FunctionCount: new(int64(usage.Functions)),
		},
	}, nil
}
