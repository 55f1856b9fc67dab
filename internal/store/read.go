package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/lambhq/lamb/internal/function"
)

// Usage is what the functions and layers of a scope take.
type Usage struct {
	Functions int
	// CodeBytes is the size of the zips; every stored version, of a function
	// or a layer, counts its own, also when several have the same code.
	CodeBytes int64
}

// Get returns a version; ErrNotFound when the function or the version is
// missing, also when version is not the name of a version at all.
func (db *DB) Get(ctx context.Context, key function.Key, version string) (*function.Version, error) {
	defer db.told()
	return get(ctx, db.sql, key, version)
}

// ListFunctions returns $LATEST of up to limit functions of a scope, in order
// of names, those after the given name.
func (db *DB) ListFunctions(ctx context.Context, scope function.Scope, after string, limit int) ([]*function.Version, error) {
	defer db.told()
	return list(ctx, db.sql, `SELECT `+columns+` FROM function_versions
		WHERE `+scopeWhere+` AND version_number = 0 AND name > ?
		ORDER BY name LIMIT ?`, append(scopeArgs(scope), after, limit)...)
}

// ListAllVersions returns up to limit versions of the functions of a scope,
// those after the cursor: by name, $LATEST before the published ones.
func (db *DB) ListAllVersions(ctx context.Context, scope function.Scope, after Cursor, limit int) ([]*function.Version, error) {
	defer db.told()
	number, err := after.number()
	if err != nil {
		return nil, err
	}
	return list(ctx, db.sql, `SELECT `+columns+` FROM function_versions
		WHERE `+scopeWhere+` AND (name > ? OR (name = ? AND version_number > ?))
		ORDER BY name, version_number LIMIT ?`,
		append(scopeArgs(scope), after.Name, after.Name, number, limit)...)
}

// ListVersions returns up to limit versions of a function, those after the
// cursor: $LATEST, then the published ones in order of their numbers. It
// returns none when there is no such function.
func (db *DB) ListVersions(ctx context.Context, key function.Key, after Cursor, limit int) ([]*function.Version, error) {
	defer db.told()
	number, err := after.number()
	if err != nil {
		return nil, err
	}
	return list(ctx, db.sql, `SELECT `+columns+` FROM function_versions
		WHERE `+keyWhere+` AND version_number > ?
		ORDER BY version_number LIMIT ?`, append(keyArgs(key), number, limit)...)
}

// Each calls fn with every version there is, of all scopes, in no particular
// order, until fn returns an error. fn must not call the store.
func (db *DB) Each(ctx context.Context, fn func(*function.Version) error) error {
	return each(ctx, db.sql, fn, `SELECT `+columns+` FROM function_versions`)
}

// Usage sums up a scope.
func (db *DB) Usage(ctx context.Context, scope function.Scope) (Usage, error) {
	var u Usage
	row := db.sql.QueryRowContext(ctx, `SELECT
			COUNT(CASE WHEN version_number = 0 THEN 1 END),
			CAST(COALESCE(SUM(code_size), 0) AS BIGINT),
			(SELECT CAST(COALESCE(SUM(code_size), 0) AS BIGINT) FROM layer_versions WHERE `+scopeWhere+`)
		FROM function_versions WHERE `+scopeWhere, append(scopeArgs(scope), scopeArgs(scope)...)...)
	var layers int64
	if err := row.Scan(&u.Functions, &u.CodeBytes, &layers); err != nil {
		return Usage{}, fmt.Errorf("sum up the functions: %w", err)
	}
	u.CodeBytes += layers
	return u, nil
}

// Unfinished returns the versions of all scopes whose creation or update has
// not come to an end: those that a crash may have left.
func (db *DB) Unfinished(ctx context.Context) ([]*function.Version, error) {
	return list(ctx, db.sql, `SELECT `+columns+` FROM function_versions
		WHERE state = ? OR last_update = ?
		ORDER BY aws_partition, account, region, name, version_number`,
		string(function.StatePending), string(function.UpdateInProgress))
}

// CodeReferences returns the digests (lower-case hex) of the zips that are
// layer versions, or that any function version runs with its layers, or still
// runs while an update of it is not finished.
func (db *DB) CodeReferences(ctx context.Context) (map[string]bool, error) {
	refs := make(map[string]bool)
	if err := db.ownReferences(ctx, refs); err != nil {
		return nil, fmt.Errorf("list the code in use: %w", err)
	}
	// Layer versions have been read before: one that is missing there was
	// deleted, and who uses it has it by now.
	err := each(ctx, db.sql, func(v *function.Version) error {
		contents := []*function.Content{{Config: v.Config}}
		if v.Config.Kept.Serving != nil {
			contents = append(contents, v.Config.Kept.Serving)
		}
		for _, c := range contents {
			for _, digest := range c.LayerDigests() {
				refs[digest] = true
			}
		}
		return nil
	}, `SELECT `+columns+` FROM function_versions WHERE config LIKE '%"Layers":%'`)
	if err != nil {
		return nil, fmt.Errorf("list the layers in use: %w", err)
	}
	return refs, nil
}

// ownReferences adds the digests that records have of their own.
func (db *DB) ownReferences(ctx context.Context, refs map[string]bool) error {
	rows, err := db.sql.QueryContext(ctx, `SELECT code_sha256 FROM function_versions WHERE code_sha256 <> ''
		UNION SELECT serving_sha256 FROM function_versions WHERE serving_sha256 <> ''
		UNION SELECT code_sha256 FROM layer_versions`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // nothing to lose: rows.Err is checked
	for rows.Next() {
		var digest string
		if err := rows.Scan(&digest); err != nil {
			return err
		}
		refs[digest] = true
	}
	return rows.Err()
}

// querier is what *sql.DB and *sql.Tx have in common.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func get(ctx context.Context, q querier, key function.Key, version string) (*function.Version, error) {
	number, err := versionNumber(version)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	row := q.QueryRowContext(ctx, `SELECT `+columns+` FROM function_versions
		WHERE `+keyWhere+` AND version_number = ?`, append(keyArgs(key), number)...)
	v, err := scan(row)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, notFound(key, version)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key.QualifiedARN(version), err)
	}
	return v, nil
}

func list(ctx context.Context, q querier, query string, args ...any) ([]*function.Version, error) {
	var found []*function.Version
	err := each(ctx, q, func(v *function.Version) error {
		found = append(found, v)
		return nil
	}, query, args...)
	return found, err
}

func each(ctx context.Context, q querier, fn func(*function.Version) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("list versions: %w", err)
	}
	defer func() { _ = rows.Close() }() // nothing to lose: rows.Err is checked
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return fmt.Errorf("list versions: %w", err)
		}
		if err := fn(v); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("list versions: %w", err)
	}
	return nil
}

func notFound(key function.Key, version string) error {
	return fmt.Errorf("%w: %s", ErrNotFound, key.QualifiedARN(version))
}
