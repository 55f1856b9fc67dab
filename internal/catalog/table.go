package catalog

import (
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// table holds the records of one sort. The catalog's mu guards it.
type table[R any] struct {
	rows map[function.Ref]*R
	// loading is not nil until load is done: what the feed has told since. The
	// rows that load reads may be older.
	loading map[function.Ref]bool
}

func newTable[R any]() table[R] {
	return table[R]{rows: make(map[function.Ref]*R), loading: make(map[function.Ref]bool)}
}

// add takes a row that was read.
func (t *table[R]) add(ref function.Ref, row *R) bool {
	if t.loading[ref] {
		return false
	}
	t.rows[ref] = row
	return true
}

// apply takes what the feed tells, and returns the row that was there.
func (t *table[R]) apply(change store.Change[R]) (old *R) {
	old = t.rows[change.Ref]
	if change.New == nil {
		delete(t.rows, change.Ref)
	} else {
		t.rows[change.Ref] = change.New
	}
	if t.loading != nil {
		t.loading[change.Ref] = true
	}
	return old
}
