package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
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

// launch makes m's environment. Where the system has no descriptor or process
// left for it, idle ones are evicted as for memory: it is the host that is full
// then, not the function that is broken.
func (p *Pool) launch(ctx context.Context, m *member, v *function.Version) error {
	if err := p.makeRoom(); err != nil {
		return err
	}
	for {
		env, err := p.cfg.Launch(context.WithoutCancel(ctx), v, func() { p.released(m) })
		if err == nil {
			m.env = env
			return nil
		}
		if !exhausted(err) {
			return err
		}
		if !p.evictOldest() {
			return noRoom(err)
		}
	}
}

// noRoom tells the caller to come again.
func noRoom(err error) error {
	return &ThrottledError{Reason: reasonConcurrency, RetryAfter: time.Second,
		Detail: fmt.Sprintf("this machine has no room for another environment: %v", err)}
}

// exhausted tells whether a limit of this process, of its user or of the
// system is reached: open files (ulimit -n) or processes (ulimit -u).
func exhausted(err error) bool {
	for _, full := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EAGAIN} {
		if errors.Is(err, full) {
			return true
		}
	}
	return false
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
		if !p.evictOldest() {
			return &ThrottledError{Reason: reasonConcurrency, RetryAfter: time.Second,
				Detail: "the host's available memory is under the reserve"}
		}
	}
}

// evictOldest closes the least recently used idle environment; false when
// there is none.
func (p *Pool) evictOldest() bool {
	m := p.takeOldestIdle()
	if m == nil {
		return false
	}
	if err := m.env.Close(); err != nil {
		p.cfg.Log.Warn("evicted environment did not close cleanly", "err", err)
	}
	return true
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
