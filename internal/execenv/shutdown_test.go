package execenv

import (
	"context"
	"github.com/lambhq/lamb/internal/clock/clocktest"
	"github.com/lambhq/lamb/internal/sandbox"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestShutdown is who is told what, in which order, and when it is killed.
func TestShutdown(t *testing.T) {
	stubborn := func(d *diary, name string, events ...string) script {
		return func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
			id := rt.register(name, events...)
			for {
				a := rt.nextEvent(id)
				if a.status != 200 {
					return sandbox.Exit{}
				}
				if ev := a.event(rt.t); ev.EventType == "SHUTDOWN" {
					d.note("%s: SHUTDOWN %s", name, ev.ShutdownReason)
					<-ctx.Done()
					return sandbox.Exit{}
				}
			}
		}
	}
	t.Run("external", func(t *testing.T) {
		d, c := newDiary(), clocktest.New(start)
		box := newFakeSandbox(t, func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
			rt.catchTerm() // and does nothing about it
			return echo(ctx, rt)
		})
		box.signals = func(name string, sig syscall.Signal) { d.note("%s: %v", name, sig) }
		box.extensions = map[string]script{
			"told":     listens(d, "told", "SHUTDOWN"),
			"stubborn": stubborn(d, "stubborn", "SHUTDOWN"),
			"untold":   listens(d, "untold", "INVOKE"),
		}
		h := harnessOf(t, c, box, "told", "stubborn", "untold")
		h.init()
		closed := make(chan error, 1)
		go func() { closed <- h.Close() }()
		d.wait(t, "bootstrap: terminated")
		c.WaitTimers(1)
		if d.has("told: SHUTDOWN spindown") {
			t.Error("the extensions were told before the runtime had its time")
		}
		c.Advance(budgetRuntime)
		d.wait(t, "bootstrap: killed")
		d.wait(t, "told: SHUTDOWN spindown")
		d.wait(t, "stubborn: SHUTDOWN spindown")
		d.wait(t, "untold: killed")
		select {
		case <-closed:
			t.Error("the stubborn one has time left")
		default:
		}
		c.WaitTimers(1)
		c.Advance(budgetExternal - budgetRuntime)
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
	t.Run("internal", func(t *testing.T) {
		d, c := newDiary(), clocktest.New(start)
		box := newFakeSandbox(t, func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
			terminated := rt.catchTerm()
			id := rt.register("inside")
			var wg sync.WaitGroup
			defer wg.Wait()
			wg.Go(func() { rt.nextEvent(id) })
			wg.Go(func() { rt.next() })
			<-terminated
			d.note("cleaned up")
			<-ctx.Done()
			return sandbox.Exit{}
		})
		box.signals = func(name string, sig syscall.Signal) { d.note("%s: %v", name, sig) }
		h := harnessOf(t, c, box)
		h.init()
		closed := make(chan error, 1)
		go func() { closed <- h.Close() }()
		d.wait(t, "cleaned up")
		c.WaitTimers(1)
		c.Advance(budgetInternal)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		d.wait(t, "bootstrap: killed")
	})
	t.Run("none", func(t *testing.T) {
		d := newDiary()
		box := newFakeSandbox(t, echo)
		box.signals = func(name string, sig syscall.Signal) { d.note("%s: %v", name, sig) }
		h := harnessOf(t, clocktest.New(start), box)
		h.init()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if len(d.notes) != 0 {
			t.Errorf("signals %q, want the kill of the sandbox only", d.notes)
		}
	})
	for reason, runtime := range map[string]script{
		"failure": func(_ context.Context, rt *fakeRuntime) sandbox.Exit { rt.next(); return sandbox.Exit{Code: 1} },
		"timeout": func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
			rt.next()
			<-ctx.Done()
			return sandbox.Exit{}
		},
	} {
		t.Run("reset by "+reason, func(t *testing.T) {
			d, c := newDiary(), clocktest.New(start)
			box := newFakeSandbox(t, runtime, echo)
			box.extensions = map[string]script{"told": listens(d, "told", "INVOKE", "SHUTDOWN")}
			h := harnessOf(t, c, box, "told")
			h.init()
			inv := h.begin("id-1", "{}")
			d.wait(t, "told: INVOKE id-1")
			if reason == "timeout" {
				c.Advance(3 * time.Second)
			}
			<-inv.Finished()
			<-h.released
			if !d.has("told: SHUTDOWN " + reason) {
				t.Errorf("notes %q", d.notes)
			}
			// Both are started again for the next invocation.
			if o := h.invoke("id-2", "2").Outcome(); string(o.Payload) != "2" {
				t.Errorf("payload %s", o.Payload)
			}
			d.wait(t, "told: INVOKE id-2")
		})
	}
}

// TestExtensionNeverRegisters uses up the init's time, and then the
// invocation's.
func TestExtensionNeverRegisters(t *testing.T) {
	c := clocktest.New(start)
	box := newFakeSandbox(t, echo)
	box.extensions = map[string]script{"mute": hangs}
	h := harnessOf(t, c, box, "mute")
	done := make(chan struct{})
	go func() { defer close(done); h.init() }()
	c.WaitTimers(1)
	c.Advance(DefaultInitLimit)
	<-done
	if n := box.started(); n != 0 {
		t.Errorf("the runtime was started %d times", n)
	}
	inv := NewInvocation(testEvent("id", "{}"), nil)
	taken := make(chan error, 1)
	go func() { taken <- h.Environment.Invoke(inv) }()
	c.WaitTimers(1)
	c.Advance(3 * time.Second)
	<-inv.Answered()
	if o := inv.Outcome(); o.ErrorType != "Sandbox.Timedout" {
		t.Errorf("%s", o.Payload)
	}
	if err := <-taken; err != nil {
		t.Error(err)
	}
	<-inv.Finished()
	<-h.released
}
