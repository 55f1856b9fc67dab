package pool

import "github.com/lambhq/lamb/internal/function"

// awaitLocked waits for an environment that is about to be free; it unlocks mu
// meanwhile. Without one and without an error, one is to be started. The
// invocation is admitted, if need be beyond the limit, because the one that is
// about to end counts still; on an error that is taken back.
func (p *Pool) awaitLocked(g *group, scope function.Scope) (*Slot, error) {
	wanted := g.content
	ch := make(chan *member, 1)
	g.waiters = append(g.waiters, ch)
	p.mu.Unlock()
	free := p.await(g, ch)
	p.mu.Lock()
	if free != nil {
		return &Slot{pool: p, member: free}, nil
	}
	if p.inflight[scope] > p.cfg.Limit {
		p.unadmitLocked(scope)
		return nil, errLimit()
	}
	if g.content == wanted {
		if idle := g.takeIdle(); idle != nil {
			return &Slot{pool: p, member: idle}, nil
		}
	}
	return nil, nil
}

// await waits for an environment that is about to be free.
func (p *Pool) await(g *group, ch chan *member) *member {
	grace := p.cfg.Clock.NewTimer(p.cfg.FinishGrace)
	defer grace.Stop()
	select {
	case m := <-ch:
		return m
	case <-grace.C():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, w := range g.waiters {
		if w == ch {
			g.waiters = append(g.waiters[:i], g.waiters[i+1:]...)
			return nil
		}
	}
	return <-ch // it was given while the timer fired
}

// worthWaiting reports whether an environment is about to be free that nobody
// waits for yet.
func (g *group) worthWaiting() bool {
	n := 0
	for m := range g.busy {
		if m.env.Finishing() {
			if n++; n > len(g.waiters) {
				return true
			}
		}
	}
	return false
}
