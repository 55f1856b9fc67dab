package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/lambhq/lamb/internal/function"
)

// Tx is one transaction; see Update. It belongs to one goroutine.
type Tx struct {
	ctx     context.Context // the transaction's; Tx does not outlive Update
	sql     *sql.Tx
	changes Changes
}

// Get returns a version as this transaction sees it, or ErrNotFound.
func (tx *Tx) Get(key function.Key, version string) (*function.Version, error) {
	return get(tx.ctx, tx.sql, key, version)
}

// LastPublished returns the published version with the highest number that
// exists, or ErrNotFound.
func (tx *Tx) LastPublished(key function.Key) (*function.Version, error) {
	row := tx.sql.QueryRowContext(tx.ctx, `SELECT `+columns+` FROM function_versions
		WHERE `+keyWhere+` AND version_number > 0
		ORDER BY version_number DESC LIMIT 1`, keyArgs(key)...)
	v, err := scan(row)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("%w: %s has no published version", ErrNotFound, key.ARN())
	}
	if err != nil {
		return nil, fmt.Errorf("read the last version of %s: %w", key.ARN(), err)
	}
	return v, nil
}

// Insert adds a version: ErrExists if it is there, and ErrNotFound for a
// published version of a function without $LATEST. v must not be changed
// afterwards, for subscribers get it.
func (tx *Tx) Insert(v *function.Version) error {
	args, err := rowArgs(v)
	if err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	number, _ := args[len(keyArgs(v.Key))].(int64)
	if err := tx.lockName(v.Key); err != nil {
		return err
	}
	if number > 0 {
		if _, err := tx.Get(v.Key, function.Latest); err != nil {
			return err
		}
		// A number that came from elsewhere than NextVersion is used up too.
		_, err := tx.exec(`UPDATE function_names SET last_number = ? WHERE `+keyWhere+` AND last_number < ?`,
			append(append([]any{number}, keyArgs(v.Key)...), number)...)
		if err != nil {
			return fmt.Errorf("insert %s: %w", v.Key.QualifiedARN(v.Version), err)
		}
	}
	// DO NOTHING and not an error: an error would end a transaction on
	// PostgreSQL, and the texts of errors differ.
	n, err := tx.exec(`INSERT INTO function_versions (`+columns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, args...)
	if err != nil {
		return fmt.Errorf("insert %s: %w", v.Key.QualifiedARN(v.Version), err)
	}
	if n == 0 {
		return fmt.Errorf("%w: %s", ErrExists, v.Key.QualifiedARN(v.Version))
	}
	tx.changed(v.Key, v.Version, stored(v))
	return nil
}

// Replace puts v in the place of the version that has its key and name, if
// that has revision id ifRevision; otherwise ErrConflict, or ErrNotFound when
// there is none. v needs a new revision id, and must not be changed
// afterwards, for subscribers get it.
func (tx *Tx) Replace(v *function.Version, ifRevision string) error {
	if v.RevisionID == ifRevision || v.RevisionID == "" {
		return fmt.Errorf("replace %s: the new record needs a revision id of its own", v.Key.QualifiedARN(v.Version))
	}
	args, err := rowArgs(v)
	if err != nil {
		return fmt.Errorf("replace: %w", err)
	}
	where, values := args[:5], args[5:]
	n, err := tx.exec(`UPDATE function_versions SET
			revision_id = ?, last_modified_ms = ?, state = ?, state_reason = ?, state_code = ?,
			last_update = ?, last_update_reason = ?, last_update_code = ?,
			code_sha256 = ?, code_size = ?, code_unzipped = ?, serving_sha256 = ?, config = ?
		WHERE `+keyWhere+` AND version_number = ? AND revision_id = ?`,
		append(append(append([]any{}, values...), where...), ifRevision)...)
	if err != nil {
		return fmt.Errorf("replace %s: %w", v.Key.QualifiedARN(v.Version), err)
	}
	if n == 0 {
		if _, err := tx.Get(v.Key, v.Version); err != nil {
			return err
		}
		return fmt.Errorf("%w: %s", ErrConflict, v.Key.QualifiedARN(v.Version))
	}
	tx.changed(v.Key, v.Version, stored(v))
	return nil
}

// DeleteVersion deletes a published version and its policy; ErrNotFound when it
// is missing. $LATEST goes with its function only. That no alias invokes it is
// the caller's to check, with AliasesOf.
func (tx *Tx) DeleteVersion(key function.Key, version string) error {
	number, err := versionNumber(version)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if number == 0 {
		return fmt.Errorf("delete %s: $LATEST cannot be deleted alone", key.ARN())
	}
	if err := tx.lockName(key); err != nil {
		return err
	}
	n, err := tx.exec(`DELETE FROM function_versions WHERE `+keyWhere+` AND version_number = ?`,
		append(keyArgs(key), number)...)
	if err != nil {
		return fmt.Errorf("delete %s: %w", key.QualifiedARN(version), err)
	}
	if n == 0 {
		return notFound(key, version)
	}
	tx.changed(key, version, nil)
	return ignoreNotFound(policies.delete(tx, function.Ref{Key: key, Qualifier: version}))
}

// DeleteFunction deletes all versions of a function, and what belongs to it:
// aliases, policies, URLs. ErrNotFound when there is no version.
func (tx *Tx) DeleteFunction(key function.Key) error {
	if err := tx.lockName(key); err != nil {
		return err
	}
	numbers, err := tx.numbers(key)
	if err != nil {
		return fmt.Errorf("delete %s: %w", key.ARN(), err)
	}
	if len(numbers) == 0 {
		return notFound(key, "")
	}
	if _, err := tx.exec(`DELETE FROM function_versions WHERE `+keyWhere, keyArgs(key)...); err != nil {
		return fmt.Errorf("delete %s: %w", key.ARN(), err)
	}
	for _, n := range numbers {
		tx.changed(key, versionName(n), nil)
	}
	return errors.Join(urls.deleteAll(tx, key), policies.deleteAll(tx, key), aliases.deleteAll(tx, key))
}

// NextVersion takes the next version number of a function's name. A number is
// never given twice, not even after the function was deleted and made again
// (unless the transaction is rolled back: then it was never given).
func (tx *Tx) NextVersion(key function.Key) (int, error) {
	if err := tx.lockName(key); err != nil {
		return 0, err
	}
	_, err := tx.exec(`UPDATE function_names SET last_number = last_number + 1 WHERE `+keyWhere, keyArgs(key)...)
	if err != nil {
		return 0, fmt.Errorf("number a version of %s: %w", key.ARN(), err)
	}
	var n int
	row := tx.sql.QueryRowContext(tx.ctx, `SELECT last_number FROM function_names WHERE `+keyWhere, keyArgs(key)...)
	if err := row.Scan(&n); err != nil {
		return 0, fmt.Errorf("number a version of %s: %w", key.ARN(), err)
	}
	return n, nil
}

// lockName makes sure that the name has its row, and locks it until the end
// of the transaction: on a database with several writers, publishing a
// version and deleting the function must not both succeed.
func (tx *Tx) lockName(key function.Key) error {
	_, err := tx.exec(`INSERT INTO function_names (aws_partition, account, region, name, last_number)
		VALUES (?, ?, ?, ?, 0) ON CONFLICT DO NOTHING`, keyArgs(key)...)
	if err != nil {
		return fmt.Errorf("lock %s: %w", key.ARN(), err)
	}
	if _, err := tx.exec(`UPDATE function_names SET last_number = last_number WHERE `+keyWhere, keyArgs(key)...); err != nil {
		return fmt.Errorf("lock %s: %w", key.ARN(), err)
	}
	return nil
}

// numbers lists the version numbers of a function, ascending.
func (tx *Tx) numbers(key function.Key) ([]int64, error) {
	rows, err := tx.sql.QueryContext(tx.ctx, `SELECT version_number FROM function_versions
		WHERE `+keyWhere+` ORDER BY version_number`, keyArgs(key)...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // nothing to lose: rows.Err is checked
	var numbers []int64
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		numbers = append(numbers, n)
	}
	return numbers, rows.Err()
}

// exec runs a statement and returns the number of rows it changed.
func (tx *Tx) exec(query string, args ...any) (int64, error) {
	res, err := tx.sql.ExecContext(tx.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (tx *Tx) changed(key function.Key, version string, now *function.Version) {
	tx.changes.Versions = append(tx.changes.Versions,
		Change[function.Version]{Ref: function.Ref{Key: key, Qualifier: version}, New: now})
}
