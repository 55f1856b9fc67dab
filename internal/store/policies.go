package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/lambhq/lamb/internal/function"
)

var policies = owned[function.Policy]{
	what: "policy", table: "function_policies",
	columns: `revision_id, statements`,
	args: func(p *function.Policy) ([]any, error) {
		statements, err := json.Marshal(p.Statements)
		if err != nil {
			return nil, fmt.Errorf("encode the policy of %s: %w", p.Ref().ARN(), err)
		}
		return []any{p.RevisionID, string(statements)}, nil
	},
	scan:    scanPolicy,
	ref:     (*function.Policy).Ref,
	changed: func(c *Changes) *[]Change[function.Policy] { return &c.Policies },
}

func scanPolicy(row scanner) (*function.Policy, error) {
	var (
		p          function.Policy
		statements string
	)
	err := row.Scan(&p.Key.Partition, &p.Key.Account, &p.Key.Region, &p.Key.Name, &p.Qualifier, &p.RevisionID, &statements)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(statements), &p.Statements); err != nil {
		return nil, fmt.Errorf("decode the policy of %s: %w", p.Ref().ARN(), err)
	}
	return &p, nil
}

// Policy returns the policy of what ref names, or ErrNotFound.
func (db *DB) Policy(ctx context.Context, ref function.Ref) (*function.Policy, error) {
	defer db.told()
	return policies.get(ctx, db.sql, ref)
}

// EachPolicy is Each for policies.
func (db *DB) EachPolicy(ctx context.Context, fn func(*function.Policy) error) error {
	return policies.each(ctx, db.sql, fn, "")
}

// Policy returns a policy as this transaction sees it, or ErrNotFound, and
// locks its function for a change.
func (tx *Tx) Policy(ref function.Ref) (*function.Policy, error) {
	if err := tx.lockName(ref.Key); err != nil {
		return nil, err
	}
	return policies.get(tx.ctx, tx.sql, ref)
}

// InsertPolicy adds a policy: ErrExists if there is one, ErrNotFound when the
// function is missing.
func (tx *Tx) InsertPolicy(p *function.Policy) error { return policies.insert(tx, p) }

// ReplacePolicy puts p in the place of the policy that has its name, which
// this transaction has read.
func (tx *Tx) ReplacePolicy(p *function.Policy) error { return policies.replace(tx, p) }

// DeletePolicy deletes a policy that this transaction has read.
func (tx *Tx) DeletePolicy(ref function.Ref) error { return policies.delete(tx, ref) }

func ignoreNotFound(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
