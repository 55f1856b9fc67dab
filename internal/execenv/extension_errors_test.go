package execenv

import (
	"context"
	"encoding/json"
	"fmt"
	"github.com/lambhq/lamb/internal/sandbox"
	"strings"
	"testing"
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
