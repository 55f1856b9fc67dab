package store

import (
	"slices"

	"github.com/lambhq/lamb/internal/function"
)

// Change tells what became of one record in a committed transaction.
type Change[R any] struct {
	// Ref names the record: the function, and its version, alias or qualifier.
	Ref function.Ref
	// New is the record as it is now; nil when it was deleted.
	New *R
}

// Changes are those of one transaction, in the order in which it made them.
type Changes struct {
	Versions []Change[function.Version]
	Aliases  []Change[function.Alias]
	Policies []Change[function.Policy]
	URLs     []Change[function.URL]
}

func (c *Changes) empty() bool {
	return len(c.Versions)+len(c.Aliases)+len(c.Policies)+len(c.URLs) == 0
}

// Subscribe has fn called with the changes of every transaction from now on:
// after the commit, in the order of commits, before Update returns and before
// any reader has an answer that shows the commit. So fn must not call the
// store (it would wait for itself), and should be quick. stop ends the calls;
// fn may still be running when stop returns.
func (db *DB) Subscribe(fn func(Changes)) (stop func()) {
	db.mu.Lock()
	defer db.mu.Unlock()
	id := db.nextSub
	db.nextSub++
	db.subscribers[id] = fn
	return func() {
		db.mu.Lock()
		defer db.mu.Unlock()
		delete(db.subscribers, id)
	}
}

// publish tells the subscribers, oldest first. The caller holds db.writing and
// db.telling.
func (db *DB) publish(changes Changes) {
	if changes.empty() {
		return
	}
	db.mu.Lock()
	ids := make([]int, 0, len(db.subscribers))
	for id := range db.subscribers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	fns := make([]func(Changes), 0, len(ids))
	for _, id := range ids {
		fns = append(fns, db.subscribers[id])
	}
	db.mu.Unlock()
	// Not under mu: a subscriber may stop itself or start another.
	for _, fn := range fns {
		fn(changes)
	}
}
