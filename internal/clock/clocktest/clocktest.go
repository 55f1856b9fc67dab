// Package clocktest is a clock for tests that moves only when told to.
package clocktest

import (
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/clock"
)

// Fake is a clock.Clock whose time is set by the test.
type Fake struct {
	mu      sync.Mutex
	changed *sync.Cond
	now     time.Time
	timers  map[*fakeTimer]struct{}
}

var _ clock.Clock = (*Fake)(nil)

// New returns a clock that stands at start.
func New(start time.Time) *Fake {
	f := &Fake{now: start, timers: make(map[*fakeTimer]struct{})}
	f.changed = sync.NewCond(&f.mu)
	return f
}

// Now implements clock.Clock.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// NewTimer implements clock.Clock.
func (f *Fake) NewTimer(d time.Duration) clock.Timer {
	return f.add(d, nil)
}

// AfterFunc implements clock.Clock; Advance calls fn in its own goroutine.
func (f *Fake) AfterFunc(d time.Duration, fn func()) clock.Timer {
	return f.add(d, fn)
}

func (f *Fake) add(d time.Duration, fn func()) *fakeTimer {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := &fakeTimer{f: f, at: f.now.Add(d), fn: fn}
	if fn == nil {
		t.c = make(chan time.Time, 1)
	}
	f.timers[t] = struct{}{}
	f.fireLocked()
	f.changed.Broadcast()
	return t
}

// Advance moves the time on and fires what has become due.
func (f *Fake) Advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
	f.fireLocked()
	f.changed.Broadcast()
}

// WaitTimers blocks until at least n timers are pending, so that a test can
// advance the clock only when the code under test waits for it.
func (f *Fake) WaitTimers(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.timers) < n {
		f.changed.Wait()
	}
}

func (f *Fake) fireLocked() {
	for t := range f.timers {
		if t.at.After(f.now) {
			continue
		}
		delete(f.timers, t)
		if t.fn != nil {
			go t.fn()
		} else {
			t.c <- f.now
		}
	}
}

type fakeTimer struct {
	f  *Fake
	at time.Time
	c  chan time.Time
	fn func()
}

func (t *fakeTimer) C() <-chan time.Time { return t.c }

func (t *fakeTimer) Stop() bool {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	_, pending := t.f.timers[t]
	delete(t.f.timers, t)
	return pending
}
