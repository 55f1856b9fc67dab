package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// findAlias returns an alias for an operation that is about it.
func (c *Control) findAlias(ctx context.Context, ref function.Ref) (*function.Alias, error) {
	a, err := c.store.Alias(ctx, ref.Key, ref.Qualifier)
	if errors.Is(err, store.ErrNotFound) {
		return nil, cannotFindAlias(ref)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ref.ARN(), err)
	}
	return a, nil
}

func cannotFindAlias(ref function.Ref) error {
	return resourceNotFound("Cannot find alias arn: " + ref.ARN())
}

// checkAlias refuses an alias whose versions are missing or cannot be together.
func checkAlias(tx *store.Tx, a *function.Alias) error {
	if err := checkAliasVersion(tx, a.Key, a.Version); err != nil {
		return err
	}
	other := a.Other.Version
	switch {
	case other == "":
		return nil
	case a.Version == function.Latest:
		return &api.InvalidParameterValueException{
			Message: "$LATEST is not supported for an alias pointing to more than 1 version", Untyped: true,
		}
	case other == a.Version:
		return invalidParameter(fmt.Sprintf("Invalid function version %s. "+
			"Function version %s is already included in routing configuration.", other, other))
	}
	return checkAliasVersion(tx, a.Key, other)
}

func checkAliasVersion(tx *store.Tx, key function.Key, version string) error {
	_, err := tx.Get(key, version)
	if errors.Is(err, store.ErrNotFound) {
		return functionNotFound(key.QualifiedARN(version))
	}
	return err
}

// otherVersion reads a RoutingConfig; one without weights means none.
func otherVersion(in *api.AliasRoutingConfiguration) (function.WeightedVersion, error) {
	if in == nil {
		return function.WeightedVersion{}, nil
	}
	if len(in.AdditionalVersionWeights) > 1 {
		return function.WeightedVersion{}, invalidParameter("Number of items in AdditionalVersionWeights cannot be greater than 1")
	}
	var other function.WeightedVersion
	for other.Version, other.Weight = range in.AdditionalVersionWeights { // the only one
	}
	return other, nil
}

func showAlias(a *function.Alias) *api.AliasConfiguration {
	out := &api.AliasConfiguration{
		AliasArn:        new(a.Ref().ARN()),
		Name:            new(a.Name),
		FunctionVersion: new(a.Version),
		Description:     new(a.Description),
		RevisionId:      new(a.RevisionID),
	}
	if a.Other.Version != "" {
		out.RoutingConfig = &api.AliasRoutingConfiguration{
			AdditionalVersionWeights: map[string]float64{a.Other.Version: a.Other.Weight},
		}
	}
	return out
}
