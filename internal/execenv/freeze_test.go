package execenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/clock"
	"github.com/lambhq/lamb/internal/clock/clocktest"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/sandbox"
)

// freezingSandbox notes when it is frozen and thawed.
type freezingSandbox struct {
	*fakeSandbox
	notes  chan string
	thaw   error // of every Thaw
	frozen atomic.Bool
}

func (s *freezingSandbox) Freeze(context.Context) error {
	s.frozen.Store(true)
	s.notes <- "freeze"
	return nil
}

func (s *freezingSandbox) Thaw(context.Context) error {
	s.frozen.Store(false)
	s.notes <- "thaw"
	return s.thaw
}

func (s *freezingSandbox) Kill(ctx context.Context) error {
	s.frozen.Store(false)
	s.notes <- "kill"
	return s.fakeSandbox.Kill(ctx)
}

// expect waits for the next notes.
func (s *freezingSandbox) expect(want ...string) {
	s.t.Helper()
	for i, w := range want {
		select {
		case got := <-s.notes:
			if got != w {
				s.t.Fatalf("note %d is %q, want %q", i, got, want)
			}
		case <-time.After(20 * time.Second):
			s.t.Fatalf("note %d does not come, want %q", i, want)
		}
	}
}

// answers is a runtime that notes its events.
func (s *freezingSandbox) answers(_ context.Context, rt *fakeRuntime) sandbox.Exit {
	for {
		id, event, ok := rt.next()
		if !ok || event == `"end"` {
			return sandbox.Exit{Code: 1}
		}
		if s.frozen.Load() {
			s.t.Error("a frozen runtime has an event")
		}
		s.notes <- event
		rt.respond(id, event)
	}
}

// newFreezing is an environment in such a sandbox, initialised.
func newFreezing(t *testing.T, c clock.Clock, after time.Duration, extensions map[string]script) (*Environment, *freezingSandbox) {
	t.Helper()
	s := &freezingSandbox{notes: make(chan string, 1000)}
	s.fakeSandbox = newFakeSandbox(t, s.answers)
	s.extensions = extensions
	var names []string
	for name := range extensions {
		names = append(names, name)
	}
	env := New(Config{
		ID: "env-1", Sandbox: s, Bootstrap: Bootstrap{Path: "/var/task/bootstrap"}, Clock: c, FreezeAfter: after, Extensions: names,
		Version: &function.Version{Config: function.Config{Runtime: "provided.al2023", TimeoutSecs: 3, MemoryMB: 128}},
	})
	t.Cleanup(func() {
		if err := env.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := env.Init(); err != nil {
		t.Fatal(err)
	}
	return env, s
}

// invoke runs an invocation to its end.
func (s *freezingSandbox) invoke(env *Environment, event string) {
	s.t.Helper()
	inv := NewInvocation(testEvent("id-"+event, event), nil)
	if err := env.Invoke(inv); err != nil {
		s.t.Fatal(err)
	}
	<-inv.Finished()
}

const someTime = 100 * time.Millisecond

// TestFreeze: what is idle for long enough is frozen, and thawed by the next
// event; what is busy is not.
func TestFreeze(t *testing.T) {
	c := clocktest.New(start)
	env, s := newFreezing(t, c, someTime, nil)
	c.Advance(someTime)
	s.expect("freeze")
	s.invoke(env, "1")
	s.expect("thaw", "1")
	// From here on it is invoked more often than it takes to be frozen.
	for range 5 {
		c.Advance(someTime - 1)
		s.invoke(env, "2")
		s.expect("2")
	}
	c.WaitTimers(1)
	c.Advance(someTime / 2)
	c.WaitTimers(1)
	c.Advance(someTime / 2)
	s.expect("freeze")
}

// TestFreezeEnds: the end of a frozen environment's runtime resets it.
func TestFreezeEnds(t *testing.T) {
	c := clocktest.New(start)
	env, s := newFreezing(t, c, someTime, nil)
	c.Advance(someTime)
	s.expect("freeze")
	s.endAll() // as the kernel would, short of memory
	s.expect("kill")
	s.invoke(env, "1")
	s.expect("1")
	c.WaitTimers(1)
	c.Advance(someTime)
	s.expect("freeze")
	s.invoke(env, `"end"`)
	s.expect("thaw", "kill")
}

// TestFreezeShutdown: extensions that are to be told of the end are thawed.
func TestFreezeShutdown(t *testing.T) {
	c, d := clocktest.New(start), newDiary()
	env, s := newFreezing(t, c, someTime, map[string]script{"agent": listens(d, "agent", "SHUTDOWN")})
	c.Advance(someTime)
	s.expect("freeze")
	if err := env.Close(); err != nil {
		t.Error(err)
	}
	s.expect("thaw")
	if !d.has("agent: SHUTDOWN spindown") {
		t.Error("the extension was not told")
	}
}

// TestThawFails: an environment that cannot be thawed takes no invocation.
func TestThawFails(t *testing.T) {
	c := clocktest.New(start)
	env, s := newFreezing(t, c, someTime, nil)
	s.thaw = errors.New("broken")
	c.Advance(someTime)
	s.expect("freeze")
	for range 2 {
		if err := env.Invoke(NewInvocation(testEvent("id-1", "1"), nil)); !errors.Is(err, ErrClosed) {
			t.Errorf("Invoke: %v", err)
		}
	}
	s.expect("thaw")
}

// TestFreezeTelemetry: what is to be delivered is delivered first.
func TestFreezeTelemetry(t *testing.T) {
	d := newDiary()
	subscriber := newSink(t, d)
	env, s := newFreezing(t, nil, time.Millisecond, map[string]script{"agent": subscriber.subscribes(t)})
	s.expect("freeze")
	if got := subscriber.kinds(); !slices.Contains(got, "platform.initReport") {
		t.Errorf("frozen when only these were delivered: %q", got)
	}
	s.invoke(env, "1")
	s.expect("thaw", "1", "freeze")
	if got := subscriber.kinds(); !slices.Contains(got, "platform.report") {
		t.Errorf("frozen when only these were delivered: %q", got)
	}
}

// TestFreezeDeafSubscriber: one who takes nothing is not waited for for ever.
func TestFreezeDeafSubscriber(t *testing.T) {
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // and nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	d, c := newDiary(), clocktest.New(start)
	subscriber := &sink{Server: &httptest.Server{Listener: deaf}, diary: d}
	env, s := newFreezing(t, c, someTime, map[string]script{"agent": subscriber.subscribes(t)})
	c.Advance(telemetryTime)
	s.expect("freeze")
	closed := make(chan error, 1)
	go func() { closed <- env.Close() }()
	for { // its last words are not taken either
		select {
		case err := <-closed:
			if err != nil {
				t.Error(err)
			}
			return
		case <-time.After(time.Millisecond):
			c.Advance(flushTime)
		}
	}
}

// TestFreezeRaces: events that come while the environment is being frozen.
func TestFreezeRaces(t *testing.T) {
	env, s := newFreezing(t, nil, time.Microsecond, nil)
	go func() {
		for range s.notes { // nobody looks at them
		}
	}()
	for i := range 1000 {
		s.invoke(env, fmt.Sprint(i))
	}
	if err := env.Close(); err != nil {
		t.Error(err)
	}
	close(s.notes)
}
