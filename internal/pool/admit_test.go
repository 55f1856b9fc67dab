package pool

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/lambhq/lamb/internal/function"
)

func TestLimit(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Limit = 1 })
	v := version("f", "a")
	a := f.acquire(v)
	_, err := f.Acquire(context.Background(), v, "")
	var throttled *ThrottledError
	if !errors.As(err, &throttled) || throttled.Reason != "ConcurrentInvocationLimitExceeded" || throttled.RetryAfter <= 0 {
		t.Fatalf("second Acquire: %v", err)
	}
	other := version("g", "a")
	other.Key.Region = "r2"
	f.acquire(other) // limits are per account and region
	a.released()
	f.acquire(v)
}

// TestLimitWaitsForFinishing: a client that calls one after the other is not
// throttled because the runtime has yet to ask for its next event.
func TestLimitWaitsForFinishing(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Limit = 1 })
	v := version("f", "a")
	a := f.acquire(v)
	a.setFinishing(true)
	got := make(chan error, 1)
	second := func() {
		s, err := f.Acquire(context.Background(), v, "")
		if err == nil && s.member.env != Environment(a) {
			err = fmt.Errorf("got %s", s.member.env.(*fakeEnv).name)
		}
		got <- err
	}
	go second()
	f.waitQueue(v, 1)
	if _, err := f.Acquire(context.Background(), v, ""); !isThrottled(err) {
		t.Errorf("a third Acquire beside one that waits: %v, want a throttle", err)
	}
	a.released()
	if err := <-got; err != nil {
		t.Errorf("second Acquire: %v", err)
	}

	a.setFinishing(true)
	go second()
	f.clock.WaitTimers(2) // the reaper's and the grace
	f.clock.Advance(DefaultFinishGrace)
	if err := <-got; !isThrottled(err) {
		t.Errorf("Acquire after the grace: %v, want a throttle", err)
	}
	a.released()
	if e := f.acquire(v); e != a {
		t.Errorf("got %s, want %s", e.name, a.name)
	}
}

func isThrottled(err error) bool {
	var throttled *ThrottledError
	return errors.As(err, &throttled)
}

// waitQueue returns when n callers wait to be admitted to v's account.
func (f *fixture) waitQueue(v *function.Version, n int) {
	f.t.Helper()
	f.await(n, func() int { return len(f.queues[v.Key.Scope()]) })
}

// TestLimitWaitsForAnother: a client that calls two functions in turn is not
// throttled by its own last call either. Nobody waits beside it for the same
// place, and what is idle is no reason to wait or to refuse.
func TestLimitWaitsForAnother(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Limit = 2 })
	one, two, three := version("one", "a"), version("two", "a"), version("three", "a")
	f.acquire(three).released() // idle from now on
	stays := f.acquire(two)
	for round := range 3 {
		a := f.acquire(one)
		if _, err := f.Acquire(context.Background(), two, ""); !isThrottled(err) {
			t.Fatalf("Acquire while nothing ends: %v, want a throttle", err)
		}
		a.setFinishing(true)
		got := make(chan *fakeEnv)
		go func() { got <- f.acquire(two) }()
		f.waitQueue(two, 1)
		for _, v := range []*function.Version{one, two, three} {
			if _, err := f.Acquire(context.Background(), v, ""); !isThrottled(err) {
				t.Errorf("Acquire of %s beside one that waits: %v, want a throttle", v.Key.Name, err)
			}
		}
		a.released()
		b := <-got
		if b == stays || b == a {
			t.Fatalf("got %s, which is busy or another function's", b.name)
		}
		if _, err := f.Acquire(context.Background(), one, ""); !isThrottled(err) {
			t.Errorf("the place was given away twice: %v", err)
		}
		b.released()
		if s := f.Stats(); s.Started != 4 || s.Busy != 1 {
			t.Errorf("round %d: %+v", round, s)
		}
	}
}

// TestCloseServesQueue: what waits at the limit is served, or told of the end,
// but not forgotten.
func TestCloseServesQueue(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Limit = 1 })
	v, w := version("f", "a"), version("g", "a")
	a := f.acquire(v)
	a.setFinishing(true)
	got := make(chan error, 1)
	go func() {
		_, err := f.Acquire(context.Background(), w, "")
		got <- err
	}()
	f.waitQueue(v, 1)
	closed := make(chan error, 1)
	go func() { closed <- f.Close(context.Background()) }()
	<-f.stop
	a.released()
	if err := <-got; !errors.Is(err, ErrClosed) {
		t.Errorf("Acquire: %v, want ErrClosed: a start is no use any more", err)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
}
