package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// scope is where the caller's functions live.
func scope(ctx context.Context) function.Scope {
	caller := api.CallerFrom(ctx)
	return function.Scope{Partition: caller.Partition, Account: caller.Account, Region: caller.Region}
}

// parseRef reads the name of a function for a caller, and gives AWS's answers
// to names that cannot be the caller's.
func parseRef(ctx context.Context, name string, qualifier *string) (function.Ref, error) {
	ref, err := function.ParseRef(scope(ctx), name, api.Value(qualifier))
	var (
		region   *function.OtherRegionError
		account  *function.OtherAccountError
		mismatch *function.QualifierMismatchError
		invalid  *function.InvalidNameError
	)
	switch {
	case err == nil:
		return ref, nil
	case errors.As(err, &region):
		return ref, resourceNotFound(region.Error())
	case errors.As(err, &account):
		return ref, accessDenied()
	case errors.As(err, &mismatch):
		return ref, invalidParameter(mismatch.Error())
	case errors.As(err, &invalid):
		return ref, invalidParameter(fmt.Sprintf("Value '%s' at 'functionName' is not a function name.", name))
	default:
		return ref, err
	}
}

// parseUnpublished reads the name of a function for an operation that works on
// the unpublished version only; a version or alias in the name is refused.
func parseUnpublished(ctx context.Context, name string) (function.Ref, error) {
	ref, err := parseRef(ctx, name, nil)
	if err != nil {
		return ref, err
	}
	if ref.Qualifier != "" && ref.Qualifier != function.Latest {
		return ref, invalidParameter("This operation is permitted on Lambda functions only. " +
			"Aliases and versions do not support this operation. " +
			"Please specify either a function name or an unqualified function ARN.")
	}
	return ref, nil
}

// find returns the version that a reference stands for: of an alias with two
// versions it is the first.
func (c *Control) find(ctx context.Context, ref function.Ref) (*function.Version, error) {
	version, ok := ref.Version()
	if !ok {
		a, err := c.store.Alias(ctx, ref.Key, ref.Qualifier)
		if errors.Is(err, store.ErrNotFound) {
			return nil, functionNotFound(ref.ARN())
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", ref.ARN(), err)
		}
		version = a.Version
	}
	v, err := c.store.Get(ctx, ref.Key, version)
	if errors.Is(err, store.ErrNotFound) {
		return nil, functionNotFound(ref.ARN())
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ref.ARN(), err)
	}
	return v, nil
}

// getLatest is find for a transaction that will change the function.
func getLatest(tx *store.Tx, ref function.Ref) (*function.Version, error) {
	v, err := tx.Get(ref.Key, function.Latest)
	if errors.Is(err, store.ErrNotFound) {
		return nil, functionNotFound(ref.ARN())
	}
	return v, err
}

// checkChangeable says whether the function may be changed or published now,
// by a caller who believes it to be at a revision (nil: at any).
func checkChangeable(v *function.Version, revisionID *string) error {
	switch {
	case v.State == function.StatePending:
		return resourceConflict("The operation cannot be performed at this time. " +
			"The function is currently in the following state: " + string(v.State))
	case v.LastUpdate == function.UpdateInProgress:
		return updateInProgress(v.Key)
	case otherRevision(revisionID, v.RevisionID):
		return preconditionFailed()
	}
	return nil
}

// otherRevision tells whether a caller believes a record to be at another
// revision than it is (nil: at any).
func otherRevision(given *string, is string) bool {
	return given != nil && *given != "" && *given != is
}

// storeError turns the store's refusal of a change into an answer: the change
// was overtaken by another one between reading and writing.
func storeError(key function.Key, err error) error {
	switch {
	case errors.Is(err, store.ErrConflict):
		return updateInProgress(key)
	case errors.Is(err, store.ErrNotFound):
		return functionNotFound(key.ARN())
	default:
		return err
	}
}
