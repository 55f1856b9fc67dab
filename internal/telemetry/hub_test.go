package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// logsBody is a Logs API subscription for the same port as httpBody.
const logsBody = `{"types":["platform","function"],"destination":{"protocol":"HTTP","URI":"http://sandbox:4243/logs"}}`

// TestSubscribeRules goes through what is refused and what is not, in order.
func TestSubscribeRules(t *testing.T) {
	w, _ := httpWorld(t, nil, nil)
	to := func(port int) string { return strings.Replace(httpBody, "4243", fmt.Sprint(port), 1) }
	for i, tt := range []struct {
		api       API
		extension string
		body      string
		changed   bool
		status    int
		kind      string
		message   string
		count     int // of subscribers afterwards
	}{
		{TelemetryAPI, "a", `{}`, false, 400, "ValidationError", "schemaVersion", 0},
		{TelemetryAPI, "a", to(1), true, 0, "", "", 1},
		{TelemetryAPI, "a", to(1), false, 0, "", "", 1},
		{TelemetryAPI, "a", strings.Replace(to(1), "sandbox.localdomain", "sandbox", 1), false, 0, "", "", 1},
		{TelemetryAPI, "a", strings.Replace(to(1), `"function",`, "", 1), true, 0, "", "", 1},
		{TelemetryAPI, "a", to(2), true, 0, "", "", 2},
		{TelemetryAPI, "a", strings.Replace(to(2), "/events", "/other", 1), true, 0, "", "", 3},
		{TelemetryAPI, "a", to(4), true, 0, "", "", 4},
		{TelemetryAPI, "a", strings.Replace(tcpBody, "4243", "4", 1), true, 0, "", "", 5},
		{TelemetryAPI, "a", to(6), false, 400, "ValidationError", "subscription limit (5) reached", 5},
		{TelemetryAPI, "a", to(4), false, 0, "", "", 5},
		{LogsAPI, "a", logsBody, false, 400, "Logs.ValidationError", "has subscribed to the Telemetry API", 5},
		{LogsAPI, "b", logsBody, true, 0, "", "", 6},
		{TelemetryAPI, "b", to(1), false, 400, "ValidationError", "has subscribed to the Logs API", 6},
		{TelemetryAPI, "c", to(1), true, 0, "", "", 7},
	} {
		_, changed, err := w.Subscribe(tt.api, tt.extension, []byte(tt.body))
		if tt.status != 0 {
			wantError(t, fmt.Sprint(i), err, tt.status, tt.kind, tt.message)
		} else if err != nil {
			t.Errorf("%d: %v", i, err)
		}
		if changed != tt.changed || w.Stats().Subscriptions != tt.count {
			t.Errorf("%d: changed %v, %d subscribers", i, changed, w.Stats().Subscriptions)
		}
	}
}

// TestSubscribeClosed: after the init, and where there is no way to deliver;
// both come before any look at the body.
func TestSubscribeClosed(t *testing.T) {
	for _, tt := range []struct {
		name    string
		api     API
		cfg     func(*Config)
		status  int
		kind    string
		message string
	}{
		{"telemetry", TelemetryAPI, nil, 403, "Telemetry.SubscriptionClosed", "Telemetry API subscription is closed already"},
		{"logs", LogsAPI, nil, 403, "Logs.SubscriptionClosed", "Logs API subscription is closed already"},
		{
			"managed", TelemetryAPI, func(c *Config) { c.Rules.ManagedInstances = true },
			403, "Telemetry.SubscriptionClosed", "Telemetry API subscription is closed",
		},
		{"no way", TelemetryAPI, func(c *Config) { c.Dial = nil }, 202, "Telemetry.NotSupported", "Telemetry API is not supported"},
		{"no way for logs", LogsAPI, func(c *Config) { c.Dial = nil }, 202, "Logs.NotSupported", "Logs API is not supported"},
	} {
		w := newWorld(t, nil, tt.cfg)
		w.CloseSubscriptions()
		_, changed, err := w.Subscribe(tt.api, "a", []byte(`{`))
		var e *Error
		want := &Error{tt.status, tt.kind, tt.message}
		if !errors.As(err, &e) || *e != *want || changed {
			t.Errorf("%s: got %#v, want %#v", tt.name, err, want)
		}
	}
}

// TestClosedForGood: a closed Hub wants nothing and stays closed; so is none.
func TestClosedForGood(t *testing.T) {
	w, _ := httpWorld(t, nil, nil)
	w.mustSubscribe(TelemetryAPI, "a", httpBody)
	w.Close()
	w.Reset()
	_, _, err := w.Subscribe(TelemetryAPI, "a", []byte(httpBody))
	wantError(t, "after Close", err, 403, "Telemetry.SubscriptionClosed", "closed already")
	if w.Wants(allCategories) || (*Hub)(nil).Wants(allCategories) {
		t.Error("wants something")
	}
	(*Hub)(nil).Emit(epoch, End{})
}

// TestWants: all while there may be subscribers to come, then what they want.
func TestWants(t *testing.T) {
	w, _ := httpWorld(t, nil, nil)
	wants := func() []string {
		var c Category
		for _, one := range categories {
			if w.Wants(one.bit) {
				c |= one.bit
			}
		}
		return c.Names()
	}
	all := []string{"platform", "function", "extension"}
	if diff := cmp.Diff(all, wants()); diff != "" {
		t.Error(diff)
	}
	w.mustSubscribe(LogsAPI, "a", logsBody)
	w.CloseSubscriptions()
	if diff := cmp.Diff(all[:2], wants()); diff != "" {
		t.Error(diff)
	}
	w.Reset()
	if diff := cmp.Diff(all, wants()); diff != "" {
		t.Error(diff)
	}
	w.CloseSubscriptions()
	if got := wants(); got != nil {
		t.Errorf("wants %q without subscribers", got)
	}
}

// TestSchemasSideBySide: each subscriber gets the events of its API in its
// schema's form.
func TestSchemasSideBySide(t *testing.T) {
	w, got := httpWorld(t, nil, nil)
	w.mustSubscribe(TelemetryAPI, "a", httpBody)
	w.mustSubscribe(LogsAPI, "b", logsBody)
	w.Subscribing(epoch, Subscribing{API: TelemetryAPI, Name: "a", State: Subscribed})
	w.Subscribing(epoch, Subscribing{API: LogsAPI, Name: "b", State: Subscribed})
	w.CloseSubscriptions()
	w.InitReport(epoch, InitReport{})
	w.InvokeStart(epoch, InvokeStart{RequestID: "r"})
	w.Line(epoch, Line{Source: Extension, Text: []byte("ext")})
	w.Line(epoch, Line{Source: Function, Text: []byte(`{"a":1}`), JSON: true})
	w.RuntimeDone(epoch, RuntimeDone{RequestID: "r"})
	w.End(epoch, End{RequestID: "r"})
	w.Report(epoch, Report{RequestID: "r"})
	w.Fault(epoch, Fault{Text: "f"})
	if err := w.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	byTarget := map[string][]string{}
	for range 2 {
		p := await(t, got)
		byTarget[p.uri] = kinds(p.events)
	}
	want := map[string][]string{
		"/events?x=1": {
			"platform.telemetrySubscription", "platform.logsSubscription", "platform.initReport", "platform.start",
			`"ext"`, `{"a":1}`, "platform.runtimeDone", "platform.report",
		},
		"/logs": {"platform.logsSubscription", "platform.start", `"{\"a\":1}"`, "platform.end", "platform.report", "platform.fault"},
	}
	if diff := cmp.Diff(want, byTarget); diff != "" {
		t.Error(diff)
	}
}

// TestReplace: new settings for the same destination; of the types that it
// did not have before, the subscriber gets what it missed.
func TestReplace(t *testing.T) {
	w, got := httpWorld(t, nil, nil)
	w.Line(epoch, function("early"))
	w.Line(epoch, Line{Source: Extension, Text: []byte("known")})
	w.InitStart(epoch, InitStart{})
	w.mustSubscribe(TelemetryAPI, "a", strings.Replace(httpBody, `"function",`, "", 1))
	w.Line(epoch, function("later"))
	w.mustSubscribe(TelemetryAPI, "a", strings.Replace(httpBody, `"platform",`, "", 1))
	w.InitReport(epoch, InitReport{})
	if err := w.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{`"known"`, "platform.initStart", `"early"`, `"later"`}, kinds(await(t, got).events)); diff != "" {
		t.Error(diff)
	}
}

// TestBacklogBounded: what did not fit is counted for those who would have
// wanted it; and nothing is borrowed from the emitter.
func TestBacklogBounded(t *testing.T) {
	w, got := httpWorld(t, nil, func(c *Config) { c.BacklogBytes = 2*eventBytes + 10 })
	line := []byte("first")
	w.Line(epoch, Line{Source: Function, Text: line})
	copy(line, "XXXXX")
	w.Line(epoch, function("second is too long"))
	w.Line(epoch, Line{Source: Extension, Text: []byte("not wanted and too long")})
	w.Line(epoch, function("third"))
	w.Line(epoch, function("fourth"))
	w.mustSubscribe(LogsAPI, "a", logsBody)
	if err := w.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	p := await(t, got)
	if diff := cmp.Diff([]string{`"first"`, `"third"`, "platform.logsDropped"}, kinds(p.events)); diff != "" {
		t.Error(diff)
	}
	want := `{"droppedRecords":2,"droppedBytes":24,"reason":"` + reasonTexts[tooSlow] + `"}`
	if last := string(p.events[2].Record); last != want {
		t.Errorf("got %s, want %s", last, want)
	}
}

// TestReset: the subscribers are gone, and the next init's can come.
func TestReset(t *testing.T) {
	w, got := httpWorld(t, nil, nil)
	w.mustSubscribe(TelemetryAPI, "a", httpBody)
	w.CloseSubscriptions()
	w.Line(epoch, function("lost"))
	w.Reset()
	w.Line(epoch, function("kept"))
	w.mustSubscribe(TelemetryAPI, "a", httpBody)
	if err := w.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{`"kept"`}, kinds(await(t, got).events)); diff != "" {
		t.Error(diff)
	}
	if stats := w.Stats(); stats != (Stats{Subscriptions: 1, Delivered: 1}) || w.held != 0 {
		t.Errorf("stats %+v, %d bytes held", stats, w.held)
	}
}

// TestPause: nothing is sent to a frozen environment, however due it is.
func TestPause(t *testing.T) {
	w, got := httpWorld(t, nil, nil)
	w.mustSubscribe(TelemetryAPI, "a", httpBody)
	w.Line(epoch, function("one"))
	w.started(batchTimeout)
	w.Pause()
	w.clock.Advance(batchTimeout)
	ctx, cancel := context.WithCancel(context.Background())
	flushed := make(chan error)
	go func() { flushed <- w.Flush(ctx) }()
	cancel()
	if err := await(t, flushed); !errors.Is(err, context.Canceled) {
		t.Errorf("Flush in a pause: %v", err)
	}
	if n := w.dials.Load(); n != 0 {
		t.Errorf("%d connections in a pause", n)
	}
	for sub := w.subs[0]; len(sub.kick) > 0; { // until the owner has seen the flush
		runtime.Gosched()
	}
	w.Resume()
	w.Resume() // has nothing to undo
	if diff := cmp.Diff([]string{`"one"`}, kinds(await(t, got).events)); diff != "" {
		t.Error(diff)
	}
}

// TestPauseExcuses: a subscriber that is frozen under a request has not failed.
func TestPauseExcuses(t *testing.T) {
	arrived, thawed := make(chan struct{}), make(chan struct{})
	w, got := httpWorld(t, func(n int, _ http.ResponseWriter) {
		if n == 1 {
			close(arrived)
			<-thawed
		}
	}, func(c *Config) { c.Attempts = 1 })
	t.Cleanup(func() { close(thawed) }) // before the server is closed
	w.mustSubscribe(TelemetryAPI, "a", httpBody)
	w.Line(epoch, function("one"))
	w.expire(batchTimeout)
	w.started(attemptTimeout)
	await(t, arrived)
	w.Pause()
	w.clock.Advance(attemptTimeout)
	w.expire(firstBackoff)
	w.Resume()
	if diff := cmp.Diff([]string{`"one"`}, kinds(await(t, got).events)); diff != "" {
		t.Error(diff)
	}
	if err := w.Flush(context.Background()); err != nil {
		t.Error(err)
	}
	if stats := w.Stats(); stats.Delivered != 1 || stats.Dropped != 0 {
		t.Errorf("stats %+v", stats)
	}
}

// TestFlushEnds: with Close, and at once when there is nothing to do.
func TestFlushEnds(t *testing.T) {
	w, _ := httpWorld(t, nil, nil)
	w.mustSubscribe(TelemetryAPI, "a", httpBody)
	if err := w.Flush(context.Background()); err != nil {
		t.Errorf("with nothing queued: %v", err)
	}
	w.Pause()
	w.Line(epoch, function("one"))
	flushed := make(chan error)
	go func() { flushed <- w.Flush(context.Background()) }()
	w.Close()
	if err := await(t, flushed); err != nil && !errors.Is(err, ErrClosed) {
		t.Errorf("Flush: %v", err)
	}
	if w.held != 0 {
		t.Errorf("%d bytes held", w.held)
	}
}

// TestEmitCostsNothing without subscribers: no allocation, for any event that
// an invocation has.
func TestEmitCostsNothing(t *testing.T) {
	w := newWorld(t, nil, nil)
	w.CloseSubscriptions()
	text, id := []byte("a line"), fmt.Sprint(t.Name())
	if n := testing.AllocsPerRun(100, func() { emitInvocation(w.Hub, epoch, id, text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// emitInvocation reports what an ordinary warm invocation does. Nothing that
// the compiler could prepare: constant events would never be allocated.
func emitInvocation(h *Hub, at time.Time, id string, text []byte) {
	h.InvokeStart(at, InvokeStart{RequestID: id, Version: "$LATEST", Tracing: someTracing})
	h.Line(at, Line{Source: Function, Text: text})
	h.RuntimeDone(at, RuntimeDone{RequestID: id, Status: StatusSuccess, Duration: time.Millisecond, Spans: someSpans})
	h.Report(at, Report{
		RequestID: id, Status: StatusSuccess,
		Metrics: ReportMetrics{Duration: time.Millisecond, BilledDurationMs: 1, MemorySizeMB: 128, MaxMemoryUsedMB: 30},
	})
}
