package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
)

// The schema, as steps that only go forward. A step that has been released
// is never edited; the n-th file, in order of names, is named n_….sql.
//
//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrations returns the steps; the schema version after step i is i+1.
func migrations() ([]string, error) {
	entries, err := fs.ReadDir(migrationFiles, "migrations")
	if err != nil {
		return nil, err
	}
	var steps []string
	for i, e := range entries {
		var number int
		if _, err := fmt.Sscanf(e.Name(), "%04d_", &number); err != nil || number != i+1 {
			return nil, fmt.Errorf("migration %s is out of order: want number %d", e.Name(), i+1)
		}
		text, err := fs.ReadFile(migrationFiles, "migrations/"+e.Name())
		if err != nil {
			return nil, err
		}
		steps = append(steps, string(text))
	}
	return steps, nil
}

// migrate brings the schema to the newest version, one transaction per step.
func migrate(ctx context.Context, pool *sql.DB, log *slog.Logger) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	const table = `CREATE TABLE IF NOT EXISTS lamb_schema (version BIGINT NOT NULL PRIMARY KEY)`
	if _, err := pool.ExecContext(ctx, table); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	for {
		from, err := step(ctx, pool, steps)
		if err != nil {
			return err
		}
		if from == len(steps) {
			return nil
		}
		log.DebugContext(ctx, "store schema migrated", "from", from, "to", from+1)
	}
}

// step applies the next migration, if there is one, and returns the version
// that it found.
func step(ctx context.Context, pool *sql.DB, steps []string) (from int, err error) {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	// One row per step taken: its key makes a second process that takes the
	// same step at the same time fail instead of taking it twice.
	row := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM lamb_schema`)
	if err := row.Scan(&from); err != nil {
		return 0, fmt.Errorf("read the schema's version: %w", err)
	}
	if from > len(steps) {
		return 0, fmt.Errorf("%w: its schema is %d, and this lamb knows up to %d", ErrNewer, from, len(steps))
	}
	if from < len(steps) {
		if _, err := tx.ExecContext(ctx, steps[from]); err != nil {
			return 0, fmt.Errorf("migrate the schema to %d: %w", from+1, err)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO lamb_schema (version) VALUES (?)`, from+1); err != nil {
			return 0, fmt.Errorf("migrate the schema to %d: %w", from+1, err)
		}
	}
	return from, tx.Commit()
}
