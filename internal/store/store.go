// Package store owns lamb's records: functions and layers, their versions, and
// the installation's own settings, in SQL. It imports function and a database
// driver, and nothing else of ours may import one (queue, when it comes,
// excepted).
//
// The statements are portable: they will run on PostgreSQL when there are
// several nodes. So nothing relies on there being one writer. A change names
// the revision id that it was made from in its WHERE clause, a number is
// taken by an UPDATE that locks its row, and every writer of a function first
// locks the row of the function's name. What differs between databases (data
// definition, pragmas, how a transaction begins) is in migrations/ and
// connect.go.
//
//	Update ─▶ begin ─▶ fn(tx) ─▶ commit ─▶ subscribers, in commit order ─▶ return
//	                      └─ error ─▶ rollback ─▶ return the error
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrNotFound: there is no such function, layer, version or setting.
	ErrNotFound = errors.New("record not found")
	// ErrExists: the record to insert is there already.
	ErrExists = errors.New("record exists already")
	// ErrConflict: the record has changed since the revision that was named.
	ErrConflict = errors.New("record has changed meanwhile")
	// ErrNewer: the database was made by a newer lamb. Open wraps it.
	ErrNewer = errors.New("database was made by a newer lamb")
	// ErrCursor: a text is not a cursor that this package made.
	ErrCursor = errors.New("invalid list position")
)

// maxConns bounds the pooled connections of a database file: readers run
// beside the writer, and more than this only wait for the processor.
const maxConns = 8

// Options says where the records are.
type Options struct {
	// Path is the database file, made with mode 0600 if it is missing; its
	// folder must exist. Empty: the records live in memory and end with Close.
	Path string
	// Log gets what an operator should know (migrations). Nil: nothing is said.
	Log *slog.Logger
}

// DB is an open store. Its methods may be called from several goroutines.
type DB struct {
	sql *sql.DB
	log *slog.Logger

	// writing is held from before a transaction begins until its changes
	// have been told, so that subscribers see commits in their order. It is a
	// channel because waiting for it ends with the caller's context.
	writing chan struct{}

	// telling is write-locked from before a commit until the subscribers know
	// of it; see told.
	telling sync.RWMutex

	mu          sync.Mutex // guards the two below
	subscribers map[int]func(Changes)
	nextSub     int
}

// Open opens the store, and brings its schema up to date. The error wraps
// ErrNewer when the schema is newer than this program.
func Open(ctx context.Context, opts Options) (*DB, error) {
	log := opts.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	pool, err := connect(opts.Path)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	if err := migrate(ctx, pool, log); err != nil {
		return nil, errors.Join(fmt.Errorf("open the store: %w", err), pool.Close())
	}
	return &DB{
		sql:         pool,
		log:         log,
		writing:     make(chan struct{}, 1),
		subscribers: make(map[int]func(Changes)),
	}, nil
}

// Close waits for a running Update and closes the database. What is called
// after it fails.
func (db *DB) Close() error {
	db.writing <- struct{}{}
	defer func() { <-db.writing }()
	if err := db.sql.Close(); err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	return nil
}

// Update runs fn in one transaction and commits when fn returns nil; an error
// of fn rolls back and is returned as it is. Nothing is retried: when another
// writer was first, the caller gets ErrConflict or ErrExists and decides.
//
// Inside fn only tx may be used, never db, and tx is not valid after fn.
// Once fn runs, the end of ctx no longer interrupts: a client that goes away
// must not leave open whether its change was made.
func (db *DB) Update(ctx context.Context, fn func(tx *Tx) error) error {
	select {
	case db.writing <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wait to change the store: %w", context.Cause(ctx))
	}
	defer func() { <-db.writing }()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("change the store: %w", context.Cause(ctx))
	}
	ctx = context.WithoutCancel(ctx)

	inner, err := db.sql.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	// Also when fn panics; after a commit it does nothing.
	defer func() { _ = inner.Rollback() }()

	tx := &Tx{ctx: ctx, sql: inner}
	if err := fn(tx); err != nil {
		return err
	}
	db.telling.Lock()
	defer db.telling.Unlock()
	if err := inner.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	db.publish(tx.changes)
	return nil
}

// told waits until the subscribers know every commit that a read before it
// can have seen. The reads of records that have a feed end with it, so that
// who reads a record and then asks a subscriber (an SDK's waiter sees Active,
// and its user invokes) does not find the subscriber behind.
func (db *DB) told() {
	db.telling.RLock()
	//lint:ignore SA2001 only the moment is waited for
	db.telling.RUnlock()
}
