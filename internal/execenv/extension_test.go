package execenv

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/clock/clocktest"
	"github.com/lambhq/lamb/internal/sandbox"
)

// ext calls the Extensions API.
func (rt *fakeRuntime) ext(method, path, body string, header ...string) answer {
	other := *rt
	other.base = strings.TrimSuffix(rt.base, "2018-06-01/runtime/") + "2020-01-01/extension/"
	return other.do(method, path, body, header...)
}

// register registers and returns the identifier.
func (rt *fakeRuntime) register(name string, events ...string) string {
	body, _ := json.Marshal(map[string][]string{"events": events})
	a := rt.ext("POST", "register", string(body), "Lambda-Extension-Name", name)
	return a.header.Get("Lambda-Extension-Identifier")
}

func (rt *fakeRuntime) nextEvent(id string) answer {
	return rt.ext("GET", "event/next", "", "Lambda-Extension-Identifier", id)
}

// event is what an extension gets.
type event struct {
	EventType, RequestID, InvokedFunctionArn, ShutdownReason string
	DeadlineMs                                               int64
	Tracing                                                  struct{ Type, Value string }
}

func (a answer) event(t testing.TB) event {
	t.Helper()
	var ev event
	if a.status != http.StatusOK {
		t.Errorf("event/next: %d %s", a.status, a.body)
	} else if err := json.Unmarshal([]byte(a.body), &ev); err != nil {
		t.Error(err)
	}
	return ev
}

// diary is what the scripts of a test note, in their order.
type diary struct {
	mu    sync.Mutex
	notes []string
	grown chan struct{} // closed and made anew with every note
}

func newDiary() *diary { return &diary{grown: make(chan struct{})} }

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notes = append(d.notes, fmt.Sprintf(format, args...))
	close(d.grown)
	d.grown = make(chan struct{})
}

// wait waits until somebody has noted this.
func (d *diary) wait(t testing.TB, want string) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		d.mu.Lock()
		found, grown := slices.Contains(d.notes, want), d.grown
		notes := slices.Clone(d.notes)
		d.mu.Unlock()
		if found {
			return
		}
		select {
		case <-grown:
		case <-timeout:
			t.Fatalf("nobody noted %q: %q", want, notes)
		}
	}
}

func (d *diary) has(note string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(d.notes, note)
}

func (d *diary) index(note string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Index(d.notes, note)
}

// listens registers for events, notes those it gets, and exits after SHUTDOWN.
func listens(d *diary, name string, events ...string) script {
	return func(_ context.Context, rt *fakeRuntime) sandbox.Exit {
		id := rt.register(name, events...)
		for {
			a := rt.nextEvent(id)
			if a.status == 0 {
				return sandbox.Exit{}
			}
			ev := a.event(rt.t)
			if ev.EventType == "SHUTDOWN" {
				d.note("%s: SHUTDOWN %s", name, ev.ShutdownReason)
				return sandbox.Exit{}
			}
			d.note("%s: %s %s", name, ev.EventType, ev.RequestID)
		}
	}
}

func TestExternalExtension(t *testing.T) {
	d := newDiary()
	box := newFakeSandbox(t, func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		d.note("runtime starts")
		return echo(ctx, rt)
	})
	got := make(chan answer, 1)
	box.extensions = map[string]script{
		"agent.sh": func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
			for _, kv := range rt.env {
				if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "_") || slices.Contains(notForExtensions, name) {
					t.Errorf("the extension has %s", name)
				}
			}
			d.note("agent starts")
			a := rt.ext("POST", "register", `{"events":["INVOKE","SHUTDOWN"]}`, "Lambda-Extension-Name", "agent.sh", "Lambda-Extension-Accept-Feature", "x, accountId")
			if want := `{"accountId":"000000000000","functionName":"f","functionVersion":"$LATEST","handler":""}`; a.status != 200 || a.body != want {
				t.Errorf("register: %d %s, want %s", a.status, a.body, want)
			}
			id := a.header.Get("Lambda-Extension-Identifier")
			got <- rt.nextEvent(id)
			if ev := rt.nextEvent(id).event(t); ev.EventType != "SHUTDOWN" || ev.ShutdownReason != "spindown" {
				t.Errorf("the last event is %+v", ev)
			}
			d.note("agent ends")
			return sandbox.Exit{}
		},
		"idle": listens(d, "idle"),
	}
	h := harnessOf(t, nil, box, "agent.sh", "idle")
	h.init()
	if d.index("agent starts") > d.index("runtime starts") {
		t.Error("the runtime was started before the extensions")
	}
	inv := h.invoke("id-1", `"x"`)
	if string(inv.Outcome().Payload) != `"x"` {
		t.Errorf("payload %s", inv.Outcome().Payload)
	}
	a := <-got
	ev := a.event(t)
	want := event{EventType: "INVOKE", RequestID: "id-1", InvokedFunctionArn: "arn:f", DeadlineMs: inv.Event.DeadlineMs}
	want.Tracing.Type, want.Tracing.Value = "X-Amzn-Trace-Id", "Root=1-2-3"
	if ev != want {
		t.Errorf("event %+v, want %+v", ev, want)
	}
	if id := a.header.Get("Lambda-Extension-Event-Identifier"); len(id) != 36 {
		t.Errorf("event identifier %q", id)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if !d.has("agent ends") {
		t.Error("Close did not wait for the extension")
	}
}

// TestExtensionOverhead: the caller is answered when the runtime is, and the
// environment is free when the extensions are.
func TestExtensionOverhead(t *testing.T) {
	release := make(chan struct{})
	box := newFakeSandbox(t, echo)
	box.extensions = map[string]script{"slow": func(_ context.Context, rt *fakeRuntime) sandbox.Exit {
		id := rt.register("slow", "INVOKE")
		for rt.nextEvent(id).status != 0 {
			<-release
		}
		return sandbox.Exit{}
	}}
	h := harnessOf(t, nil, box, "slow").init()
	first := h.begin("id-1", `1`)
	<-first.Answered()
	if err := h.Environment.Invoke(NewInvocation(testEvent("id-2", "2"), nil)); err != ErrBusy {
		t.Errorf("a second invocation: %v, want ErrBusy", err)
	}
	release <- struct{}{}
	<-first.Finished()
	<-h.released
	close(release)
	if o := h.invoke("id-3", `3`).Outcome(); string(o.Payload) != "3" {
		t.Errorf("payload %s", o.Payload)
	}
}

// internal is a runtime with an extension inside it.
func internal(register func(rt *fakeRuntime)) script {
	return func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		register(rt)
		return echo(ctx, rt)
	}
}

func TestInternalExtension(t *testing.T) {
	d := newDiary()
	var wg sync.WaitGroup
	h := newHarness(t, nil, internal(func(rt *fakeRuntime) {
		id := rt.register("inside", "INVOKE")
		wg.Go(func() {
			for {
				a := rt.nextEvent(id)
				if a.status == 0 {
					return
				}
				d.note("%s", a.event(t).RequestID)
			}
		})
	})).init()
	h.invoke("id-1", "1")
	h.invoke("id-2", "2")
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if want := []string{"id-1", "id-2"}; !slices.Equal(d.notes, want) {
		t.Errorf("events %q, want %q", d.notes, want)
	}
}

// TestExtensionErrors is the table of the API's refusals.
func TestExtensionErrors(t *testing.T) {
	type request struct {
		method, path, body string
		header             []string
	}
	const unknown = "00000000-0000-4000-8000-000000000000"
	const events, name, id, kind = `{"events":["INVOKE"]}`, "Lambda-Extension-Name", "Lambda-Extension-Identifier", "Lambda-Extension-Function-Error-Type"
	tests := map[string]struct {
		request
		errType, message string
	}{
		"no name":            {request{"POST", "register", events, nil}, "Extension.InvalidExtensionName", "Empty extension name"},
		"no JSON":            {request{"POST", "register", "", []string{name, "n"}}, "InvalidRequestFormat", "unexpected end of JSON input"},
		"configuration keys": {request{"POST", "register", `{"configurationKeys":["a"]}`, []string{name, "n"}}, "InvalidRequestFormat", "configurationKeys are deprecated; use environment variables instead"},
		"internal shutdown":  {request{"POST", "register", `{"events":["SHUTDOWN"]}`, []string{name, "n"}}, "Extension.InvalidEventType", "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension"},
		"unknown event":      {request{"POST", "register", `{"events":["FOO"]}`, []string{name, "n"}}, "Extension.InvalidEventType", "FOO: ErrorInvalidEventType"},
		"internal twice":     {request{"POST", "register", events, []string{name, "twice"}}, "Extension.InvalidExtensionState", "Extension with this name already registered"},
		"external twice":     {request{"POST", "register", events, []string{name, "agent"}}, "Extension.InvalidExtensionState", "State transition from Ready to Registered failed for extension agent. Error: State transition is not allowed"},
		"no identifier":      {request{"GET", "event/next", "", nil}, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header"},
		"no UUID":            {request{"GET", "event/next", "", []string{id, "x"}}, "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier"},
		"unknown identifier": {request{"GET", "event/next", "", []string{id, unknown}}, "Extension.UnknownExtensionIdentifier", "Unknown extension " + unknown},
		"unknown init error": {request{"POST", "init/error", "", []string{id, unknown, kind, "Extension.A"}}, "Extension.UnknownExtensionIdentifier", "Unknown Lambda-Extension-Identifier"},
		"unknown exit error": {request{"POST", "exit/error", "", []string{id, unknown, kind, "Extension.A"}}, "Extension.UnknownExtensionIdentifier", "Unknown Lambda-Extension-Identifier"},
		"no error type":      {request{"POST", "exit/error", "", []string{id, unknown}}, "Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found"},
	}
	d := newDiary()
	box := newFakeSandbox(t, internal(func(rt *fakeRuntime) {
		// The agent waits for its first event by now, or soon.
		d.wait(t, "agent asks")
		twice := rt.register("twice")
		for name, tt := range tests {
			a := rt.ext(tt.method, tt.path, tt.body, tt.header...)
			var said struct{ ErrorType, ErrorMessage string }
			_ = json.Unmarshal([]byte(a.body), &said)
			message := strings.Replace(said.ErrorMessage, "from Registered to", "from Ready to", 1)
			if a.status != 403 || said.ErrorType != tt.errType || message != tt.message {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
		for i := range 8 {
			if rt.register(fmt.Sprint("more-", i)) == "" {
				t.Errorf("extension %d was refused", i+3)
			}
		}
		if a := rt.ext("POST", "register", events, name, "eleventh"); !strings.Contains(a.body, "Extension limit (10) reached") {
			t.Errorf("the eleventh: %d %s", a.status, a.body)
		}
		_ = twice
		d.note("asked")
	}))
	box.extensions = map[string]script{"agent": func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		id := rt.register("agent")
		d.note("agent asks")
		rt.nextEvent(id)
		return sandbox.Exit{}
	}}
	// The more-N never ask for an event, so the init does not end by itself.
	h := harnessOf(t, nil, box, "agent")
	done := make(chan struct{})
	go func() { defer close(done); _ = h.Environment.Init() }()
	d.wait(t, "asked")
	h.Close()
	<-done
}

// TestExtensionClosed: registration closes when the runtime asks for its first
// event.
func TestExtensionClosed(t *testing.T) {
	late := make(chan answer, 1)
	h := newHarness(t, nil, serve(func(rt *fakeRuntime, id, _ string) {
		late <- rt.ext("POST", "register", `{"events":[]}`, "Lambda-Extension-Name", "late")
		rt.respond(id, "1")
	})).init()
	h.invoke("id", "{}")
	if a := <-late; a.status != 403 || !strings.Contains(a.body, `"Extension.RegistrationClosed"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestExtensionFailures is how a failing extension ends an init or an
// invocation, and what the caller sees.
func TestExtensionFailures(t *testing.T) {
	const kind = "Lambda-Extension-Function-Error-Type"
	tests := map[string]struct {
		extension script // nil cannot be started
		errType   string
		message   string
		inInvoke  bool
	}{
		"cannot start":  {nil, "Extension.LaunchError", "extension x could not be started", false},
		"exits at once": {exits(7), "Extension.Crash", "exit status 7", false},
		"exits well":    {exits(0), "Extension.Crash", "exit code 0", false},
		"exits after registration": {func(_ context.Context, rt *fakeRuntime) sandbox.Exit {
			rt.register("x", "INVOKE")
			return sandbox.Exit{Code: 1}
		}, "Extension.Crash", "exit status 1", false},
		"init error": {func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
			id := rt.register("x", "INVOKE")
			for range 2 { // to say it again changes nothing
				if a := rt.ext("POST", "init/error", "{}", "Lambda-Extension-Identifier", id, kind, "Extension.NoKey"); a.status != 202 && ctx.Err() == nil {
					t.Errorf("init/error: %d %s", a.status, a.body)
				}
			}
			if a := rt.nextEvent(id); a.status != 403 && ctx.Err() == nil {
				t.Errorf("event/next after it: %d %s", a.status, a.body)
			}
			return sandbox.Exit{Code: 1}
		}, "Extension.InitError", "Extension.NoKey", false},
		"exits in an invocation": {func(_ context.Context, rt *fakeRuntime) sandbox.Exit {
			rt.nextEvent(rt.register("x", "INVOKE"))
			return sandbox.Exit{Code: 2}
		}, "Extension.Crash", "exit status 2", true},
		"exit error": {func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
			id := rt.register("x", "INVOKE")
			rt.nextEvent(id)
			if a := rt.ext("POST", "exit/error", "{}", "Lambda-Extension-Identifier", id, kind, "Extension.Gone"); a.status != 202 {
				t.Errorf("exit/error: %d %s", a.status, a.body)
			}
			return sandbox.Exit{Code: 1}
		}, "Extension.ExitError", "Extension.Gone", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			// A runtime that never answers: the extension decides.
			box := newFakeSandbox(t, func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
				rt.next()
				<-ctx.Done()
				return sandbox.Exit{}
			})
			box.extensions = map[string]script{"x": tt.extension}
			h := harnessOf(t, nil, box, "x").init()
			inv := h.invoke("id-1", "{}")
			var said struct{ ErrorType, ErrorMessage string }
			if err := json.Unmarshal(inv.Outcome().Payload, &said); err != nil {
				t.Fatal(err)
			}
			if said.ErrorType != tt.errType || said.ErrorMessage != "RequestId: id-1 Error: "+tt.message {
				t.Errorf("%+v", said)
			}
			if initFailed := strings.Contains(h.logs.String(), "INIT_REPORT"); initFailed == tt.inInvoke {
				t.Errorf("log:\n%s", h.logs)
			}
			if !strings.Contains(inv.LogTail(), "Error Type: "+tt.errType) {
				t.Errorf("tail:\n%s", inv.LogTail())
			}
			if n := box.alive(); n != 0 {
				t.Errorf("%d processes are left", n)
			}
		})
	}
}

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
	c.WaitTimers(1) // of the shutdown: it has not registered, so it is killed
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
