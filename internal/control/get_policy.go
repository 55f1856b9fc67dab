package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// GetPolicy shows the policy of a function, version or alias.
func (c *Control) GetPolicy(ctx context.Context, in *api.GetPolicyRequest) (*api.GetPolicyResponse, error) {
	ref, err := parseRef(ctx, api.Value(in.FunctionName), in.Qualifier)
	if err != nil {
		return nil, err
	}
	ref = policyRef(ref)
	p, err := c.store.Policy(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noSuchResource()
	}
	if err != nil {
		return nil, fmt.Errorf("read the policy of %s: %w", ref.ARN(), err)
	}
	document, err := showPolicy(p)
	if err != nil {
		return nil, err
	}
	return &api.GetPolicyResponse{Policy: &document, RevisionId: &p.RevisionID}, nil
}

// policyRef names a policy that is to be there: $LATEST's is the function's.
func policyRef(ref function.Ref) function.Ref {
	if ref.Qualifier == function.Latest {
		ref.Qualifier = ""
	}
	return ref
}
