package store

import (
	"context"
	"database/sql"

	"github.com/lambhq/lamb/internal/function"
)

var aliases = owned[function.Alias]{
	what: "alias", table: "function_aliases",
	columns: `revision_id, version_number, other_number, other_weight, description`,
	args:    aliasArgs,
	scan:    scanAlias,
	ref:     (*function.Alias).Ref,
	changed: func(c *Changes) *[]Change[function.Alias] { return &c.Aliases },
}

func aliasArgs(a *function.Alias) ([]any, error) {
	number, err := versionNumber(a.Version)
	if err != nil {
		return nil, err
	}
	var other sql.NullInt64
	if a.Other.Version != "" {
		other.Valid = true
		if other.Int64, err = versionNumber(a.Other.Version); err != nil {
			return nil, err
		}
	}
	return []any{a.RevisionID, number, other, a.Other.Weight, a.Description}, nil
}

func scanAlias(row scanner) (*function.Alias, error) {
	var (
		a      function.Alias
		number int64
		other  sql.NullInt64
	)
	err := row.Scan(&a.Key.Partition, &a.Key.Account, &a.Key.Region, &a.Key.Name, &a.Name,
		&a.RevisionID, &number, &other, &a.Other.Weight, &a.Description)
	if err != nil {
		return nil, err
	}
	a.Version = versionName(number)
	if other.Valid {
		a.Other.Version = versionName(other.Int64)
	}
	return &a, nil
}

// Alias returns an alias, or ErrNotFound.
func (db *DB) Alias(ctx context.Context, key function.Key, name string) (*function.Alias, error) {
	defer db.told()
	return aliases.get(ctx, db.sql, function.Ref{Key: key, Qualifier: name})
}

// ListAliases returns up to limit aliases of a function in the order of their
// names, those after the given name. With a version it returns those that
// invoke it.
func (db *DB) ListAliases(ctx context.Context, key function.Key, version, after string, limit int) ([]*function.Alias, error) {
	defer db.told()
	if version == "" {
		return aliases.list(ctx, db.sql, `WHERE `+keyWhere+` AND qualifier > ? ORDER BY qualifier LIMIT ?`,
			append(keyArgs(key), after, limit)...)
	}
	number, err := versionNumber(version)
	if err != nil {
		return nil, nil // it is no version's name, so no alias has it
	}
	return aliases.list(ctx, db.sql, `WHERE `+keyWhere+` AND (version_number = ? OR other_number = ?) AND qualifier > ?
		ORDER BY qualifier LIMIT ?`, append(keyArgs(key), number, number, after, limit)...)
}

// EachAlias is Each for aliases.
func (db *DB) EachAlias(ctx context.Context, fn func(*function.Alias) error) error {
	return aliases.each(ctx, db.sql, fn, "")
}

// Alias returns an alias as this transaction sees it, or ErrNotFound, and
// locks its function for a change.
func (tx *Tx) Alias(key function.Key, name string) (*function.Alias, error) {
	if err := tx.lockName(key); err != nil {
		return nil, err
	}
	return aliases.get(tx.ctx, tx.sql, function.Ref{Key: key, Qualifier: name})
}

// AliasesOf returns the aliases that invoke a version, in the order of their
// names.
func (tx *Tx) AliasesOf(key function.Key, version string) ([]*function.Alias, error) {
	number, err := versionNumber(version)
	if err != nil {
		return nil, nil // it is no version's name, so no alias has it
	}
	if err := tx.lockName(key); err != nil {
		return nil, err
	}
	return aliases.list(tx.ctx, tx.sql, `WHERE `+keyWhere+` AND (version_number = ? OR other_number = ?) ORDER BY qualifier`,
		append(keyArgs(key), number, number)...)
}

// InsertAlias adds an alias: ErrExists if it is there, ErrNotFound when its
// function or a version that it invokes is missing.
func (tx *Tx) InsertAlias(a *function.Alias) error {
	if err := tx.aliasTargets(a); err != nil {
		return err
	}
	return aliases.insert(tx, a)
}

// ReplaceAlias puts a in the place of the alias that has its name, which this
// transaction has read; ErrNotFound when a version that it invokes is missing.
func (tx *Tx) ReplaceAlias(a *function.Alias) error {
	if err := tx.aliasTargets(a); err != nil {
		return err
	}
	return aliases.replace(tx, a)
}

// aliasTargets makes sure that there is what an alias invokes.
func (tx *Tx) aliasTargets(a *function.Alias) error {
	if err := tx.lockName(a.Key); err != nil {
		return err
	}
	if _, err := tx.Get(a.Key, a.Version); err != nil {
		return err
	}
	if a.Other.Version == "" {
		return nil
	}
	_, err := tx.Get(a.Key, a.Other.Version)
	return err
}

// DeleteAlias deletes an alias and its policy; ErrNotFound when there is none.
// Its URL stays: it has nothing to call until there is an alias of that name.
func (tx *Tx) DeleteAlias(key function.Key, name string) error {
	if err := tx.lockName(key); err != nil {
		return err
	}
	ref := function.Ref{Key: key, Qualifier: name}
	if err := aliases.delete(tx, ref); err != nil {
		return err
	}
	return ignoreNotFound(policies.delete(tx, ref))
}
