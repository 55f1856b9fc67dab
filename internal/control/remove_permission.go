package control

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// RemovePermission removes a statement from a policy; with the last one the
// policy goes.
func (c *Control) RemovePermission(ctx context.Context, in *api.RemovePermissionRequest) error {
	ref, err := parseRef(ctx, api.Value(in.FunctionName), in.Qualifier)
	if err != nil {
		return err
	}
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		return removeStatement(tx, policyRef(ref), api.Value(in.StatementId), in.RevisionId)
	})
	if err != nil {
		return storeError(ref.Key, err)
	}
	return nil
}

func removeStatement(tx *store.Tx, ref function.Ref, sid string, revisionID *string) error {
	if function.IsAliasName(ref.Qualifier) {
		if _, err := tx.Alias(ref.Key, ref.Qualifier); errors.Is(err, store.ErrNotFound) {
			return cannotFindAlias(ref)
		} else if err != nil {
			return err
		}
	}
	old, err := tx.Policy(ref)
	if errors.Is(err, store.ErrNotFound) {
		return resourceNotFound("No policy is associated with the given resource.")
	}
	if err != nil {
		return err
	}
	if otherRevision(revisionID, old.RevisionID) {
		return policyPreconditionFailed()
	}
	next := *old
	next.RevisionID = function.NewRevisionID()
	next.Statements = slices.DeleteFunc(slices.Clone(old.Statements), func(s function.Statement) bool { return s.SID == sid })
	switch len(next.Statements) {
	case len(old.Statements):
		return resourceNotFound(fmt.Sprintf("Statement %s is not found in resource policy.", sid))
	case 0:
		return tx.DeletePolicy(ref)
	}
	return tx.ReplacePolicy(&next)
}
