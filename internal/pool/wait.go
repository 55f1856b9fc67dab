package pool

// takeLocked takes an idle environment of a group, or one that is about to be
// free; it unlocks mu while it waits for that. Without one, one is to be
// started.
func (p *Pool) takeLocked(g *group) *member {
	if idle := g.takeIdle(); idle != nil || !g.worthWaiting() {
		return idle
	}
	wanted := g.content
	ch := make(chan *member, 1)
	g.waiters = append(g.waiters, ch)
	p.mu.Unlock()
	free := p.await(g, ch)
	p.mu.Lock()
	if free == nil && g.content == wanted {
		free = g.takeIdle()
	}
	return free
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

// takeIdle takes the most recently used idle environment.
func (g *group) takeIdle() *member {
	n := len(g.idle)
	if n == 0 {
		return nil
	}
	m := g.idle[n-1]
	g.idle[n-1] = nil
	g.idle = g.idle[:n-1]
	g.busy[m] = struct{}{}
	return m
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
