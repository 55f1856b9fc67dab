package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lambhq/lamb/internal/function"
)

var urls = owned[function.URL]{
	what: "URL", table: "function_urls",
	columns: `url_id, auth_type, invoke_mode, cors, created_ms, last_modified_ms`,
	args:    urlArgs,
	scan:    scanURL,
	ref:     (*function.URL).Ref,
	changed: func(c *Changes) *[]Change[function.URL] { return &c.URLs },
}

func urlArgs(u *function.URL) ([]any, error) {
	cors := ""
	if u.CORS != nil {
		text, err := json.Marshal(u.CORS)
		if err != nil {
			return nil, fmt.Errorf("encode the URL of %s: %w", u.Ref().ARN(), err)
		}
		cors = string(text)
	}
	return []any{u.ID, u.AuthType, u.InvokeMode, cors, u.Created.UnixMilli(), u.LastModified.UnixMilli()}, nil
}

func scanURL(row scanner) (*function.URL, error) {
	var (
		u                 function.URL
		cors              string
		created, modified int64
	)
	err := row.Scan(&u.Key.Partition, &u.Key.Account, &u.Key.Region, &u.Key.Name, &u.Qualifier,
		&u.ID, &u.AuthType, &u.InvokeMode, &cors, &created, &modified)
	if err != nil {
		return nil, err
	}
	u.Created, u.LastModified = time.UnixMilli(created).UTC(), time.UnixMilli(modified).UTC()
	if cors != "" {
		if err := json.Unmarshal([]byte(cors), &u.CORS); err != nil {
			return nil, fmt.Errorf("decode the URL of %s: %w", u.Ref().ARN(), err)
		}
	}
	return &u, nil
}

// URL returns the URL of what ref names, or ErrNotFound.
func (db *DB) URL(ctx context.Context, ref function.Ref) (*function.URL, error) {
	defer db.told()
	return urls.get(ctx, db.sql, ref)
}

// ListURLs returns up to limit URLs of a function and its aliases, the
// function's own first, then in the order of the aliases' names, those after a
// qualifier; nil: from the beginning.
func (db *DB) ListURLs(ctx context.Context, key function.Key, after *string, limit int) ([]*function.URL, error) {
	defer db.told()
	if after == nil {
		return urls.list(ctx, db.sql, `WHERE `+keyWhere+` ORDER BY qualifier LIMIT ?`, append(keyArgs(key), limit)...)
	}
	return urls.list(ctx, db.sql, `WHERE `+keyWhere+` AND qualifier > ? ORDER BY qualifier LIMIT ?`,
		append(keyArgs(key), *after, limit)...)
}

// EachURL is Each for URLs.
func (db *DB) EachURL(ctx context.Context, fn func(*function.URL) error) error {
	return urls.each(ctx, db.sql, fn, "")
}

// URL returns a URL as this transaction sees it, or ErrNotFound, and locks its
// function for a change.
func (tx *Tx) URL(ref function.Ref) (*function.URL, error) {
	if err := tx.lockName(ref.Key); err != nil {
		return nil, err
	}
	return urls.get(tx.ctx, tx.sql, ref)
}

// InsertURL adds a URL: ErrExists if what it calls has one, ErrNotFound when
// the function is missing. That an alias is there is the caller's to check.
func (tx *Tx) InsertURL(u *function.URL) error { return urls.insert(tx, u) }

// ReplaceURL puts u in the place of the URL that has its name, which this
// transaction has read.
func (tx *Tx) ReplaceURL(u *function.URL) error { return urls.replace(tx, u) }

// DeleteURL deletes a URL; ErrNotFound when there is none.
func (tx *Tx) DeleteURL(ref function.Ref) error { return urls.delete(tx, ref) }
