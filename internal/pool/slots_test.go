package pool

import (
	"context"
	"errors"
	"testing"

	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/function"
)

func manyVersion(name string, most int) *function.Version {
	v := version(name, "a")
	v.Config.MaxConcurrency = most
	return v
}

// TestSlots: one environment serves as many as it can; then another starts.
func TestSlots(t *testing.T) {
	f := newFixture(t, nil)
	v := manyVersion("f", 3)
	a := f.acquire(v)
	for range 2 {
		if e := f.acquire(v); e != a {
			t.Errorf("got %s, want %s", e.name, a.name)
		}
	}
	b := f.acquire(v)
	if b == a {
		t.Fatal("a fourth invocation in an environment of three")
	}
	a.released()
	b.released() // idle: what is busy already is used first
	if e := f.acquire(v); e != a {
		t.Errorf("got %s, want %s", e.name, a.name)
	}
	for range 3 {
		a.released()
	}
	if s := f.Stats(); s.Idle != 2 || s.Busy != 0 || s.Started != 2 {
		t.Errorf("stats %+v", s)
	}
	a.released() // one too many changes nothing
	if n := f.inflight[v.Key.Scope()]; n != 0 {
		t.Errorf("%d in flight", n)
	}
}

// TestSlotsWhileStarting: who comes while an environment starts waits for it.
func TestSlotsWhileStarting(t *testing.T) {
	for _, fails := range []bool{false, true} {
		starting, goOn := make(chan struct{}, 10), make(chan struct{})
		var f *fixture
		f = newFixture(t, func(c *Config) {
			c.Launch = func(ctx context.Context, v *function.Version, released func()) (Environment, error) {
				first := len(f.all()) == 0
				e, err := f.launch(ctx, v, released)
				if first {
					starting <- struct{}{}
					<-goOn
					if fails {
						_ = e.Close()
						return nil, errors.New("no")
					}
				}
				return e, err
			}
		})
		v := manyVersion("f", 3)
		got := make(chan *Slot, 10)
		take := func() {
			s, err := f.Acquire(context.Background(), v, "")
			if (err != nil) && !fails {
				t.Errorf("Acquire: %v", err)
			}
			got <- s
		}
		go take()
		<-starting
		go take()
		go take()
		f.waitWaiters(v, 2)
		close(goOn)
		envs := make(map[Environment]int)
		for range 3 {
			if s := <-got; s != nil {
				envs[s.member.env]++
			}
		}
		if !fails && len(envs) != 1 {
			t.Errorf("three slots are in %d environments", len(envs))
		}
		total := 0
		for _, n := range envs {
			total += n
		}
		if want := map[bool]int{false: 3, true: 2}[fails]; total != want {
			t.Errorf("fails %v: %d slots, want %d", fails, total, want)
		}
	}
}

// TestSlotsOfDiscarded: who finds an environment useless gives up all of its
// slots, once.
func TestSlotsOfDiscarded(t *testing.T) {
	f := newFixture(t, nil)
	v := manyVersion("f", 3)
	first, _ := f.Acquire(context.Background(), v, "")
	second, _ := f.Acquire(context.Background(), v, "")
	e := first.member.env.(*fakeEnv)
	e.invokeErr = execenv.ErrDuplicateInvokeID
	if err := first.Invoke(nil); !errors.Is(err, execenv.ErrDuplicateInvokeID) || e.isClosed() {
		t.Errorf("a refused invocation: %v, closed %v", err, e.isClosed())
	}
	e.invokeErr = execenv.ErrUnhealthy
	if err := second.Invoke(nil); !errors.Is(err, execenv.ErrClosed) {
		t.Errorf("%v", err)
	}
	<-e.closed
	second.Discard()
	e.released()
	if n := f.inflight[v.Key.Scope()]; n != 0 {
		t.Errorf("%d in flight", n)
	}
	if other := f.acquire(v); other == e {
		t.Error("the useless environment is used again")
	}
}

// TestSlotsOfOldContent: slots of what has changed are not given any more.
func TestSlotsOfOldContent(t *testing.T) {
	f := newFixture(t, nil)
	v := manyVersion("f", 3)
	a := f.acquire(v)
	f.acquire(v)
	changed := manyVersion("f", 2)
	f.Changed(v.Key, v.Version, changed)
	if e := f.acquire(changed); e == a {
		t.Error("got a slot of the old content")
	}
	a.released()
	if a.isClosed() {
		t.Error("closed under its last invocation")
	}
	a.released()
	<-a.closed
}
