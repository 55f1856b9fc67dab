package control

import (
	"context"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
)

// GetAlias shows an alias.
func (c *Control) GetAlias(ctx context.Context, in *api.GetAliasRequest) (*api.AliasConfiguration, error) {
	ref, err := parseUnpublished(ctx, api.Value(in.FunctionName))
	if err != nil {
		return nil, err
	}
	if _, err := c.find(ctx, function.Ref{Key: ref.Key}); err != nil {
		return nil, err
	}
	a, err := c.findAlias(ctx, function.Ref{Key: ref.Key, Qualifier: api.Value(in.Name)})
	if err != nil {
		return nil, err
	}
	return showAlias(a), nil
}
