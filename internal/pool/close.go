package pool

import "context"

// Stats counts what the pool has.
type Stats struct {
	Idle, Busy int
	// Started is the number of environments ever started.
	Started int64
}

// Stats returns the present counts.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Stats{Started: p.cold}
	for _, g := range p.groups {
		s.Idle += len(g.idle)
	}
	s.Busy = len(p.members) - s.Idle
	return s
}

// Close stops admitting, waits until the invocations in flight are over or
// ctx ends, and closes every environment. The error is ctx's when
// invocations were cut off.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	close(p.stop)
	if p.total == 0 {
		close(p.drained)
	}
	p.mu.Unlock()

	var err error
	select {
	case <-p.drained:
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.mu.Lock()
	for m := range p.members {
		p.dropLocked(m)
	}
	p.mu.Unlock()
	p.wg.Wait()
	return err
}
