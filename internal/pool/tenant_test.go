package pool

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/function"
)

// acquireFor is acquire for a tenant.
func (f *fixture) acquireFor(v *function.Version, tenant string) *fakeEnv {
	f.t.Helper()
	s, err := f.Acquire(context.Background(), v, tenant)
	if err != nil {
		f.t.Fatalf("Acquire for %q: %v", tenant, err)
	}
	return s.member.env.(*fakeEnv)
}

func TestTenantsDoNotShare(t *testing.T) {
	f := newFixture(t, nil)
	v := version("f", "a")
	blue := f.acquireFor(v, "blue")
	blue.released()
	red := f.acquireFor(v, "red")
	if red == blue {
		t.Fatal("red got what blue has used")
	}
	red.released()
	for range 3 {
		for tenant, want := range map[string]*fakeEnv{"blue": blue, "red": red} {
			e := f.acquireFor(v, tenant)
			if e != want {
				t.Errorf("%s got %s, want its own %s", tenant, e.name, want.name)
			}
			e.released()
		}
	}
	if s := f.Stats(); s.Idle != 2 || s.Started != 2 {
		t.Errorf("stats %+v", s)
	}
}

// TestTenantDoesNotWaitForAnother: what another tenant is about to give back
// is no use.
func TestTenantDoesNotWaitForAnother(t *testing.T) {
	f := newFixture(t, nil)
	v := version("f", "a")
	blue := f.acquireFor(v, "blue")
	blue.setFinishing(true)
	if red := f.acquireFor(v, "red"); red == blue {
		t.Error("red got what blue has used")
	}
	got := make(chan *fakeEnv)
	go func() { got <- f.acquireFor(v, "blue") }()
	f.await(1, func() int { return len(f.groupLocked(v).shelfOf("blue").waiters) })
	blue.released()
	if e := <-got; e != blue {
		t.Errorf("blue got %s, want its own that was about to be free", e.name)
	}
}

// TestTenantBound: idle environments of tenants are at most two and a half
// times the limit; the one that was idle for longest goes first.
func TestTenantBound(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Limit = 2 })
	isolated, other, plain := version("f", "a"), version("g", "a"), version("h", "a")
	elsewhere := version("f", "a")
	elsewhere.Key.Region = "r2"
	bystanders := []*fakeEnv{f.acquire(plain), f.acquireFor(elsewhere, "t0")}
	for _, e := range bystanders {
		e.released()
	}
	var envs []*fakeEnv
	for i := range 5 {
		f.clock.Advance(time.Second)
		v := isolated
		if i%2 == 1 {
			v = other // all functions of the account count together
		}
		e := f.acquireFor(v, fmt.Sprintf("t%d", i))
		e.released()
		envs = append(envs, e)
	}
	f.clock.Advance(time.Second)
	if e := f.acquireFor(isolated, "t0"); e != envs[0] { // is not the oldest any more
		t.Errorf("t0 got %s", e.name)
	}
	f.clock.Advance(time.Second)
	f.acquireFor(isolated, "new")
	<-envs[1].closed
	for i, e := range envs {
		if i != 1 && e.isClosed() {
			t.Errorf("the environment of t%d was closed", i)
		}
	}
	for _, e := range bystanders {
		if e.isClosed() {
			t.Errorf("%s was closed, which has no tenant or is of another region", e.name)
		}
	}
	if _, err := f.Acquire(context.Background(), isolated, "one more"); !isThrottled(err) {
		t.Errorf("a third at a limit of two: %v", err)
	}
}

// TestTenantsOfOneLimit: the smallest limit leaves room for one tenant to run.
func TestTenantsOfOneLimit(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Limit = 1 })
	v := version("f", "a")
	var last *fakeEnv
	for i := range 10 {
		f.clock.Advance(time.Second)
		last = f.acquireFor(v, fmt.Sprint(i))
		last.released()
		if s := f.Stats(); s.Idle != min(i+1, 2) {
			t.Errorf("after %d tenants %d environments are kept", i+1, s.Idle)
		}
	}
	if last.isClosed() {
		t.Error("the youngest went first")
	}
}

// TestTenantsAreForgotten: names of tenants cost no memory beyond what runs.
func TestTenantsAreForgotten(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Limit = 2 })
	v := version("f", "a")
	shelves := func() int {
		f.Pool.mu.Lock()
		defer f.Pool.mu.Unlock()
		return len(f.groupLocked(v).shelves)
	}
	for i := range 100 {
		f.acquireFor(v, fmt.Sprint(i)).released()
	}
	if n := shelves(); n != 5 {
		t.Errorf("%d tenants are remembered, want those of 5 environments", n)
	}
	f.fail = context.Canceled
	if _, err := f.Acquire(context.Background(), v, "failed"); err == nil {
		t.Fatal("Launch did not fail")
	}
	f.fail = nil
	s, err := f.Acquire(context.Background(), v, "discarded")
	if err != nil {
		t.Fatal(err)
	}
	s.Discard()
	f.acquireFor(version("f", "before"), "stale").released()
	if n := shelves(); n > 5 {
		t.Errorf("%d tenants are remembered", n)
	}
	f.reapOnce(f.clock.Now())
	f.Pool.mu.Lock()
	defer f.Pool.mu.Unlock()
	if len(f.groups) != 0 {
		t.Errorf("%d groups are left", len(f.groups))
	}
}

// TestChangedRetiresAllTenants: new code reaches every tenant.
func TestChangedRetiresAllTenants(t *testing.T) {
	f := newFixture(t, nil)
	v, changed := version("f", "a"), version("f", "b")
	blue, red, busy := f.acquireFor(v, "blue"), f.acquireFor(v, "red"), f.acquireFor(v, "red")
	blue.released()
	red.released()
	f.Changed(changed.Key, changed.Version, changed)
	<-blue.closed
	<-red.closed
	busy.released()
	<-busy.closed
	for _, tenant := range []string{"blue", "red"} {
		if e := f.acquireFor(changed, tenant); e == blue || e == red || e == busy {
			t.Errorf("%s got an environment with old code", tenant)
		}
	}
}

func TestMemoryEvictsTenants(t *testing.T) {
	free := int64(100)
	f := newFixture(t, func(c *Config) {
		c.MemoryReserve = 50
		c.AvailableMemory = func() (int64, error) { return free, nil }
	})
	v := version("f", "a")
	blue := f.acquireFor(v, "blue")
	blue.released()
	free = 10
	if _, err := f.Acquire(context.Background(), v, "red"); !isThrottled(err) {
		t.Errorf("Acquire under the reserve: %v", err)
	}
	if !blue.isClosed() {
		t.Error("another tenant's idle environment was kept while memory was short")
	}
}

func TestStats(t *testing.T) {
	f := newFixture(t, nil)
	v := version("f", "a")
	v.Config.MemoryMB = 128
	starts, goOn := make(chan struct{}), make(chan struct{})
	f.Pool.cfg.Launch = func(ctx context.Context, v *function.Version, released func()) (Environment, error) {
		close(starts)
		<-goOn
		return f.launch(ctx, v, released)
	}
	got := make(chan *fakeEnv)
	go func() { got <- f.acquireFor(v, "blue") }()
	<-starts
	if s := f.Stats(); s != (Stats{Starting: 1}) {
		t.Errorf("while it starts: %+v", s)
	}
	close(goOn)
	e := <-got
	if s := f.Stats(); s != (Stats{Busy: 1, MemoryMB: 128, Started: 1}) {
		t.Errorf("while it is busy: %+v", s)
	}
	e.released()
	if s := f.Stats(); s != (Stats{Idle: 1, MemoryMB: 128, Started: 1}) {
		t.Errorf("while it is idle: %+v", s)
	}
}
