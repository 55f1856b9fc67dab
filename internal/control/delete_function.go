package control

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// DeleteFunction deletes a function with all its versions, aliases, policies
// and URLs, or one published version that no alias invokes. Deleting a version
// that does not exist succeeds.
func (c *Control) DeleteFunction(ctx context.Context, in *api.DeleteFunctionRequest) (*api.DeleteFunctionResponse, error) {
	ref, err := parseRef(ctx, api.Value(in.FunctionName), in.Qualifier)
	if err != nil {
		return nil, err
	}
	switch {
	case ref.Qualifier == function.Latest:
		return nil, invalidParameter("$LATEST version cannot be deleted without deleting the function.")
	case function.IsAliasName(ref.Qualifier): // whether or not there is a function
		return nil, invalidParameter("Deletion of aliases is not currently supported.")
	}
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		if ref.Qualifier == "" {
			return tx.DeleteFunction(ref.Key)
		}
		return deleteVersion(tx, ref)
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, functionNotFound(ref.Key.ARN())
	}
	if err != nil {
		return nil, fmt.Errorf("delete %s: %w", ref.ARN(), err)
	}
	return &api.DeleteFunctionResponse{}, nil
}

func deleteVersion(tx *store.Tx, ref function.Ref) error {
	if _, err := tx.Get(ref.Key, function.Latest); err != nil {
		return err
	}
	if !function.IsVersionNumber(ref.Qualifier) {
		return functionNotFound(ref.ARN()) // "$latest" and the like: neither version nor alias
	}
	aliases, err := tx.AliasesOf(ref.Key, ref.Qualifier)
	if err != nil {
		return err
	}
	if len(aliases) > 0 {
		return referenced(aliases)
	}
	if err := tx.DeleteVersion(ref.Key, ref.Qualifier); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// referenced refuses to delete a version that aliases invoke.
func referenced(aliases []*function.Alias) error {
	var names []string
	for _, a := range aliases {
		names = append(names, a.Name)
	}
	return resourceConflict("Unable to delete version because the following aliases reference it: [" +
		strings.Join(names, ", ") + "]")
}
