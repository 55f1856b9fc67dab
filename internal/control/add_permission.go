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

// AddPermission adds a statement to the policy of a function, version or alias.
func (c *Control) AddPermission(ctx context.Context, in *api.AddPermissionRequest) (*api.AddPermissionResponse, error) {
	ref, err := parseRef(ctx, api.Value(in.FunctionName), in.Qualifier)
	if err != nil {
		return nil, err
	}
	if ref.Qualifier == function.Latest {
		return nil, invalidParameter("We currently do not support adding policies for $LATEST.")
	}
	statement, err := newStatement(ref.Key, in)
	if err != nil {
		return nil, err
	}
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		if err := checkPolicyOwner(tx, ref); err != nil {
			return err
		}
		return addStatement(tx, ref, statement, in.RevisionId)
	})
	if err != nil {
		return nil, storeError(ref.Key, err)
	}
	text, err := showStatement(ref, statement)
	if err != nil {
		return nil, err
	}
	return &api.AddPermissionResponse{Statement: &text}, nil
}

func addStatement(tx *store.Tx, ref function.Ref, statement function.Statement, revisionID *string) error {
	next := &function.Policy{Key: ref.Key, Qualifier: ref.Qualifier, RevisionID: function.NewRevisionID()}
	write := tx.InsertPolicy
	old, err := tx.Policy(ref)
	switch {
	case err == nil:
		next.Statements = slices.Clone(old.Statements)
		write = tx.ReplacePolicy
	case errors.Is(err, store.ErrNotFound):
		old = &function.Policy{} // at no revision that a caller could know
	default:
		return err
	}
	if otherRevision(revisionID, old.RevisionID) {
		return policyPreconditionFailed()
	}
	if slices.ContainsFunc(next.Statements, func(s function.Statement) bool { return s.SID == statement.SID }) {
		return resourceConflict(fmt.Sprintf("The statement id (%s) provided already exists. "+
			"Please provide a new statement id, or remove the existing statement.", statement.SID))
	}
	next.Statements = append(next.Statements, statement)
	document, err := showPolicy(next)
	if err != nil {
		return err
	}
	if len(document) > maxPolicyBytes {
		return policyTooLong(len(document))
	}
	return write(next)
}
