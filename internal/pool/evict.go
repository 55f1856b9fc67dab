package pool

import (
	"slices"
	"time"

	"github.com/lambhq/lamb/internal/function"
)

// reap closes environments that have been idle for longer than KeepAlive.
func (p *Pool) reap() {
	for {
		t := p.cfg.Clock.NewTimer(p.cfg.KeepAlive / 4)
		select {
		case <-p.stop:
			t.Stop()
			return
		case <-t.C():
			p.reapOnce(p.cfg.Clock.Now().Add(-p.cfg.KeepAlive))
		}
	}
}

// reapOnce closes what has been idle since before the given time. Groups that
// have nothing left are forgotten.
func (p *Pool) reapOnce(before time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for gk, g := range p.groups {
		for _, sh := range g.shelves {
			n := 0 // the longest idle come first
			for n < len(sh.idle) && !sh.idle[n].since.After(before) {
				p.dropLocked(sh.idle[n])
				n++
			}
			sh.idle = slices.Delete(sh.idle, 0, n)
			sh.tidy()
		}
		if len(g.shelves) == 0 {
			delete(p.groups, gk)
		}
	}
}

// makeRoom returns when the host has memory for another environment: it
// evicts idle ones, least recently used first, and throttles when none is
// left. What counts is what the host has available, not what functions are
// configured to use at most.
func (p *Pool) makeRoom() error {
	if p.cfg.AvailableMemory == nil {
		return nil
	}
	for {
		available, err := p.cfg.AvailableMemory()
		if err != nil || available >= p.cfg.MemoryReserve {
			return nil
		}
		m := p.takeOldestIdle()
		if m == nil {
			return &ThrottledError{Reason: reasonConcurrency, RetryAfter: time.Second,
				Detail: "the host's available memory is under the reserve"}
		}
		if err := m.env.Close(); err != nil {
			p.cfg.Log.Warn("evicted environment did not close cleanly", "err", err)
		}
	}
}

// takeOldestIdle removes the least recently used idle environment.
func (p *Pool) takeOldestIdle() *member {
	p.mu.Lock()
	defer p.mu.Unlock()
	var oldest *shelf
	for _, g := range p.groups {
		for _, sh := range g.shelves {
			oldest = longerIdle(oldest, sh)
		}
	}
	if oldest == nil {
		return nil
	}
	m := oldest.takeOldest()
	delete(p.members, m)
	return m
}

// tenantsPerLimit is how many environments of tenants there may be, idle ones
// included, for each invocation that may be in flight: AWS has 2,500 for an
// account's 1,000.
const tenantsPerLimit = 2.5

// boundTenantsLocked makes room for a start on a tenant's shelf that has been
// counted. There always is some: what is busy or starts has been admitted, and
// so is less than the bound. Only starts ask, so nothing of this need be kept.
func (p *Pool) boundTenantsLocked(scope function.Scope) {
	for {
		n := 0
		var oldest *shelf
		for gk, g := range p.groups {
			if gk.key.Scope() != scope {
				continue
			}
			for tenant, sh := range g.shelves {
				if tenant != "" {
					n += len(sh.idle) + len(sh.busy) + sh.starting
					oldest = longerIdle(oldest, sh)
				}
			}
		}
		if oldest == nil || n <= int(tenantsPerLimit*float64(p.cfg.Limit)) {
			return
		}
		p.dropLocked(oldest.takeOldest())
	}
}
