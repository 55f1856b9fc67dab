package control

import (
	"context"
	"errors"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// UpdateFunctionUrlConfig changes the members of a URL's configuration that are
// given; Cors is replaced as a whole.
func (c *Control) UpdateFunctionUrlConfig(
	ctx context.Context, in *api.UpdateFunctionUrlConfigRequest,
) (*api.UpdateFunctionUrlConfigResponse, error) {
	ref, err := parseURLRef(ctx, api.Value(in.FunctionName), in.Qualifier)
	if err != nil {
		return nil, err
	}
	cors, err := newCORS(in.Cors)
	if err != nil {
		return nil, err
	}
	var next function.URL
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		if err := checkURLOwner(tx, ref); err != nil {
			return err
		}
		u, err := tx.URL(ref)
		if errors.Is(err, store.ErrNotFound) {
			return noSuchResource()
		}
		if err != nil {
			return err
		}
		next = *u
		next.LastModified = c.now()
		set(&next.AuthType, in.AuthType)
		set(&next.InvokeMode, in.InvokeMode)
		if cors != nil {
			next.CORS = cors
		}
		return tx.ReplaceURL(&next)
	})
	if err != nil {
		return nil, storeError(ref.Key, err)
	}
	return (*api.UpdateFunctionUrlConfigResponse)(c.showURLWhole(&next)), nil
}
