package control

import (
	"context"
	"errors"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/store"
)

// DeleteFunctionUrlConfig takes the URL from a function or alias.
func (c *Control) DeleteFunctionUrlConfig(ctx context.Context, in *api.DeleteFunctionUrlConfigRequest) error {
	ref, err := parseURLRef(ctx, api.Value(in.FunctionName), in.Qualifier)
	if err != nil {
		return err
	}
	err = c.store.Update(ctx, func(tx *store.Tx) error { return tx.DeleteURL(ref) })
	if errors.Is(err, store.ErrNotFound) {
		return noSuchResource()
	}
	return err
}
