package pool

import (
	"slices"

	"github.com/lambhq/lamb/internal/function"
)

// This file is about environments that serve several invocations at once: each
// has as many slots as invocations. One that is busy and has a free slot lies
// on its shelf's partial; whoever needs a slot while one starts waits for it,
// instead of starting another.

// slotsOf is how many invocations an environment of a version serves at once.
func slotsOf(v *function.Version) int { return max(1, v.Runs().Config.MaxConcurrency) }

// takePartial takes a slot of a busy environment, if one is free.
func (sh *shelf) takePartial() *member {
	n := len(sh.partial)
	if n == 0 {
		return nil
	}
	m := sh.partial[n-1]
	if m.used++; m.used == m.slots {
		sh.partial = sh.partial[:n-1]
	}
	return m
}

// offer puts a busy environment where its free slots are found.
func (sh *shelf) offer(m *member) {
	if m.used < m.slots && !slices.Contains(sh.partial, m) {
		sh.partial = append(sh.partial, m)
	}
}

// withdraw takes an environment from where its free slots are found.
func (sh *shelf) withdraw(m *member) {
	if i := slices.Index(sh.partial, m); i >= 0 {
		sh.partial = slices.Delete(sh.partial, i, i+1)
	}
}

// opensFor reports whether environments that start will have a slot for one
// more than wait already.
func (sh *shelf) opensFor(slots int) bool { return sh.opening*(slots-1) > len(sh.waiters) }

// opened says that the start of an environment with several slots is over: who
// waits gets one of them. Who waits in vain is told to start another.
func (p *Pool) openedLocked(m *member, ok bool) {
	sh := m.shelf
	sh.opening--
	if ok && m.content == sh.group.content {
		for m.used < m.slots && len(sh.waiters) > 0 {
			m.used++
			sh.nextWaiter() <- m
		}
		sh.offer(m)
	}
	for len(sh.waiters) > sh.opening*(m.slots-1) {
		sh.nextWaiter() <- nil
	}
}

// nextWaiter takes the first who waits.
func (sh *shelf) nextWaiter() chan *member {
	ch := sh.waiters[0]
	sh.waiters = append(sh.waiters[:0], sh.waiters[1:]...)
	return ch
}
