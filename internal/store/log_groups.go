package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/lambhq/lamb/internal/function"
)

// LogGroup is what is recorded of a log group; its lines are elsewhere.
type LogGroup struct {
	Scope   function.Scope
	Name    string
	Created time.Time // millisecond precision, UTC
	// RetentionDays is how long lines are kept; 0: as long as there is room.
	RetentionDays int
	KMSKeyID      string // stored and shown only
	Class         string // "STANDARD"
	Tags          map[string]string
}

const logGroupColumns = `aws_partition, account, region, name, created_ms, retention_days, kms_key_id, class, tags`

// LogGroup returns the record of a group, or ErrNotFound.
func (db *DB) LogGroup(ctx context.Context, scope function.Scope, name string) (*LogGroup, error) {
	row := db.sql.QueryRowContext(ctx, `SELECT `+logGroupColumns+` FROM log_groups WHERE `+keyWhere, append(scopeArgs(scope), name)...)
	g, err := scanLogGroup(row)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("%w: log group %s", ErrNotFound, name)
	}
	if err != nil {
		return nil, fmt.Errorf("read log group %s: %w", name, err)
	}
	return g, nil
}

// ListLogGroups returns the recorded groups of a scope, by name.
func (db *DB) ListLogGroups(ctx context.Context, scope function.Scope) ([]*LogGroup, error) {
	var all []*LogGroup
	err := db.eachLogGroup(ctx, func(g *LogGroup) error {
		all = append(all, g)
		return nil
	}, ` WHERE `+scopeWhere+` ORDER BY name`, scopeArgs(scope)...)
	return all, err
}

// EachLogGroup calls fn with every recorded group of all scopes, until fn
// returns an error. fn must not call the store.
func (db *DB) EachLogGroup(ctx context.Context, fn func(*LogGroup) error) error {
	return db.eachLogGroup(ctx, fn, "")
}

func (db *DB) eachLogGroup(ctx context.Context, fn func(*LogGroup) error, end string, args ...any) error {
	rows, err := db.sql.QueryContext(ctx, `SELECT `+logGroupColumns+` FROM log_groups`+end, args...)
	if err != nil {
		return fmt.Errorf("list log groups: %w", err)
	}
	defer func() { _ = rows.Close() }() // nothing to lose: rows.Err is checked
	for rows.Next() {
		g, err := scanLogGroup(rows)
		if err != nil {
			return fmt.Errorf("list log groups: %w", err)
		}
		if err := fn(g); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("list log groups: %w", err)
	}
	return nil
}

// PutLogGroup records a group, in the place of what was recorded of it.
func (db *DB) PutLogGroup(ctx context.Context, g *LogGroup) error {
	tags, err := json.Marshal(g.Tags)
	if err != nil {
		return fmt.Errorf("encode the tags of log group %s: %w", g.Name, err)
	}
	return db.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(`INSERT INTO log_groups (`+logGroupColumns+`) VALUES (`+marks(9)+`)
			ON CONFLICT (aws_partition, account, region, name) DO UPDATE SET
				created_ms = excluded.created_ms, retention_days = excluded.retention_days,
				kms_key_id = excluded.kms_key_id, class = excluded.class, tags = excluded.tags`,
			append(scopeArgs(g.Scope), g.Name, g.Created.UnixMilli(), g.RetentionDays, g.KMSKeyID, g.Class, string(tags))...)
		if err != nil {
			return fmt.Errorf("record log group %s: %w", g.Name, err)
		}
		return nil
	})
}

// DeleteLogGroup deletes the record of a group; ErrNotFound when there is none.
func (db *DB) DeleteLogGroup(ctx context.Context, scope function.Scope, name string) error {
	return db.Update(ctx, func(tx *Tx) error {
		n, err := tx.exec(`DELETE FROM log_groups WHERE `+keyWhere, append(scopeArgs(scope), name)...)
		if err != nil {
			return fmt.Errorf("delete log group %s: %w", name, err)
		}
		if n == 0 {
			return fmt.Errorf("%w: log group %s", ErrNotFound, name)
		}
		return nil
	})
}

// scanLogGroup reads logGroupColumns.
func scanLogGroup(row scanner) (*LogGroup, error) {
	var (
		g       LogGroup
		created int64
		tags    string
	)
	err := row.Scan(&g.Scope.Partition, &g.Scope.Account, &g.Scope.Region, &g.Name,
		&created, &g.RetentionDays, &g.KMSKeyID, &g.Class, &tags)
	if err != nil {
		return nil, err
	}
	g.Created = time.UnixMilli(created).UTC()
	if err := json.Unmarshal([]byte(tags), &g.Tags); err != nil {
		return nil, fmt.Errorf("decode the tags of log group %s: %w", g.Name, err)
	}
	return &g, nil
}
