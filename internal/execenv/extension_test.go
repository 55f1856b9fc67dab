package execenv

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
)

// ext calls the Extensions API, or another where the path says so.
func (rt *fakeRuntime) ext(method, path, body string, header ...string) answer {
	if !strings.HasPrefix(path, "/") {
		path = "/2020-01-01/extension/" + path
	}
	other := *rt
	other.base = strings.TrimSuffix(rt.base, "/2018-06-01/runtime/")
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
