package pool

import (
	"slices"
	"time"

	"github.com/lambhq/lamb/internal/function"
)

// admitLocked counts one more invocation in flight. At the limit it waits for
// one that has answered to be over, if there is one; it unlocks mu meanwhile.
func (p *Pool) admitLocked(s function.Scope) error {
	if p.closed {
		return ErrClosed
	}
	if p.inflight[s] < p.cfg.Limit {
		p.inflight[s]++
		p.total++
		return nil
	}
	if p.inflight[s]-p.finishingLocked(s)+len(p.queues[s]) >= p.cfg.Limit {
		return errLimit()
	}
	admitted := make(chan struct{})
	p.queues[s] = append(p.queues[s], admitted)
	p.mu.Unlock()
	grace := p.cfg.Clock.NewTimer(p.cfg.FinishGrace)
	select {
	case <-admitted:
	case <-grace.C():
	}
	grace.Stop()
	p.mu.Lock()
	if i := slices.Index(p.queues[s], admitted); i >= 0 {
		p.setQueueLocked(s, slices.Delete(p.queues[s], i, i+1))
		return errLimit()
	}
	return nil
}

// unadmitLocked counts one less; who has waited longest takes its place.
func (p *Pool) unadmitLocked(s function.Scope) {
	if queue := p.queues[s]; len(queue) > 0 {
		close(queue[0])
		p.setQueueLocked(s, slices.Delete(queue, 0, 1))
		return
	}
	if p.inflight[s]--; p.inflight[s] == 0 {
		delete(p.inflight, s)
	}
	p.total--
	if p.closed && p.total == 0 {
		close(p.drained)
	}
}

func (p *Pool) setQueueLocked(s function.Scope, queue []chan struct{}) {
	if len(queue) == 0 {
		delete(p.queues, s)
		return
	}
	p.queues[s] = queue
}

// finishingLocked counts the invocations that have answered and are about to
// be over. Only who meets the limit asks, so it need not be kept.
func (p *Pool) finishingLocked(s function.Scope) (n int) {
	for m := range p.members {
		if m.scope == s && m.env.Finishing() {
			n++
		}
	}
	return n
}

func errLimit() error {
	return &ThrottledError{Reason: reasonConcurrency, RetryAfter: time.Second,
		Detail: "the account's concurrency limit is reached"}
}
