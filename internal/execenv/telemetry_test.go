package execenv

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/sandbox"
)

// Dial is how telemetry reaches a server "inside".
func (s *fakeSandbox) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// sink is a subscriber's server; it notes the events' types, and keeps them.
type sink struct {
	*httptest.Server
	diary *diary

	mu     sync.Mutex
	events []map[string]any
}

func newSink(t *testing.T, d *diary) *sink {
	s := &sink{diary: d}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		var batch []map[string]any
		if err := json.Unmarshal(b, &batch); err != nil {
			t.Errorf("%v in %s", err, b)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, ev := range batch {
			s.events = append(s.events, ev)
			d.note("%s", ev["type"])
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// kinds are the types of all events, with the text of log lines.
func (s *sink) kinds() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kinds []string
	for _, ev := range s.events {
		kind := ev["type"].(string)
		if text, ok := ev["record"].(string); ok {
			kind += " " + text
		}
		kinds = append(kinds, kind)
	}
	return kinds
}

func (s *sink) record(kind string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ev := range s.events {
		if ev["type"] == kind {
			r, _ := ev["record"].(map[string]any)
			return r
		}
	}
	return nil
}

// subscribes is an extension that subscribes to everything.
func (s *sink) subscribes(t *testing.T) script {
	return func(_ context.Context, rt *fakeRuntime) sandbox.Exit {
		id := rt.register("agent", "INVOKE", "SHUTDOWN")
		_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
		a := rt.ext("PUT", "/2022-07-01/telemetry", fmt.Sprintf(`{"schemaVersion":"2022-12-13","types":["platform","function","extension"],`+
			`"buffering":{"timeoutMs":25},"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:%s/"}}`, port),
			"Lambda-Extension-Identifier", id)
		if a.status != 200 || a.body != `"OK"` {
			t.Errorf("subscription: %d %s", a.status, a.body)
		}
		_, _ = io.WriteString(rt.out, "agent is here\n")
		s.diary.note("subscribed")
		for {
			if a := rt.nextEvent(id); a.status == 0 || a.event(t).EventType == "SHUTDOWN" {
				s.diary.note("shutdown")
				return sandbox.Exit{}
			}
			s.diary.wait(t, "platform.runtimeDone") // it is at work until then
		}
	}
}

// TestTelemetry: a subscriber gets every event of the environment's life, also
// those before its subscription, in order.
func TestTelemetry(t *testing.T) {
	d := newDiary()
	s := newSink(t, d)
	box := newFakeSandbox(t, func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		d.wait(t, "subscribed")
		rt.writeLate("here I am\n")
		return serve(func(rt *fakeRuntime, id, event string) {
			rt.writeLate("working on " + id + "\n")
			rt.respond(id, event)
		})(ctx, rt)
	})
	box.extensions = map[string]script{"agent": s.subscribes(t)}
	h := harnessOf(t, nil, box, "agent").init()
	inv := NewInvocation(testEvent("id-1", `"x"`), nil)
	inv.Event.TraceID, inv.Event.Segment, inv.Event.CallerSegment = "Root=1-5-6;Parent=1;Sampled=1", "1", "2"
	inv.Event.TenantID = "blue"
	if err := h.Environment.Invoke(inv); err != nil {
		t.Fatal(err)
	}
	<-inv.Finished()
	d.wait(t, "platform.report")
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"platform.initStart", "platform.telemetrySubscription", "extension agent is here", "function here I am", "platform.initRuntimeDone", "platform.extension",
		"platform.initReport", "platform.start", "function working on id-1", "platform.runtimeDone", "platform.report",
	}
	if diff := cmp.Diff(want, s.kinds()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if r := s.record("platform.runtimeDone"); r["status"] != "success" || r["requestId"] != "id-1" || r["metrics"].(map[string]any)["producedBytes"] != 3.0 ||
		len(r["spans"].([]any)) != 3 {
		t.Errorf("runtimeDone %v", r)
	}
	for _, kind := range []string{"platform.start", "platform.runtimeDone", "platform.report"} {
		r := s.record(kind)
		trace := map[string]any{"type": "X-Amzn-Trace-Id", "value": "Root=1-5-6;Parent=2;Sampled=1", "spanId": "1"}
		if r["tenantId"] != "blue" || !cmp.Equal(r["tracing"], any(trace)) {
			t.Errorf("%s %v", kind, r)
		}
	}
	if r := s.record("platform.report"); r["metrics"].(map[string]any)["initDurationMs"] == nil || r["spans"].([]any)[0].(map[string]any)["name"] != "extensionOverhead" {
		t.Errorf("report %v", r)
	}
	for _, line := range []string{"EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n", "TELEMETRY\tName: agent\tState: Subscribed\tTypes: [Platform, Function, Extension]\n", "agent is here\n"} {
		if !strings.Contains(h.logs.String(), line) {
			t.Errorf("%q is not in the log:\n%s", line, h.logs)
		}
	}
}

// TestTelemetryOfFailure: what ends an environment's life reaches the
// subscribers before they are told to end.
func TestTelemetryOfFailure(t *testing.T) {
	d := newDiary()
	s := newSink(t, d)
	box := newFakeSandbox(t, func(_ context.Context, rt *fakeRuntime) sandbox.Exit {
		rt.next()
		rt.writeLate("last words\n")
		return sandbox.Exit{Code: 3}
	})
	box.extensions = map[string]script{"agent": s.subscribes(t)}
	h := harnessOf(t, nil, box, "agent").init()
	h.invoke("id-1", "{}")
	if words, done := d.index("function"), d.index("platform.runtimeDone"); words > done {
		t.Errorf("the last words came at %d, after the runtime was done at %d", words, done)
	}
	for _, kind := range []string{"function", "platform.runtimeDone", "platform.report"} {
		if i := d.index(kind); i < 0 || i > d.index("shutdown") {
			t.Errorf("%s came at %d, the shutdown at %d", kind, i, d.index("shutdown"))
		}
		if r := s.record(kind); kind != "function" && (r["status"] != "error" || r["errorType"] != "Runtime.ExitError") {
			t.Errorf("%s %v", kind, r)
		}
	}
}
