package pool

import (
	"reflect"
	"slices"

	"github.com/lambhq/lamb/internal/function"
)

type groupKey struct {
	key     function.Key
	version string
}

// group is the environments of one version of a function.
type group struct {
	// version is what the catalog has now, nil when it is gone.
	version *function.Version
	// content stands for what version runs: environments are used as long as
	// theirs is the group's. A record may change (its state, its revision)
	// without changing what it runs.
	content *content
	shelves map[string]*shelf // by tenant; none is empty
}

// shelf is the environments of one version for one tenant. Who holds on to one
// while mu is unlocked has something on it: a start, a waiter, a member.
type shelf struct {
	group    *group
	tenant   string    // empty without tenant isolation
	idle     []*member // the most recently used is last
	busy     map[*member]struct{}
	partial  []*member      // those of busy with a free slot
	opening  int            // starts of environments with several slots
	starting int            // cold starts that have no member yet
	waiters  []chan *member // who waits for one that is finishing; all are admitted
}

// content is compared by its address; it has a size so that two differ.
type content struct{ _ byte }

func newGroup(v *function.Version) *group {
	return &group{version: v, content: new(content), shelves: make(map[string]*shelf)}
}

// shelfOf returns a tenant's shelf. A new one is empty: the caller puts
// something on it or calls tidy.
func (g *group) shelfOf(tenant string) *shelf {
	sh := g.shelves[tenant]
	if sh == nil {
		sh = &shelf{group: g, tenant: tenant, busy: make(map[*member]struct{})}
		g.shelves[tenant] = sh
	}
	return sh
}

// tidy forgets the shelf if nothing is on it: whoever can name tenants must
// not make lamb remember every name.
func (sh *shelf) tidy() {
	if len(sh.idle) == 0 && len(sh.busy) == 0 && sh.starting == 0 && len(sh.waiters) == 0 {
		delete(sh.group.shelves, sh.tenant)
	}
}

// runs reports whether v runs what the group runs. On the warm path it is the
// catalog's own pointer.
func (g *group) runs(v *function.Version) bool {
	return g.version == v || g.version != nil && reflect.DeepEqual(g.version.Runs(), v.Runs())
}

// takeIdle takes a free slot of a busy environment, or the most recently used
// idle environment.
func (sh *shelf) takeIdle() *member {
	if m := sh.takePartial(); m != nil {
		return m
	}
	n := len(sh.idle)
	if n == 0 {
		return nil
	}
	m := sh.idle[n-1]
	sh.idle[n-1] = nil
	sh.idle = sh.idle[:n-1]
	sh.busy[m] = struct{}{}
	m.used = 1
	if m.slots > 1 {
		sh.offer(m)
	}
	return m
}

// worthWaiting reports whether an environment is about to be free that nobody
// waits for yet.
func (sh *shelf) worthWaiting() bool {
	n := 0
	for m := range sh.busy {
		if m.env.Finishing() {
			if n++; n > len(sh.waiters) {
				return true
			}
		}
	}
	return false
}

// longerIdle is the one of two shelves whose oldest environment has been idle
// for longer, or a where neither has one; a may be nil.
func longerIdle(a, b *shelf) *shelf {
	if len(b.idle) > 0 && (a == nil || b.idle[0].since.Before(a.idle[0].since)) {
		return b
	}
	return a
}

// takeOldest removes the shelf's least recently used idle environment, which
// is there.
func (sh *shelf) takeOldest() *member {
	m := sh.idle[0]
	sh.idle = slices.Delete(sh.idle, 0, 1)
	sh.tidy()
	return m
}
