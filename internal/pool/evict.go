package pool

import (
	"time"
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
		n := 0 // the longest idle come first
		for n < len(g.idle) && !g.idle[n].since.After(before) {
			p.dropLocked(g.idle[n])
			n++
		}
		g.idle = append(g.idle[:0], g.idle[n:]...)
		if len(g.idle) == 0 && len(g.busy) == 0 && g.starting == 0 && len(g.waiters) == 0 {
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
	var oldest *group
	for _, g := range p.groups {
		if len(g.idle) > 0 && (oldest == nil || g.idle[0].since.Before(oldest.idle[0].since)) {
			oldest = g
		}
	}
	if oldest == nil {
		return nil
	}
	m := oldest.idle[0]
	oldest.idle = append(oldest.idle[:0], oldest.idle[1:]...)
	delete(p.members, m)
	return m
}
