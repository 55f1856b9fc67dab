package control

import (
	"context"
	"errors"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// DeleteAlias deletes an alias and its policy. Deleting one that does not exist
// succeeds. The alias's URL stays, as on AWS, and calls nothing.
func (c *Control) DeleteAlias(ctx context.Context, in *api.DeleteAliasRequest) error {
	ref, err := parseUnpublished(ctx, api.Value(in.FunctionName))
	if err != nil {
		return err
	}
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		if _, err := getLatest(tx, function.Ref{Key: ref.Key}); err != nil {
			return err
		}
		if err := tx.DeleteAlias(ref.Key, api.Value(in.Name)); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return nil
	})
	if err != nil {
		return storeError(ref.Key, err)
	}
	return nil
}
