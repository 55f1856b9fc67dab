package control

import (
	"context"
	"errors"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// UpdateAlias changes the members of an alias that are given. A RoutingConfig
// without weights removes the second version.
func (c *Control) UpdateAlias(ctx context.Context, in *api.UpdateAliasRequest) (*api.AliasConfiguration, error) {
	ref, err := parseUnpublished(ctx, api.Value(in.FunctionName))
	if err != nil {
		return nil, err
	}
	other, err := otherVersion(in.RoutingConfig)
	if err != nil {
		return nil, err
	}
	var next function.Alias
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		if _, err := getLatest(tx, function.Ref{Key: ref.Key}); err != nil {
			return err
		}
		alias := function.Ref{Key: ref.Key, Qualifier: api.Value(in.Name)}
		a, err := tx.Alias(alias.Key, alias.Qualifier)
		if errors.Is(err, store.ErrNotFound) {
			return resourceNotFound("Alias not found: " + alias.ARN())
		}
		if err != nil {
			return err
		}
		if otherRevision(in.RevisionId, a.RevisionID) {
			return preconditionFailed()
		}
		next = *a
		next.RevisionID = function.NewRevisionID()
		set(&next.Version, in.FunctionVersion)
		set(&next.Description, in.Description)
		if in.RoutingConfig != nil {
			next.Other = other
		}
		if err := checkAlias(tx, &next); err != nil {
			return err
		}
		return tx.ReplaceAlias(&next)
	})
	if err != nil {
		return nil, storeError(ref.Key, err)
	}
	return showAlias(&next), nil
}
