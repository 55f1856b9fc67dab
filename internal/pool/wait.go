package pool

import "slices"

// takeLocked takes an idle environment of a shelf, or one that is about to be
// free; it unlocks mu while it waits for that. Without one, one is to be
// started: the shelf is still the version's, but may be empty.
func (p *Pool) takeLocked(sh *shelf, slots int) *member {
	opens := sh.opensFor(slots)
	if idle := sh.takeIdle(); idle != nil || !opens && !sh.worthWaiting() {
		return idle
	}
	wanted := sh.group.content
	ch := make(chan *member, 1)
	sh.waiters = append(sh.waiters, ch)
	p.mu.Unlock()
	if opens { // its start comes to an end, and tells
		m := <-ch
		p.mu.Lock()
		return m
	}
	grace := p.cfg.Clock.NewTimer(p.cfg.FinishGrace)
	defer grace.Stop()
	select {
	case m := <-ch:
		p.mu.Lock()
		return m
	case <-grace.C():
	}
	p.mu.Lock()
	i := slices.Index(sh.waiters, ch)
	if i < 0 {
		return <-ch // it was given while the timer fired
	}
	sh.waiters = slices.Delete(sh.waiters, i, i+1)
	if sh.group.content != wanted {
		return nil
	}
	return sh.takeIdle()
}
