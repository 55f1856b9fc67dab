package pool

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lambhq/lamb/internal/clock/clocktest"
	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/function"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeEnv is an environment whose state the test sets.
type fakeEnv struct {
	name     string
	released func()
	initErr  error

	invokeErr error

	mu        sync.Mutex
	finishing bool
	closed    chan struct{}
}

func (e *fakeEnv) Init() (execenv.InitResult, error) { return execenv.InitResult{}, e.initErr }
func (e *fakeEnv) Invoke(*execenv.Invocation) error  { return e.invokeErr }
func (e *fakeEnv) Close() error                      { close(e.closed); return nil }
func (e *fakeEnv) State() execenv.State              { return execenv.State{ID: e.name} }
func (e *fakeEnv) Freed()                            { e.setFinishing(false) }
func (e *fakeEnv) Finishing() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.finishing
}
func (e *fakeEnv) setFinishing(b bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.finishing = b
}
func (e *fakeEnv) isClosed() bool {
	select {
	case <-e.closed:
		return true
	default:
		return false
	}
}

// fixture is a pool with a fake clock that launches fake environments.
type fixture struct {
	*Pool
	t     *testing.T
	clock *clocktest.Fake

	mu   sync.Mutex
	envs []*fakeEnv
	fail error
}

func newFixture(t *testing.T, change func(*Config)) *fixture {
	f := &fixture{t: t, clock: clocktest.New(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))}
	cfg := Config{Clock: f.clock, Launch: f.launch}
	if change != nil {
		change(&cfg)
	}
	f.Pool = New(cfg)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // what a test leaves in flight is cut off
		_ = f.Pool.Close(ctx)
		for _, e := range f.all() {
			if !e.isClosed() {
				t.Errorf("environment %s was not closed with the pool", e.name)
			}
		}
	})
	return f
}

func (f *fixture) launch(_ context.Context, v *function.Version, released func()) (Environment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return nil, f.fail
	}
	e := &fakeEnv{name: fmt.Sprintf("%s-%d", v.Key.Name, len(f.envs)), released: released, closed: make(chan struct{})}
	f.envs = append(f.envs, e)
	return e, nil
}

func (f *fixture) all() []*fakeEnv {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*fakeEnv(nil), f.envs...)
}

func (f *fixture) acquire(v *function.Version) *fakeEnv {
	f.t.Helper()
	s, err := f.Acquire(context.Background(), v, "")
	if err != nil {
		f.t.Fatalf("Acquire: %v", err)
	}
	return s.member.env.(*fakeEnv)
}

func version(name, sha string) *function.Version {
	return &function.Version{Key: function.Key{Account: "1", Region: "r", Name: name}, Version: function.Latest,
		Code: function.Code{SHA256: sha}}
}

func TestMostRecentlyUsedFirst(t *testing.T) {
	f := newFixture(t, nil)
	v := version("f", "a")
	a, b := f.acquire(v), f.acquire(v)
	a.released()
	b.released()
	if got := f.acquire(v); got != b {
		t.Errorf("got %s, want the last released %s", got.name, b.name)
	}
	if got := f.acquire(v); got != a {
		t.Errorf("got %s, want %s", got.name, a.name)
	}
	if s := f.Stats(); s.Started != 2 || s.Busy != 2 || s.Idle != 0 {
		t.Errorf("stats %+v", s)
	}
}

// TestWaitsForFinishing: an environment that has answered is worth waiting
// for, so a sequential client never has a second one.
func TestWaitsForFinishing(t *testing.T) {
	f := newFixture(t, nil)
	v := version("f", "a")
	a := f.acquire(v)
	a.setFinishing(true)
	got := make(chan *fakeEnv)
	go func() { got <- f.acquire(v) }()
	f.clock.WaitTimers(2) // the reaper's and the grace
	a.released()
	if e := <-got; e != a {
		t.Errorf("got %s, want %s", e.name, a.name)
	}
	if a.Finishing() {
		t.Error("the environment was not told that it is known to be free")
	}
}

func TestGraceEnds(t *testing.T) {
	f := newFixture(t, nil)
	v := version("f", "a")
	a := f.acquire(v)
	a.setFinishing(true)
	got := make(chan *fakeEnv)
	go func() { got <- f.acquire(v) }()
	f.clock.WaitTimers(2)
	f.clock.Advance(DefaultFinishGrace)
	if e := <-got; e == a {
		t.Error("got an environment that was not free")
	}
	a.released()
	if s := f.Stats(); s.Idle != 1 || s.Busy != 1 {
		t.Errorf("stats %+v", s)
	}
}

// waitWaiters returns when n callers wait for an environment of v.
func (f *fixture) waitWaiters(v *function.Version, n int) {
	f.t.Helper()
	f.await(n, func() int { return len(f.groupLocked(v).shelfOf("").waiters) })
}

func (f *fixture) await(n int, countLocked func() int) {
	f.t.Helper()
	waiting := func() int {
		f.Pool.mu.Lock()
		defer f.Pool.mu.Unlock()
		return countLocked()
	}
	for deadline := time.Now().Add(10 * time.Second); waiting() != n; runtime.Gosched() {
		if time.Now().After(deadline) {
			f.t.Fatalf("%d callers wait, want %d", waiting(), n)
		}
	}
}

// TestCloseServesWaiters: who was admitted before Close is served.
func TestCloseServesWaiters(t *testing.T) {
	f := newFixture(t, nil)
	v := version("f", "a")
	a := f.acquire(v)
	a.setFinishing(true)
	got := make(chan error, 1)
	go func() {
		_, err := f.Acquire(context.Background(), v, "")
		got <- err
	}()
	f.waitWaiters(v, 1)
	closed := make(chan error, 1)
	go func() { closed <- f.Close(context.Background()) }()
	<-f.stop
	a.released()
	if err := <-got; err != nil {
		t.Errorf("Acquire: %v", err)
	}
	a.released()
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
}

// TestChangedBeforeFirstUse: an invocation that looked its version up before a
// change must not make the pool take the old version for the current one.
func TestChangedBeforeFirstUse(t *testing.T) {
	for _, deleted := range []bool{false, true} {
		f := newFixture(t, nil)
		old, current := version("f", "a"), version("f", "b")
		if deleted {
			f.Changed(old.Key, old.Version, nil)
		} else {
			f.Changed(current.Key, current.Version, current)
		}
		stale := f.acquire(old)
		stale.released()
		<-stale.closed
		if deleted {
			f.Changed(current.Key, current.Version, current)
		}
		a := f.acquire(current)
		a.released()
		if e := f.acquire(current); e != a {
			t.Errorf("deleted %v: got %s, want %s again", deleted, e.name, a.name)
		}
	}
}

func TestChangedContentRetires(t *testing.T) {
	f := newFixture(t, nil)
	v := version("f", "a")
	idle, busy := f.acquire(v), f.acquire(v)
	idle.released()
	same := version("f", "a")
	same.RevisionID = "another" // the record changed, what it runs did not
	f.Changed(same.Key, same.Version, same)
	if e := f.acquire(same); e != idle {
		t.Fatalf("an unchanged version got %s", e.name)
	}
	idle.released()

	changed := version("f", "b")
	f.Changed(changed.Key, changed.Version, changed)
	<-idle.closed
	if e := f.acquire(changed); e == busy || e == idle {
		t.Error("new code got an old environment")
	}
	busy.released()
	<-busy.closed
}

// TestStaleVersionIsNotKept: a version that was looked up before a change
// still runs, but its environment serves nobody else.
func TestStaleVersionIsNotKept(t *testing.T) {
	f := newFixture(t, nil)
	f.acquire(version("f", "b")).released()
	stale := f.acquire(version("f", "a"))
	stale.released()
	<-stale.closed
}

func TestDeleted(t *testing.T) {
	f := newFixture(t, nil)
	v := version("f", "a")
	idle, busy := f.acquire(v), f.acquire(v)
	idle.released()
	f.Changed(v.Key, v.Version, nil)
	<-idle.closed
	busy.released()
	<-busy.closed
	if s := f.Stats(); s.Idle != 0 || s.Busy != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestReap(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.KeepAlive = 4 * time.Minute })
	v := version("f", "a")
	old, young, busy := f.acquire(v), f.acquire(v), f.acquire(v)
	old.released()
	f.clock.Advance(3 * time.Minute)
	f.clock.WaitTimers(1)
	young.released()
	f.clock.Advance(time.Minute)
	<-old.closed
	if young.isClosed() || busy.isClosed() {
		t.Error("closed too much")
	}
	if e := f.acquire(v); e != young {
		t.Errorf("got %s, want %s", e.name, young.name)
	}
}

func TestMemoryEvictsThenThrottles(t *testing.T) {
	free := int64(100)
	f := newFixture(t, func(c *Config) {
		c.MemoryReserve = 50
		c.AvailableMemory = func() (int64, error) { return free, nil }
	})
	oldest := f.acquire(version("f", "a"))
	younger := f.acquire(version("g", "a"))
	oldest.released()
	f.clock.Advance(time.Second)
	younger.released()
	free = 10
	_, err := f.Acquire(context.Background(), version("h", "a"), "")
	var throttled *ThrottledError
	if !errors.As(err, &throttled) {
		t.Fatalf("Acquire under the reserve: %v", err)
	}
	if !oldest.isClosed() || !younger.isClosed() {
		t.Error("idle environments were kept while memory was short")
	}
	free = 100
	f.acquire(version("h", "a")) // what was throttled is not still counted
}

func TestLaunchFailureIsNotCounted(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Limit = 1 })
	f.fail = errors.New("no")
	if _, err := f.Acquire(context.Background(), version("f", "a"), ""); !errors.Is(err, f.fail) {
		t.Fatalf("got %v", err)
	}
	f.fail = nil
	f.acquire(version("f", "a"))
}

func TestCloseDrains(t *testing.T) {
	f := newFixture(t, nil)
	v := version("f", "a")
	idle, busy := f.acquire(v), f.acquire(v)
	idle.released()
	done := make(chan error)
	go func() { done <- f.Close(context.Background()) }()
	for { // until Close has begun
		if _, err := f.Acquire(context.Background(), version("g", "a"), ""); errors.Is(err, ErrClosed) {
			break
		} else if err == nil {
			f.all()[len(f.all())-1].released()
		}
	}
	select {
	case <-done:
		t.Fatal("Close did not wait for the invocation in flight")
	default:
	}
	busy.released()
	if err := <-done; err != nil {
		t.Errorf("Close: %v", err)
	}
}

// TestRace acquires, releases, changes and closes at once; the race detector
// and the fixture's cleanup are the judges.
func TestRace(t *testing.T) {
	t.Run("Free", func(t *testing.T) { race(t, DefaultLimit) })
	t.Run("Limited", func(t *testing.T) { race(t, 3) })
}

func race(t *testing.T, limit int) {
	f := newFixture(t, func(c *Config) { c.Limit, c.Clock = limit, nil })
	versions := []*function.Version{version("f", "a"), version("f", "b"), version("g", "a")}
	var wg sync.WaitGroup
	var throttled atomic.Int64
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				v := versions[(i+j)%len(versions)]
				tenant := ""
				if v.Key.Name == "g" {
					tenant = fmt.Sprint(j % 5)
				}
				s, err := f.Acquire(context.Background(), v, tenant)
				if limit < 8 && isThrottled(err) {
					throttled.Add(1)
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if j%7 == 0 {
					f.Changed(v.Key, v.Version, versions[(i+j+1)%2])
				}
				if j%11 == 0 {
					s.Discard()
					continue
				}
				env := s.member.env.(*fakeEnv)
				env.setFinishing(true)
				runtime.Gosched() // for others to wait for it
				env.released()
			}
		})
	}
	wg.Wait()
	f.reapOnce(time.Now())
	f.Pool.mu.Lock()
	defer f.Pool.mu.Unlock()
	for m := range f.members {
		if _, busy := m.shelf.busy[m]; busy {
			t.Error("an environment is busy for nobody")
		}
	}
	for _, g := range f.groups {
		if len(g.shelves) > 0 {
			t.Errorf("shelves are left: %v", g.shelves)
		}
	}
	if f.total != 0 || len(f.inflight) > 0 || len(f.queues) > 0 {
		t.Errorf("counted are still %d, %v, %v", f.total, f.inflight, f.queues)
	}
	if served := 8*200 - throttled.Load(); served < 100 {
		t.Errorf("only %d were served", served)
	}
}

// TestEnvironments lists what there is, with its tenant.
func TestEnvironments(t *testing.T) {
	f := newFixture(t, nil)
	v := version("f", "1")
	for _, tenant := range []string{"", "blue"} {
		if _, err := f.Acquire(t.Context(), v, tenant); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]string{}
	for _, view := range f.Environments() {
		got[view.ID] = view.TenantID
	}
	if len(got) != 2 || got[f.all()[0].name] != "" || got[f.all()[1].name] != "blue" {
		t.Errorf("environments and their tenants: %q", got)
	}
}
