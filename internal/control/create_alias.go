package control

import (
	"context"
	"errors"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// CreateAlias makes a name for a version, or for two of them.
func (c *Control) CreateAlias(ctx context.Context, in *api.CreateAliasRequest) (*api.AliasConfiguration, error) {
	ref, err := parseUnpublished(ctx, api.Value(in.FunctionName))
	if err != nil {
		return nil, err
	}
	a := &function.Alias{
		Key:         ref.Key,
		Name:        api.Value(in.Name),
		RevisionID:  function.NewRevisionID(),
		Version:     api.Value(in.FunctionVersion),
		Description: api.Value(in.Description),
	}
	if a.Other, err = otherVersion(in.RoutingConfig); err != nil {
		return nil, err
	}
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Alias(a.Key, a.Name); err == nil {
			return resourceConflict("Alias already exists: " + a.Ref().ARN())
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := checkAlias(tx, a); err != nil {
			return err
		}
		return tx.InsertAlias(a)
	})
	if err != nil {
		return nil, storeError(ref.Key, err)
	}
	return showAlias(a), nil
}
