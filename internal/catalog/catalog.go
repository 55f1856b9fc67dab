// Package catalog holds every version of every function in memory, as the
// records were at the last commit: the invoke path reads it and never the
// database. It imports function and store.
package catalog

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// ref names a version.
type ref struct {
	key     function.Key
	version string
}

// Catalog is kept current by the store's feed until Close. Its methods may be
// called from several goroutines.
type Catalog struct {
	stop func() // ends the feed

	mu       sync.RWMutex // guards what follows
	versions map[ref]*function.Version
	// loading is not nil until Load is done: what the feed has told since. The
	// rows that Load reads may be older.
	loading map[ref]bool

	listenMu  sync.Mutex // guards listeners
	listeners []*listener
}

type listener struct{ fn func(store.Change) }

// Source is what Load needs of a *store.DB.
type Source interface {
	// Subscribe has its argument called after every commit, in their order.
	Subscribe(fn func([]store.Change)) (stop func())
	// Each calls its argument with every version, as it was at some moment
	// since Each was called.
	Each(ctx context.Context, fn func(*function.Version) error) error
}

var _ Source = (*store.DB)(nil)

// Load reads all versions. No change is missed: the feed begins first.
func Load(ctx context.Context, db Source) (*Catalog, error) {
	c := &Catalog{versions: make(map[ref]*function.Version), loading: make(map[ref]bool)}
	c.stop = db.Subscribe(c.apply)
	err := db.Each(ctx, func(v *function.Version) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if r := (ref{v.Key, v.Version}); !c.loading[r] {
			c.versions[r] = v
		}
		return nil
	})
	if err != nil {
		c.stop()
		return nil, fmt.Errorf("load the catalog: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loading = nil
	return c, nil
}

// Close ends the feed: the catalog stays as it is.
func (c *Catalog) Close() { c.stop() }

// Lookup returns a version by its exact name: "$LATEST" or a number. It does
// not allocate. The Version must not be changed.
func (c *Catalog) Lookup(key function.Key, version string) (*function.Version, bool) {
	c.mu.RLock()
	v, ok := c.versions[ref{key, version}]
	c.mu.RUnlock()
	return v, ok
}

// Len returns how many versions there are.
func (c *Catalog) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.versions)
}

// OnChange has fn called with every change from now on, in the order of
// commits, after Lookup shows it and before the Update that made it returns.
// fn may look things up; it must not change the store, and should be quick.
// stop ends the calls.
func (c *Catalog) OnChange(fn func(store.Change)) (stop func()) {
	l := &listener{fn}
	c.listenMu.Lock()
	defer c.listenMu.Unlock()
	c.listeners = append(c.listeners, l)
	return func() {
		c.listenMu.Lock()
		defer c.listenMu.Unlock()
		c.listeners = slices.DeleteFunc(c.listeners, func(other *listener) bool { return other == l })
	}
}

// apply is called by the feed, one transaction at a time.
func (c *Catalog) apply(changes []store.Change) {
	c.mu.Lock()
	for _, change := range changes {
		r := ref{change.Key, change.Version}
		if change.New == nil {
			delete(c.versions, r)
		} else {
			c.versions[r] = change.New
		}
		if c.loading != nil {
			c.loading[r] = true
		}
	}
	c.mu.Unlock()

	// Not under listenMu: a listener may stop itself.
	c.listenMu.Lock()
	listeners := slices.Clone(c.listeners)
	c.listenMu.Unlock()
	for _, change := range changes {
		for _, l := range listeners {
			l.fn(change)
		}
	}
}
