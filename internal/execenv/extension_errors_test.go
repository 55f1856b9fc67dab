package execenv

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/lambhq/lamb/internal/clock/clocktest"
	"github.com/lambhq/lamb/internal/sandbox"
)

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
		"which event first":  {request{"POST", "register", `{"events":["FOO"]}`, []string{name, "twice"}}, "Extension.InvalidEventType", "FOO: ErrorInvalidEventType"},
		"events are no list": {request{"POST", "register", `{"events":1}`, []string{name, "n"}}, "InvalidRequestFormat", "json: cannot unmarshal number into Go struct field .events of type []string"},
		"external twice":     {request{"POST", "register", events, []string{name, "agent"}}, "Extension.InvalidExtensionState", "State transition from Ready to Registered failed for extension agent. Error: State transition is not allowed"},
		"no identifier":      {request{"GET", "event/next", "", nil}, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header"},
		"no UUID":            {request{"GET", "event/next", "", []string{id, "x"}}, "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier"},
		"unknown identifier": {request{"GET", "event/next", "", []string{id, unknown}}, "Extension.UnknownExtensionIdentifier", "Unknown extension " + unknown},
		"unknown init error": {request{"POST", "init/error", "", []string{id, unknown, kind, "Extension.A"}}, "Extension.UnknownExtensionIdentifier", "Unknown Lambda-Extension-Identifier"},
		"unknown exit error": {request{"POST", "exit/error", "", []string{id, unknown, kind, "Extension.A"}}, "Extension.UnknownExtensionIdentifier", "Unknown Lambda-Extension-Identifier"},
		"unknown subscriber": {request{"PUT", "/2022-07-01/telemetry", "{}", []string{id, unknown}}, "Extension.UnknownExtensionIdentifier", "Unknown extension " + unknown},
		"unknown to logs":    {request{"PUT", "/2020-08-15/logs", "{}", []string{id, unknown}}, "Extension.UnknownExtensionIdentifier", "Unknown extension " + unknown},
		"nameless to logs":   {request{"PUT", "/2020-08-15/logs", "{}", nil}, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header"},
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
	go func() { defer close(done); _, _ = h.Environment.Init() }()
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

// TestExtensionStates: what an extension may do depends on what it has done.
func TestExtensionStates(t *testing.T) {
	const kind, name = "Lambda-Extension-Function-Error-Type", "Lambda-Extension-Identifier"
	refused := func(a answer, message string) {
		t.Helper()
		want := fmt.Sprintf(`{"errorMessage":%q,"errorType":"Extension.InvalidExtensionState"}`, message+". Error: State transition is not allowed")
		if got := strings.TrimSpace(a.body); a.status != 403 || got != want {
			t.Errorf("%d %s, want 403 %s", a.status, got, want)
		}
	}
	box := newFakeSandbox(t, hangsInEvent)
	box.extensions = map[string]script{"x": func(_ context.Context, rt *fakeRuntime) sandbox.Exit {
		id := rt.register("x", "INVOKE")
		rt.nextEvent(id)
		refused(rt.ext("POST", "register", `{"events":[]}`, "Lambda-Extension-Name", "x"), "State transition from Running to Registered failed for extension x")
		refused(rt.ext("POST", "init/error", "", name, id, kind, "Extension.A"), "State transition from Running to InitError failed for extension "+id)
		for range 2 {
			if a := rt.ext("POST", "exit/error", "", name, id, kind, "Extension.A"); a.status != 202 || strings.TrimSpace(a.body) != `{"status":"OK"}` {
				t.Errorf("exit/error: %d %s", a.status, a.body)
			}
		}
		refused(rt.nextEvent(id), "State transition from ExitError to Ready failed for extension "+id)
		refused(rt.ext("POST", "init/error", "", name, id, kind, "Extension.A"), "State transition from ExitError to InitError failed for extension "+id)
		return sandbox.Exit{}
	}}
	h := harnessOf(t, nil, box, "x").init()
	if o := h.invoke("id-1", "{}").Outcome(); string(o.Payload) != `{"errorType":"Extension.ExitError","errorMessage":"RequestId: id-1 Error: exit code 0"}` {
		t.Errorf("%s", o.Payload)
	}
}

// TestExtensionStays: an extension that reports its failure and does not end
// has its time, and then the environment fails without it. One inside the
// runtime is not waited for.
func TestExtensionStays(t *testing.T) {
	const kind, name = "Lambda-Extension-Function-Error-Type", "Lambda-Extension-Identifier"
	reports := func(rt *fakeRuntime, id string) {
		if a := rt.ext("POST", "exit/error", "", name, id, kind, "Extension.Gone"); a.status != 202 && a.status != 0 {
			t.Errorf("exit/error: %d %s", a.status, a.body)
		}
	}
	t.Run("external", func(t *testing.T) {
		c := clocktest.New(start)
		box := newFakeSandbox(t, hangsInEvent)
		box.extensions = map[string]script{"x": func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
			id := rt.register("x", "INVOKE")
			rt.nextEvent(id)
			reports(rt, id)
			<-ctx.Done()
			return sandbox.Exit{}
		}}
		h := harnessOf(t, c, box, "x").init()
		inv := h.begin("id-1", "{}")
		c.WaitTimers(2) // the invocation's and its own
		c.Advance(budgetExternal)
		<-inv.Answered()
		c.WaitTimers(2) // the invocation's again, and the shutdown's
		c.Advance(budgetExternal)
		<-inv.Finished()
		if o := inv.Outcome(); o.ErrorType != "Extension.ExitError" || !strings.Contains(string(o.Payload), "Error: Extension.Gone") {
			t.Errorf("%s", o.Payload)
		}
	})
	t.Run("internal", func(t *testing.T) {
		h := newHarness(t, nil, func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
			id := rt.register("inside", "INVOKE")
			go rt.nextEvent(id)
			rt.next()
			reports(rt, id)
			<-ctx.Done()
			return sandbox.Exit{}
		}).init()
		if o := h.invoke("id-1", "{}").Outcome(); o.ErrorType != "Extension.ExitError" || !strings.Contains(string(o.Payload), "Error: Extension.Gone") {
			t.Errorf("%s", o.Payload)
		}
	})
}

// hangsInEvent is a runtime that never answers.
func hangsInEvent(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
	rt.next()
	<-ctx.Done()
	return sandbox.Exit{}
}

// TestElevenExtensions: there is no place for so many.
func TestElevenExtensions(t *testing.T) {
	d := newDiary()
	box := newFakeSandbox(t, echo)
	box.extensions = map[string]script{}
	var names []string
	for i := range 11 {
		name := fmt.Sprintf("x%02d", i)
		names = append(names, name)
		box.extensions[name] = listens(d, name, "SHUTDOWN")
	}
	h := harnessOf(t, nil, box, names...).init()
	inv := h.invoke("id-1", "{}")
	if o := inv.Outcome(); string(o.Payload) != `{"errorType":"Extension.LaunchError","errorMessage":"RequestId: id-1 Error: ErrTooManyExtensions"}` {
		t.Errorf("%s", o.Payload)
	}
	if !strings.Contains(inv.LogTail(), "EXTENSION\tName: x10\tState: LaunchError\tEvents: []\tError Type: TooManyExtensions\n") {
		t.Errorf("tail:\n%s", inv.LogTail())
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
		state     string // what is logged of it
	}{
		"cannot start":  {nil, "Extension.LaunchError", "fork/exec /opt/extensions/x: permission denied", false, "LaunchError\tEvents: []\tError Type: PermissionDenied"},
		"exits at once": {exits(7), "Extension.Crash", "exit status 7", false, "Started\tEvents: []"},
		"exits well":    {exits(0), "Extension.Crash", "exit code 0", false, "Started\tEvents: []"},
		"exits after registration": {func(_ context.Context, rt *fakeRuntime) sandbox.Exit {
			rt.register("x", "INVOKE")
			return sandbox.Exit{Code: 1}
		}, "Extension.Crash", "exit status 1", false, "Registered\tEvents: [INVOKE]"},
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
		}, "Extension.InitError", "exit status 1", false, "InitError\tEvents: [INVOKE]\tError Type: Extension.NoKey"},
		"exits in an invocation": {func(_ context.Context, rt *fakeRuntime) sandbox.Exit {
			rt.nextEvent(rt.register("x", "INVOKE"))
			return sandbox.Exit{Code: 2}
		}, "Extension.Crash", "exit status 2", true, "Ready\tEvents: [INVOKE]"},
		"exit error": {func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
			id := rt.register("x", "INVOKE")
			rt.nextEvent(id)
			if a := rt.ext("POST", "exit/error", "{}", "Lambda-Extension-Identifier", id, kind, "Extension.Gone"); a.status != 202 {
				t.Errorf("exit/error: %d %s", a.status, a.body)
			}
			return sandbox.Exit{Code: 1}
		}, "Extension.ExitError", "exit status 1", true, "Ready\tEvents: [INVOKE]"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			// A runtime that never answers: the extension decides.
			box := newFakeSandbox(t, hangsInEvent)
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
			if line := "EXTENSION\tName: x\tState: " + tt.state + "\n"; !strings.Contains(h.logs.String(), line) {
				t.Errorf("%q is not in the log:\n%s", line, h.logs)
			}
			if n := box.alive(); n != 0 {
				t.Errorf("%d processes are left", n)
			}
		})
	}
}
