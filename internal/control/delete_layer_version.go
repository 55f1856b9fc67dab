package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/store"
)

// DeleteLayerVersion deletes a version of a layer. Functions that use it keep
// it; no other can have it any more. Deleting one that does not exist
// succeeds.
func (c *Control) DeleteLayerVersion(ctx context.Context, in *api.DeleteLayerVersionRequest) error {
	key, err := parseOwnLayer(ctx, api.Value(in.LayerName))
	if err != nil {
		return err
	}
	number := api.Value(in.VersionNumber)
	if err := checkLayerNumber(number); err != nil {
		return err
	}
	err = c.store.Update(ctx, func(tx *store.Tx) error { return tx.DeleteLayerVersion(key, number) })
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("delete %s: %w", key.VersionARN(number), err)
	}
	return nil
}
