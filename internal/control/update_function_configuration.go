package control

import (
	"context"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// UpdateFunctionConfiguration changes the members of $LATEST's configuration
// that are given. What ran before runs until the update is finished.
func (c *Control) UpdateFunctionConfiguration(
	ctx context.Context, in *api.UpdateFunctionConfigurationRequest,
) (*api.FunctionConfiguration, error) {
	ref, err := parseUnpublished(ctx, api.Value(in.FunctionName))
	if err != nil {
		return nil, err
	}
	var next *function.Version
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		latest, err := getLatest(tx, ref)
		if err != nil {
			return err
		}
		if err := checkChangeable(latest, in.RevisionId); err != nil {
			return err
		}
		changed := *latest
		changed.Config, err = withSettings(latest.Config, ref.Key, in)
		if err != nil {
			return err
		}
		if err := useLayers(tx, &changed, in.Layers); err != nil {
			return err
		}
		next = c.updating(latest, &changed)
		return tx.Replace(next, latest.RevisionID)
	})
	if err != nil {
		return nil, storeError(ref.Key, err)
	}
	c.wake()
	return configuration(next, ref.Qualifier), nil
}
