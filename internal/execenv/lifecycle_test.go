package execenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/clock/clocktest"
	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/sandbox"
)

// limiting is a sandbox that calls a function when the CPU is to be bound,
// which Init does between the end of an init and looking at it.
type limiting struct {
	*fakeSandbox
	onLimit func()
}

func (s limiting) LimitCPU(context.Context, bool) error {
	s.onLimit()
	return nil
}

// nextThenExit asks for an event and ends as soon as that was taken. h is
// looked at when the runtime starts.
func nextThenExit(h **harness) script {
	return func(_ context.Context, rt *fakeRuntime) sandbox.Exit {
		c := rt.dial()
		defer c.Close()
		_, _ = io.WriteString(c, rawNext) // an error shows as an init that does not end
		<-(*h).initDone()
		return sandbox.Exit{Code: 5}
	}
}

// TestExitBetweenNextAndInit: the runtime asks for its first event and ends
// before Init has looked. The environment must not be taken for a ready one.
func TestExitBetweenNextAndInit(t *testing.T) {
	killed := make(chan struct{}, 10)
	var h *harness
	h = newHarness(t, nil, nextThenExit(&h), echo)
	first := true
	h.cpu = limiting{h.sandbox, func() {
		if first {
			<-killed
		}
		first = false
	}}
	h.sandbox.onKill = func() error { killed <- struct{}{}; return nil }
	h.init()
	inv := h.invoke("id-1", "1")
	if o := inv.Outcome(); string(o.Payload) != "1" {
		t.Errorf("got %s", o.Payload)
	}
	if strings.Contains(inv.LogTail(), "Init Duration") {
		t.Errorf("the report tells of an init that is not this runtime's:\n%s", inv.LogTail())
	}
}

// TestInvokeDuringIdleReset: the runtime ended while nothing ran. An
// invocation that comes while the environment is being reset waits for it.
func TestInvokeDuringIdleReset(t *testing.T) {
	resetting, goOn := make(chan struct{}), make(chan struct{})
	end := make(chan struct{})
	h := newHarness(t, nil, func(_ context.Context, rt *fakeRuntime) sandbox.Exit {
		go rt.next()
		<-end
		return sandbox.Exit{Code: 1}
	}, echo).init()
	h.sandbox.onKill = func() error { close(resetting); <-goOn; return nil }
	close(end)
	<-resetting
	h.sandbox.onKill = nil
	invoked := make(chan error, 1)
	inv := NewInvocation(testEvent("id-1", "1"), nil)
	go func() { invoked <- h.Environment.Invoke(inv) }()
	close(goOn)
	if err := <-invoked; err != nil {
		t.Fatalf("Invoke: %v", err)
	}
	<-inv.Finished()
	if o := inv.Outcome(); string(o.Payload) != "1" {
		t.Errorf("got %s", o.Payload)
	}
}

// TestLateStart: the second init's time is up before the sandbox has got round
// to start the program. That program must not be there in the next life.
func TestLateStart(t *testing.T) {
	c := clocktest.New(start)
	starting, goOn := make(chan struct{}), make(chan struct{})
	h := newHarness(t, c, exits(1), serve(func(rt *fakeRuntime, id, _ string) { rt.respond(id, `"late"`) }), echo)
	h.sandbox.onStart = func(n int) error {
		if n == 2 {
			close(starting)
			<-goOn
		}
		return nil
	}
	h.init()
	inv := NewInvocation(testEvent("id-1", "1"), nil)
	invoked := make(chan error, 1)
	go func() { invoked <- h.Environment.Invoke(inv) }()
	<-starting
	c.Advance(3 * time.Second)
	<-inv.Answered() // the caller does not wait for the sandbox
	close(goOn)
	if err := <-invoked; err != nil {
		t.Fatalf("Invoke: %v", err)
	}
	<-inv.Finished()
	<-h.released
	if n := h.sandbox.alive(); n != 0 {
		t.Errorf("%d processes of the old life are alive after the reset", n)
	}
	if o := h.invoke("id-2", "2").Outcome(); string(o.Payload) != "2" {
		t.Errorf("got %s", o.Payload)
	}
}

// TestResetFails: what cannot be reset is not used again.
func TestResetFails(t *testing.T) {
	h := newHarness(t, nil, func(_ context.Context, rt *fakeRuntime) sandbox.Exit {
		rt.next()
		return sandbox.Exit{Code: 1}
	}, echo).init()
	h.sandbox.onKill = func() error { return errors.New("still there") }
	if o := h.invoke("id-1", "1").Outcome(); o.ErrorType != "Runtime.ExitError" {
		t.Errorf("got %+v", o)
	}
	if err := h.Environment.Invoke(NewInvocation(testEvent("id-2", "2"), nil)); !errors.Is(err, ErrClosed) {
		t.Errorf("Invoke after a failed reset: %v, want ErrClosed", err)
	}
	if n := h.sandbox.started(); n != 1 {
		t.Errorf("the runtime was started %d times, want 1", n)
	}
}

// TestSandboxGone: the sandbox has ended by itself (its supervisor was
// killed). The invocation is not taken, so that another environment can run
// it, and no later one is.
func TestSandboxGone(t *testing.T) {
	h := newHarness(t, nil, exits(1), echo)
	h.sandbox.onStart = func(n int) error {
		if n > 1 {
			return sandbox.ErrClosed
		}
		return nil
	}
	h.init()
	for range 2 {
		inv := NewInvocation(testEvent("id-1", "1"), nil)
		if err := h.Environment.Invoke(inv); !errors.Is(err, ErrClosed) {
			t.Fatalf("Invoke: %v, want ErrClosed", err)
		}
		if inv.isAnswered() {
			t.Error("an invocation that was not taken is answered")
		}
	}
	if n := h.sandbox.started(); n != 2 {
		t.Errorf("the runtime was started %d times, want 2", n)
	}
}

// TestInitOutput: what a runtime wrote before it failed stands before the
// INIT_REPORT, also a line that it did not finish.
func TestInitOutput(t *testing.T) {
	h := newHarness(t, nil, func(_ context.Context, rt *fakeRuntime) sandbox.Exit {
		_, _ = io.WriteString(rt.out, "panic: no database")
		return sandbox.Exit{Code: 2}
	}, echo).init()
	if want := "panic: no database\nINIT_REPORT Init Duration: "; !strings.Contains(h.logs.String(), want) {
		t.Errorf("log lacks %q:\n%s", want, h.logs)
	}
}

// TestManyWaiters: connections that asked for an event and went do not push
// out the one that waits.
func TestManyWaiters(t *testing.T) {
	ready := make(chan struct{})
	h := newHarness(t, nil, func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		go echo(ctx, rt) // it waits first
		<-ready
		<-ctx.Done()
		return sandbox.Exit{}
	}).init()
	rt := &fakeRuntime{t: t, base: "http://" + h.sandbox.Address() + "/2018-06-01/runtime/"}
	for range 2 * maxWaiters {
		c := rt.dial()
		before := h.newestWaiter()
		_, _ = io.WriteString(c, rawNext)
		w := before
		for w == before { // until it is taken
			w = h.newestWaiter()
		}
		c.Close()
		<-w.Gone()
	}
	close(ready)
	if o := h.invoke("id-1", "1").Outcome(); string(o.Payload) != "1" {
		t.Errorf("got %s", o.Payload)
	}
}

func (h *harness) newestWaiter() *envapi.Waiter {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.waiters); n > 0 {
		return h.waiters[n-1]
	}
	return nil
}

// TestCloseTwice: the second Close, too, returns only when all is over.
func TestCloseTwice(t *testing.T) {
	closing, goOn := make(chan struct{}), make(chan struct{})
	h := newHarness(t, nil, func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		rt.next() // ends with ctx
		close(closing)
		<-goOn
		return sandbox.Exit{}
	}).init()
	closed := make(chan error, 2)
	for range 2 {
		go func() {
			err := h.Environment.Close()
			if n := h.sandbox.alive(); n != 0 {
				t.Errorf("%d processes are alive when Close returns", n)
			}
			closed <- err
		}()
	}
	<-closing
	for range 1000 { // a Close that does not wait has its chance
		runtime.Gosched()
	}
	close(goOn)
	if err := errors.Join(<-closed, <-closed); err != nil {
		t.Error(err)
	}
}

// TestHostIsFull: where the host has no descriptor left for a process, that is
// no failure of the function's: the invocation is not taken, and the
// environment is not used again.
func TestHostIsFull(t *testing.T) {
	full := fmt.Errorf("start: pipe2: %w", syscall.EMFILE)
	h := newHarness(t, nil, echo)
	h.sandbox.onStart = func(int) error { return full }
	if _, err := h.Init(); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("Init: %v, want the host's error", err)
	}
	if err := h.Environment.Invoke(NewInvocation(testEvent("id-1", "1"), nil)); !errors.Is(err, ErrClosed) {
		t.Errorf("Invoke: %v, want %v", err, ErrClosed)
	}
	// In a later life, inside an invocation.
	h = newHarness(t, nil, exits(1), echo)
	h.sandbox.onStart = func(n int) error {
		if n > 1 {
			return full
		}
		return nil
	}
	h.init()
	if err := h.Environment.Invoke(NewInvocation(testEvent("id-1", "1"), nil)); !errors.Is(err, ErrClosed) {
		t.Errorf("Invoke: %v, want %v", err, ErrClosed)
	}
}
