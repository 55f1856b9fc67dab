package execenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/clock/clocktest"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/telemetry"
)

// manyHarness is an environment that serves several invocations at once.
func manyHarness(t *testing.T, c *clocktest.Fake, most int, list *eventList, box *fakeSandbox, extensions ...string) *harness {
	h := &harness{t: t, sandbox: box, logs: &logLines{}, released: make(chan struct{}, 1000)}
	cfg := Config{
		ID: "env-1", Sandbox: box, Logs: h.logs, Events: list, MaxConcurrency: most, Extensions: extensions,
		Bootstrap: Bootstrap{Path: "/var/task/bootstrap"}, FreezeAfter: time.Millisecond,
		Released: func(*Environment) { h.released <- struct{}{} },
		Version: &function.Version{
			Key:     function.Key{Partition: "aws", Account: "000000000000", Region: "us-east-1", Name: "f"},
			Version: "1", Config: function.Config{Runtime: "provided.al2023", TimeoutSecs: 3, MemoryMB: 2048},
		},
	}
	if c != nil {
		cfg.Clock = c
	}
	h.Environment = New(cfg)
	t.Cleanup(func() { _ = h.Environment.Close() })
	return h
}

// workers serves events with n calls of next at a time.
func workers(n int, f func(rt *fakeRuntime, id, event string)) script {
	return func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		var all sync.WaitGroup
		for range n {
			all.Go(func() { serve(f)(ctx, rt) })
		}
		all.Wait()
		return sandbox.Exit{}
	}
}

func (h *harness) start(id, event string) *Invocation {
	h.t.Helper()
	inv := NewInvocation(testEvent(id, event), nil)
	inv.WantLog = true
	if err := h.Environment.Invoke(inv); err != nil {
		h.t.Fatalf("Invoke %s: %v", id, err)
	}
	return inv
}

// TestConcurrent: invocations overlap, end in any order, and are told of as
// Managed Instances do.
func TestConcurrent(t *testing.T) {
	list := &eventList{}
	goOn := map[string]chan struct{}{"a": make(chan struct{}), "b": make(chan struct{}), "c": make(chan struct{})}
	running := make(chan string, 3)
	h := manyHarness(t, nil, 3, list, newFakeSandbox(t, workers(3, func(rt *fakeRuntime, id, event string) {
		running <- id
		<-goOn[id]
		rt.respond(id, event)
	}))).init()
	var all []*Invocation
	for _, id := range []string{"a", "b", "c"} {
		all = append(all, h.start(id, `"`+id+`"`))
		<-running
	}
	if s := h.State(); s.InFlight != 3 || s.Phase != "Ready" {
		t.Errorf("state %+v", s)
	}
	if err := h.Environment.Invoke(NewInvocation(testEvent("d", "1"), nil)); err != ErrBusy {
		t.Errorf("one too many: %v", err)
	}
	if err := h.Environment.Invoke(NewInvocation(testEvent("a", "1"), nil)); err != ErrDuplicateInvokeID {
		t.Errorf("the same id: %v", err)
	}
	if _, err := h.Reset(ResetRequest{}); !errors.Is(err, ErrIllegalMove) {
		t.Errorf("Reset: %v", err)
	}
	for i := 2; i >= 0; i-- {
		id := []string{"a", "b", "c"}[i]
		close(goOn[id])
		<-all[i].Finished()
		<-h.released
		if o := all[i].Outcome(); string(o.Payload) != `"`+id+`"` || all[i].LogTail() != "" {
			t.Errorf("%s: %s, tail %q", id, o.Payload, all[i].LogTail())
		}
		if r := all[i].Record(); r.Status != telemetry.StatusSuccess || !r.Responded || r.ResponseBytes != 3 {
			t.Errorf("%s: %+v", id, r)
		}
	}
	want := []string{
		"initStart lambda-managed-instances init", "initRuntimeDone lambda-managed-instances init success", "initReport lambda-managed-instances init success",
		"start a", "start b", "start c", "report c success", "report b success", "report a success",
	}
	if diff := cmp.Diff(want, list.list()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if h.sandbox.started() != 1 {
		t.Errorf("%d starts", h.sandbox.started())
	}
}

// TestConcurrentAnswers: how late, repeated and unknown answers are refused.
func TestConcurrentAnswers(t *testing.T) {
	c := clocktest.New(start)
	var rt *fakeRuntime
	got := make(chan struct{}, 10)
	h := manyHarness(t, c, 2, &eventList{}, newFakeSandbox(t, func(ctx context.Context, r *fakeRuntime) sandbox.Exit {
		rt = r
		for {
			if _, _, ok := r.next(); !ok {
				return sandbox.Exit{}
			}
			got <- struct{}{}
		}
	})).init()
	expect := func(what string, a answer, status int, text string) {
		t.Helper()
		if a.status != status || !strings.Contains(a.body, text) {
			t.Errorf("%s: %d %s, want %d %s", what, a.status, a.body, status, text)
		}
	}
	late := h.start("late", "1")
	<-got
	c.Advance(3 * time.Second)
	<-late.Finished()
	if o := late.Outcome(); string(o.Payload) != `{"errorType":"Sandbox.Timedout","errorMessage":"Task timed out after 3.00 seconds"}` || !errors.Is(o.Err(), ErrTimedOut) {
		t.Errorf("timeout: %s", o.Payload)
	}
	if r := late.Record(); r.Status != telemetry.StatusTimeout || r.Duration != 3*time.Second {
		t.Errorf("timeout: %+v", r)
	}
	short := NewInvocation(testEvent("short", "1"), nil) // by its caller's terms
	short.Terms = &Terms{Timeout: 1500 * time.Millisecond}
	if err := h.Environment.Invoke(short); err != nil {
		t.Fatal(err)
	}
	<-got
	c.Advance(1500 * time.Millisecond)
	<-short.Finished()
	if o, r := short.Outcome(), short.Record(); string(o.Payload) != `{"errorType":"Sandbox.Timedout","errorMessage":"Task timed out after 1.50 seconds"}` || r.Duration != 1500*time.Millisecond {
		t.Errorf("a shorter timeout: %s, %+v", o.Payload, r)
	}
	expect("too late for its terms", rt.fail("short", "{}"), 410, `"errorType":"InvokeTimeout"`)

	expect("late", rt.respond("late", "1"), 410, `"errorType":"InvokeTimeout"`)
	expect("late again", rt.respond("late", "1"), 400, "InvalidRequestID")
	expect("unknown", rt.fail("other", "{}"), 400, "InvalidRequestID")

	inv := h.start("id-1", "1") // the environment is as good as before
	<-got
	expect("bad mode", rt.respond("id-1", "1", "Lambda-Runtime-Function-Response-Mode", "x"), 400, "InvalidFunctionResponseMode")
	<-inv.Finished()
	expect("second", rt.respond("id-1", "1"), 400, "InvalidRequestID")
	inv = h.start("id-2", "2")
	<-got
	expect("error over 1 MiB", rt.fail("id-2", strings.Repeat(" ", 1<<20+1)), 413, "Exceeded maximum allowed payload size (6291556 bytes).")
	expect("error", rt.fail("id-2", `{"errorMessage":"m"}`, "Lambda-Runtime-Function-Error-Type", "Function.Boom"), 202, "OK")
	<-inv.Finished()
	if o := inv.Outcome(); string(o.Payload) != `{"errorMessage":"m"}` || inv.Record().ErrorType != "Function.Boom" {
		t.Errorf("error: %s, %+v", o.Payload, inv.Record())
	}
	if s := h.State(); s.InFlight != 0 || h.sandbox.started() != 1 {
		t.Errorf("%+v, %d starts", s, h.sandbox.started())
	}
}

// TestConcurrentQueue: an invocation waits for the runtime for a while.
func TestConcurrentQueue(t *testing.T) {
	c := clocktest.New(start)
	ask := make(chan struct{})
	h := manyHarness(t, c, 2, &eventList{}, newFakeSandbox(t, func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		id, event, ok := rt.next()
		for ok {
			rt.respond(id, event)
			select {
			case <-ask:
			case <-ctx.Done():
			}
			id, event, ok = rt.next()
		}
		return sandbox.Exit{}
	})).init()
	first := h.start("id-1", "1")
	<-first.Finished()
	second := h.start("id-2", "2")
	ask <- struct{}{}
	<-second.Finished()
	if o := second.Outcome(); string(o.Payload) != "2" {
		t.Errorf("queued: %s", o.Payload)
	}
	third := h.start("id-3", "3")
	c.Advance(time.Second)
	<-third.Finished()
	if o := third.Outcome(); !errors.Is(o.Err(), ErrRuntimeUnavailable) {
		t.Errorf("never asked for: %s", o.Payload)
	}
	ask <- struct{}{}
	fourth := h.start("id-4", "4")
	<-fourth.Finished()
	if o := fourth.Outcome(); string(o.Payload) != "4" {
		t.Errorf("afterwards: %s", o.Payload)
	}
}

// TestConcurrentEnds: what ends the environment answers all that is in flight.
func TestConcurrentEnds(t *testing.T) {
	exit := make(chan struct{})
	hang := func(rt *fakeRuntime, id, _ string) { <-rt.ctx.Done() }
	for _, tt := range []struct {
		name    string
		run     script
		end     func(h *harness)
		errType string
	}{
		{"exit", func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
			go func() { <-exit; rt.proc.cancel() }()
			return workers(2, hang)(ctx, rt)
		}, func(h *harness) { close(exit) }, "Runtime.ExitError"},
		{"shutdown", workers(2, hang), func(h *harness) { _ = h.Close() }, "Client.ExecutionEnvironmentShutDown"},
	} {
		h := manyHarness(t, nil, 2, &eventList{}, newFakeSandbox(t, tt.run)).init()
		a, b := h.start("a", "1"), h.start("b", "2")
		tt.end(h)
		for _, inv := range []*Invocation{a, b} {
			<-inv.Finished()
			if got := inv.Outcome().ErrorType; got != tt.errType {
				t.Errorf("%s: %s, want %s", tt.name, got, tt.errType)
			}
		}
		if err := h.Environment.Invoke(NewInvocation(testEvent("c", "1"), nil)); !errors.Is(err, ErrClosed) || !errors.Is(err, ErrUnhealthy) {
			t.Errorf("%s: Invoke afterwards: %v", tt.name, err)
		}
		if h.sandbox.started() != 1 {
			t.Errorf("%s: %d starts", tt.name, h.sandbox.started())
		}
	}
}

// TestConcurrentTooManyIdle: more calls of next than invocations there can be.
func TestConcurrentTooManyIdle(t *testing.T) {
	answers := make(chan string, 3)
	h := manyHarness(t, nil, 2, &eventList{}, newFakeSandbox(t, func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		for range 3 {
			conn := rt.dial() // which outlives the program
			go func() {
				defer conn.Close()
				_, _ = io.WriteString(conn, rawNext)
				b, _ := io.ReadAll(conn)
				answers <- string(b)
			}()
		}
		<-ctx.Done()
		return sandbox.Exit{}
	})).init()
	got := []string{<-answers, <-answers, <-answers}
	if slices.Sort(got); got[0] != "" || got[1] != "" || !strings.HasPrefix(got[2], "HTTP/1.1 500 ") {
		t.Errorf("three calls of next: %q, want one refused and the others cut", got)
	}
	for h.State().Phase != "NeedsInit" {
		runtime.Gosched()
	}
	if got := h.State().FirstFatalError; got != "Runtime.TooManyIdleRuntimes" {
		t.Errorf("fatal error %s", got)
	}
}

// TestConcurrentInitFails: one invocation is told, and then the environment is
// to be replaced.
func TestConcurrentInitFails(t *testing.T) {
	h := manyHarness(t, nil, 2, &eventList{}, newFakeSandbox(t, exits(1)))
	if r, err := h.Environment.Init(); err != nil || r.Err == nil {
		t.Fatalf("Init: %+v, %v", r, err)
	}
	inv := h.start("a", "1")
	<-inv.Finished()
	if got := inv.Outcome().ErrorType; got != "Runtime.ExitError" {
		t.Errorf("outcome %s", got)
	}
	if err := h.Environment.Invoke(NewInvocation(testEvent("b", "1"), nil)); !errors.Is(err, ErrUnhealthy) {
		t.Errorf("Invoke afterwards: %v", err)
	}
}

// TestConcurrentExtensions: external ones get SHUTDOWN only, internal ones
// nothing.
func TestConcurrentExtensions(t *testing.T) {
	d := newDiary()
	box := newFakeSandbox(t, func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		a := rt.ext("POST", "register", `{"events":["INVOKE"]}`, "Lambda-Extension-Name", "internal")
		if a.status != 403 || !strings.Contains(a.body, "No events allowed for internal extensions") || !strings.Contains(a.body, "Extension.InvalidEventType") {
			t.Errorf("internal: %d %s", a.status, a.body)
		}
		return echo(ctx, rt)
	})
	box.extensions = map[string]script{"ext": func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		a := rt.ext("POST", "register", `{"events":["INVOKE","SHUTDOWN"]}`, "Lambda-Extension-Name", "ext")
		if a.status != 403 || !strings.Contains(a.body, "INVOKE: ErrorInvalidEventType") {
			t.Errorf("external: %d %s", a.status, a.body)
		}
		if slices.ContainsFunc(rt.env, func(kv string) bool { return strings.HasPrefix(kv, "AWS_LAMBDA_MAX_CONCURRENCY=") }) {
			t.Error("the extension has the runtime's variable")
		}
		return listens(d, "ext", "SHUTDOWN")(ctx, rt)
	}}
	h := manyHarness(t, nil, 2, &eventList{}, box, "ext").init()
	inv := h.start("a", "1")
	<-inv.Finished()
	_ = h.Close()
	d.wait(t, "ext: SHUTDOWN spindown")
	if d.has("ext: INVOKE a") {
		t.Error("the extension was told of an invocation")
	}
}

// TestConcurrentMany: many at once, each with its own answer.
func TestConcurrentMany(t *testing.T) {
	const most, rounds = 16, 20
	h := manyHarness(t, nil, most, &eventList{}, newFakeSandbox(t, workers(most, func(rt *fakeRuntime, id, event string) { rt.respond(id, event) }))).init()
	var all sync.WaitGroup
	for i := range most {
		all.Go(func() {
			for n := range rounds {
				id := fmt.Sprintf("%d-%d", i, n)
				inv := h.start(id, `"`+id+`"`)
				<-inv.Finished()
				if o := inv.Outcome(); string(o.Payload) != `"`+id+`"` {
					t.Errorf("%s: %s", id, o.Payload)
				}
			}
		})
	}
	all.Wait()
}
