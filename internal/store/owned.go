package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/lambhq/lamb/internal/function"
)

// owned is a sort of records that belong to a function, each with a qualifier
// of its own there: aliases, policies, URLs.
type owned[R any] struct {
	what    string // for errors
	table   string
	columns string // after key and qualifier
	// args are the values of columns.
	args func(*R) ([]any, error)
	// scan reads key, qualifier and columns.
	scan func(scanner) (*R, error)
	// ref names a record.
	ref func(*R) function.Ref
	// changed is where the feed has this sort.
	changed func(*Changes) *[]Change[R]
}

const refColumns = `aws_partition, account, region, name, qualifier`

const refWhere = keyWhere + ` AND qualifier = ?`

func refArgs(r function.Ref) []any { return append(keyArgs(r.Key), r.Qualifier) }

// selecting begins a query of records.
func (o owned[R]) selecting() string {
	return `SELECT ` + refColumns + `, ` + o.columns + ` FROM ` + o.table + ` `
}

// get returns a record, or ErrNotFound.
func (o owned[R]) get(ctx context.Context, q querier, ref function.Ref) (*R, error) {
	r, err := o.scan(q.QueryRowContext(ctx, o.selecting()+`WHERE `+refWhere, refArgs(ref)...))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("%w: %s of %s", ErrNotFound, o.what, ref.ARN())
	}
	if err != nil {
		return nil, fmt.Errorf("read the %s of %s: %w", o.what, ref.ARN(), err)
	}
	return r, nil
}

// each calls fn with what a query's end selects, until fn returns an error.
func (o owned[R]) each(ctx context.Context, q querier, fn func(*R) error, end string, args ...any) error {
	rows, err := q.QueryContext(ctx, o.selecting()+end, args...)
	if err != nil {
		return fmt.Errorf("list by %s: %w", o.what, err)
	}
	defer func() { _ = rows.Close() }() // nothing to lose: rows.Err is checked
	for rows.Next() {
		r, err := o.scan(rows)
		if err != nil {
			return fmt.Errorf("list by %s: %w", o.what, err)
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("list by %s: %w", o.what, err)
	}
	return nil
}

// list is each with the records in a slice.
func (o owned[R]) list(ctx context.Context, q querier, end string, args ...any) ([]*R, error) {
	var found []*R
	err := o.each(ctx, q, func(r *R) error {
		found = append(found, r)
		return nil
	}, end, args...)
	return found, err
}

// insert adds a record: ErrExists if it is there, ErrNotFound for a function
// without $LATEST.
func (o owned[R]) insert(tx *Tx, r *R) error {
	ref := o.ref(r)
	values, err := o.args(r)
	if err != nil {
		return err
	}
	if err := tx.lockName(ref.Key); err != nil {
		return err
	}
	if _, err := tx.Get(ref.Key, function.Latest); err != nil {
		return err
	}
	args := append(refArgs(ref), values...)
	n, err := tx.exec(`INSERT INTO `+o.table+` (`+refColumns+`, `+o.columns+`)
		VALUES (`+marks(len(args))+`) ON CONFLICT DO NOTHING`, args...)
	if err != nil {
		return fmt.Errorf("insert the %s of %s: %w", o.what, ref.ARN(), err)
	}
	if n == 0 {
		return fmt.Errorf("%w: %s of %s", ErrExists, o.what, ref.ARN())
	}
	return o.tell(tx, ref)
}

// replace puts r in the place of the record that has its name; ErrNotFound
// when there is none. Who changes what it has read calls it in the transaction
// that has read, after lockName.
func (o owned[R]) replace(tx *Tx, r *R) error {
	ref := o.ref(r)
	values, err := o.args(r)
	if err != nil {
		return err
	}
	n, err := tx.exec(`UPDATE `+o.table+` SET (`+o.columns+`) = (`+marks(len(values))+`) WHERE `+refWhere,
		append(values, refArgs(ref)...)...)
	if err != nil {
		return fmt.Errorf("replace the %s of %s: %w", o.what, ref.ARN(), err)
	}
	if n == 0 {
		return fmt.Errorf("%w: %s of %s", ErrNotFound, o.what, ref.ARN())
	}
	return o.tell(tx, ref)
}

// delete deletes a record; ErrNotFound when there is none.
func (o owned[R]) delete(tx *Tx, ref function.Ref) error {
	n, err := tx.exec(`DELETE FROM `+o.table+` WHERE `+refWhere, refArgs(ref)...)
	if err != nil {
		return fmt.Errorf("delete the %s of %s: %w", o.what, ref.ARN(), err)
	}
	if n == 0 {
		return fmt.Errorf("%w: %s of %s", ErrNotFound, o.what, ref.ARN())
	}
	*o.changed(&tx.changes) = append(*o.changed(&tx.changes), Change[R]{Ref: ref})
	return nil
}

// deleteAll deletes a function's records.
func (o owned[R]) deleteAll(tx *Tx, key function.Key) error {
	all, err := o.list(tx.ctx, tx.sql, `WHERE `+keyWhere, keyArgs(key)...)
	if err != nil {
		return err
	}
	for _, r := range all {
		if err := o.delete(tx, o.ref(r)); err != nil {
			return err
		}
	}
	return nil
}

// tell notes a new record for the feed, as reading it gives it.
func (o owned[R]) tell(tx *Tx, ref function.Ref) error {
	now, err := o.get(tx.ctx, tx.sql, ref)
	if err != nil {
		return err
	}
	*o.changed(&tx.changes) = append(*o.changed(&tx.changes), Change[R]{Ref: ref, New: now})
	return nil
}

// marks are n parameters of a statement.
func marks(n int) string {
	b := make([]byte, 0, 2*n)
	for range n {
		b = append(b, '?', ',')
	}
	return string(b[:2*n-1])
}
