package pool

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/lambhq/lamb/internal/execenv"
)

// Stats counts what the pool has.
type Stats struct {
	// Starting are being made, Busy ones initialise, run or finish an
	// invocation, Idle ones wait for one.
	Starting, Busy, Idle int
	// Frozen are those of the idle ones whose processes are stopped.
	Frozen int
	// MemoryUsedBytes is the sum of the high-water marks of the busy and the
	// idle ones, as they were last read.
	MemoryUsedBytes int64
	// MemoryMB is the sum of what the busy and the idle ones are configured to
	// use at most.
	MemoryMB int64
	// Started is the number of environments ever started.
	Started int64
}

// Stats returns the present counts.
func (p *Pool) Stats() Stats {
	s := Stats{}
	for _, view := range p.Environments() {
		if view.Frozen {
			s.Frozen++
		}
		s.MemoryUsedBytes += view.MaxMemoryUsedBytes
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Started = p.cold
	for _, g := range p.groups {
		for _, sh := range g.shelves {
			s.Starting += sh.starting
			s.Idle += len(sh.idle)
		}
	}
	s.Busy = len(p.members) - s.Idle
	for m := range p.members {
		s.MemoryMB += int64(m.memoryMB)
	}
	return s
}

// View is one environment, for operators.
type View struct {
	execenv.State
	// TenantID is the only tenant that it serves; empty without tenant isolation.
	TenantID string `json:"tenantId,omitempty"`
}

// Environments lists the environments there are, the oldest first.
func (p *Pool) Environments() []View {
	p.mu.Lock()
	members := slices.Collect(maps.Keys(p.members))
	p.mu.Unlock()
	views := make([]View, 0, len(members))
	for _, m := range members { // a shelf's tenant never changes
		views = append(views, View{m.env.State(), m.shelf.tenant})
	}
	slices.SortFunc(views, func(a, b View) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return views
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
