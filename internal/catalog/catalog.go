// Package catalog holds every version of every function in memory, with the
// aliases, policies and URLs of functions, as the records were at the last
// commit: the invoke path reads it and never the database. It imports function
// and store.
package catalog

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// Catalog is kept current by the store's feed until Close. Its methods may be
// called from several goroutines. What they return must not be changed.
type Catalog struct {
	stop func() // ends the feed

	mu       sync.RWMutex // guards what follows
	versions table[function.Version]
	aliases  table[function.Alias]
	policies table[function.Policy]
	urls     table[function.URL]
	urlByID  map[string]*function.URL // the rows of urls

	listenMu  sync.Mutex // guards listeners
	listeners []*listener
}

type listener struct {
	fn func(store.Change[function.Version])
}

// Source is what Load needs of a *store.DB.
type Source interface {
	// Subscribe has its argument called after every commit, in their order.
	Subscribe(fn func(store.Changes)) (stop func())
	// These call their argument with every record of their sort, as it was at
	// some moment since they were called.
	Each(ctx context.Context, fn func(*function.Version) error) error
	EachAlias(ctx context.Context, fn func(*function.Alias) error) error
	EachPolicy(ctx context.Context, fn func(*function.Policy) error) error
	EachURL(ctx context.Context, fn func(*function.URL) error) error
}

var _ Source = (*store.DB)(nil)

// Load reads all records. No change is missed: the feed begins first.
func Load(ctx context.Context, db Source) (*Catalog, error) {
	c := &Catalog{
		versions: newTable[function.Version](), aliases: newTable[function.Alias](),
		policies: newTable[function.Policy](), urls: newTable[function.URL](),
		urlByID: make(map[string]*function.URL),
	}
	c.stop = db.Subscribe(c.apply)
	if err := c.load(ctx, db); err != nil {
		c.stop()
		return nil, fmt.Errorf("load the catalog: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.versions.loading, c.aliases.loading, c.policies.loading, c.urls.loading = nil, nil, nil, nil
	return c, nil
}

func (c *Catalog) load(ctx context.Context, db Source) error {
	if err := db.EachAlias(ctx, func(a *function.Alias) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.aliases.add(a.Ref(), a)
		return nil
	}); err != nil {
		return err
	}
	if err := db.EachPolicy(ctx, func(p *function.Policy) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.policies.add(p.Ref(), p)
		return nil
	}); err != nil {
		return err
	}
	if err := db.EachURL(ctx, func(u *function.URL) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.urls.add(u.Ref(), u) {
			c.urlByID[u.ID] = u
		}
		return nil
	}); err != nil {
		return err
	}
	return db.Each(ctx, func(v *function.Version) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.versions.add(function.Ref{Key: v.Key, Qualifier: v.Version}, v)
		return nil
	})
}

// Close ends the feed: the catalog stays as it is.
func (c *Catalog) Close() { c.stop() }

// Lookup returns a version by its exact name: "$LATEST" or a number. It does
// not allocate.
func (c *Catalog) Lookup(key function.Key, version string) (*function.Version, bool) {
	c.mu.RLock()
	v, ok := c.versions.rows[function.Ref{Key: key, Qualifier: version}]
	c.mu.RUnlock()
	return v, ok
}

// LookupAlias returns the version that an invocation of an alias runs, for a
// random number of at least 0 and below 1; see function.Alias.Pick. It does
// not allocate.
func (c *Catalog) LookupAlias(key function.Key, name string, random float64) (*function.Version, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	a, ok := c.aliases.rows[function.Ref{Key: key, Qualifier: name}]
	if !ok {
		return nil, false
	}
	v, ok := c.versions.rows[function.Ref{Key: key, Qualifier: a.Pick(random)}]
	return v, ok
}

// Policy returns the resource policy of a function, version or alias; false
// when it has none.
func (c *Catalog) Policy(ref function.Ref) (*function.Policy, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	p, ok := c.policies.rows[ref]
	return p, ok
}

// URL returns the URL with an id.
func (c *Catalog) URL(id string) (*function.URL, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	u, ok := c.urlByID[id]
	return u, ok
}

// URLOf returns the URL of a function (with no qualifier) or alias.
func (c *Catalog) URLOf(ref function.Ref) (*function.URL, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	u, ok := c.urls.rows[ref]
	return u, ok
}

// Len returns how many versions there are.
func (c *Catalog) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.versions.rows)
}

// OnChange has fn called with every change of a version from now on, in the
// order of commits, after Lookup shows it and before the Update that made it
// returns. fn may look things up; it must not change the store, and should be
// quick. stop ends the calls.
func (c *Catalog) OnChange(fn func(store.Change[function.Version])) (stop func()) {
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
func (c *Catalog) apply(changes store.Changes) {
	c.take(changes)
	// Not under listenMu: a listener may stop itself.
	c.listenMu.Lock()
	listeners := slices.Clone(c.listeners)
	c.listenMu.Unlock()
	for _, change := range changes.Versions {
		for _, l := range listeners {
			l.fn(change)
		}
	}
}

// take makes the changes of a transaction visible, all at once.
func (c *Catalog) take(changes store.Changes) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, change := range changes.Versions {
		c.versions.apply(change)
	}
	for _, change := range changes.Aliases {
		c.aliases.apply(change)
	}
	for _, change := range changes.Policies {
		c.policies.apply(change)
	}
	for _, change := range changes.URLs {
		if old := c.urls.apply(change); old != nil {
			delete(c.urlByID, old.ID)
		}
		if change.New != nil {
			c.urlByID[change.New.ID] = change.New
		}
	}
}
