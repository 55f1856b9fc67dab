package lambdatest

import (
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/clock/clocktest"
)

// Clock is a time that stands until the test moves it: the environment's
// timeouts, limits, deadlines and telemetry run by it. Programs have their own
// clocks; a deadline that they are told is in this one's time, so it should
// start at the present where they look at it.
type Clock struct {
	fake *clocktest.Fake
}

// NewClock makes a clock that stands at start; the present if start is zero.
func NewClock(start time.Time) *Clock {
	if start.IsZero() {
		start = time.Now()
	}
	return &Clock{fake: clocktest.New(start)}
}

// Now is its time.
func (c *Clock) Now() time.Time { return c.fake.Now() }

// Advance moves the time on, at a jump, and fires what has become due.
func (c *Clock) Advance(d time.Duration) { c.fake.Advance(d) }

// run lets the time go on until stop is called.
func (c *Clock) run() (stop func()) {
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		last := time.Now()
		for {
			select {
			case <-done:
				return
			case now := <-ticker.C:
				c.Advance(now.Sub(last))
				last = now
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

// tick is how often a clock that runs is moved on.
const tick = 10 * time.Millisecond

// WaitTimers waits until at least n of the environment's timers run: an
// invocation in flight has one for its timeout, an init one for its limit.
func (c *Clock) WaitTimers(n int) { c.fake.WaitTimers(n) }
