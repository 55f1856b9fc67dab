package metrics

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Lookup finds the metrics of a label's value, such as those of a function,
// without a lock and without allocating. It bounds how many values have metrics
// of their own: every series costs memory here and in whatever reads it, until
// the program ends. It may be used from several goroutines.
type Lookup[K comparable, M any] struct {
	limit int
	other K
	make  func(K) M

	mu    sync.Mutex // one new value at a time
	state atomic.Pointer[lookupState[K, M]]
}

// lookupState is never changed: a new value makes a new one.
type lookupState[K comparable, M any] struct {
	known map[K]M
	rest  *M // of all values beyond the limit; nil until there are any
}

// NewLookup makes a Lookup that calls create once for each of the first limit
// values, and once with other for all that come later.
func NewLookup[K comparable, M any](limit int, other K, create func(K) M) *Lookup[K, M] {
	l := &Lookup[K, M]{limit: limit, other: other, make: create}
	l.state.Store(&lookupState[K, M]{known: map[K]M{}})
	return l
}

// Get gives what belongs to value.
func (l *Lookup[K, M]) Get(value K) M {
	s := l.state.Load()
	if m, ok := s.known[value]; ok {
		return m
	}
	if s.rest != nil {
		return *s.rest
	}
	return l.add(value)
}

func (l *Lookup[K, M]) add(value K) M {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.state.Load()
	if m, ok := s.known[value]; ok {
		return m
	}
	if s.rest != nil {
		return *s.rest
	}
	if len(s.known) >= l.limit {
		m := l.make(l.other)
		l.state.Store(&lookupState[K, M]{known: s.known, rest: &m})
		return m
	}
	m := l.make(value)
	known := maps.Clone(s.known)
	known[value] = m
	l.state.Store(&lookupState[K, M]{known: known})
	return m
}
