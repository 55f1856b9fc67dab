package execenv

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/clock/clocktest"
	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/telemetry"
)

func TestReserve(t *testing.T) {
	c := clocktest.New(start)
	h := newHarness(t, c, echo)
	if _, err := h.Reserve("id-1", 0); !errors.Is(err, ErrIllegalMove) {
		t.Errorf("Reserve before Init: %v", err)
	}
	h.init()
	invoke := func(id string, r *Reservation) error {
		inv := NewInvocation(testEvent(id, "1"), nil)
		inv.Terms = &Terms{Reservation: r}
		if err := h.Environment.Invoke(inv); err != nil {
			return err
		}
		<-inv.Finished()
		<-h.released
		return nil
	}
	r, err := h.Reserve("id-1", 0)
	if err != nil || r.Version != "$LATEST" || !r.Expires.Equal(start.Add(3*time.Second)) {
		t.Fatalf("Reserve: %+v, %v", r, err)
	}
	if got := h.State().ReservedUntil; !got.Equal(r.Expires) {
		t.Errorf("State has %v", got)
	}
	if _, err := h.Reserve("id-2", 0); err != ErrReserved {
		t.Errorf("a second Reserve: %v", err)
	}
	other, wrongVersion := r, r
	other.Token, wrongVersion.Version = "other", "1"
	for _, tt := range []struct {
		id   string
		r    *Reservation
		want error
	}{
		{"id-2", nil, ErrReserved}, {"id-1", &other, ErrUnknownReservation}, {"id-1", &wrongVersion, ErrWrongVersion},
		{"id-2", &r, ErrWrongInvokeID}, {"id-1", &r, nil}, {"id-1", &r, ErrUnknownReservation}, {"id-3", nil, nil},
	} {
		if err := invoke(tt.id, tt.r); err != tt.want {
			t.Errorf("%s with %+v: %v, want %v", tt.id, tt.r, err, tt.want)
		}
	}

	r, _ = h.Reserve("id-4", time.Second)
	c.Advance(time.Second)
	if err := invoke("id-4", &r); err != ErrReservationExpired {
		t.Errorf("expired: %v", err)
	}
	_, _ = h.Reserve("id-5", time.Second)
	c.Advance(time.Second)
	if _, err := h.Reserve("id-6", time.Second); err != nil {
		t.Errorf("Reserve after another one expired: %v", err)
	}
	if err := h.Clear(); err != nil {
		t.Errorf("Clear: %v", err)
	}
	if err := invoke("id-7", nil); err != nil {
		t.Errorf("after Clear: %v", err)
	}
}

func TestInvokeRefusesNonsense(t *testing.T) {
	h := newHarness(t, nil, echo)
	if err := h.Environment.Invoke(NewInvocation(testEvent("id-1", "1"), nil)); !errors.Is(err, ErrIllegalMove) || !strings.Contains(err.Error(), "Created") {
		t.Errorf("before Init: %v", err)
	}
	h.init()
	if _, err := h.Environment.Init(); !errors.Is(err, ErrIllegalMove) {
		t.Errorf("a second Init: %v", err)
	}
	for _, tt := range []struct {
		change func(*Invocation)
		want   error
	}{
		{func(inv *Invocation) { inv.Event.ClientContext = "{" }, ErrMalformedCustomerHeaders},
		{func(inv *Invocation) { inv.Event.CognitoIdentity = "x" }, ErrMalformedCustomerHeaders},
		{func(inv *Invocation) { inv.Responder = Buffered{MaxPayload: -1} }, ErrInvalidPayloadLimit},
		{func(inv *Invocation) { inv.Responder = Buffered{MaxPayload: envapi.MaxPayload + 1} }, ErrInvalidPayloadLimit},
	} {
		inv := NewInvocation(testEvent("id-1", "1"), nil)
		tt.change(inv)
		if err := h.Environment.Invoke(inv); err != tt.want {
			t.Errorf("%v, want %v", err, tt.want)
		}
	}
}

// TestPayloadLimit: a limit of the invocation's own, met by Write and by
// reading in place.
func TestPayloadLimit(t *testing.T) {
	var got answer
	h := newHarness(t, nil, serve(func(rt *fakeRuntime, id, event string) { got = rt.respond(id, event) })).init()
	for _, tt := range []struct {
		limit, size int
		ok          bool
	}{{10, 10, true}, {10, 11, false}, {100_000, 100_000, true}, {100_000, 100_001, false}} {
		inv := NewInvocation(testEvent("id-1", strings.Repeat("1", tt.size)), Buffered{MaxPayload: tt.limit})
		if err := h.Environment.Invoke(inv); err != nil {
			t.Fatal(err)
		}
		<-inv.Finished()
		<-h.released
		o := inv.Outcome()
		if tt.ok {
			if len(o.Payload) != tt.size || got.status != 202 || o.Err() != nil {
				t.Errorf("%+v: %d bytes, %d, %v", tt, len(o.Payload), got.status, o.Err())
			}
			continue
		}
		text := fmt.Sprintf("payload size (%d bytes).", tt.limit)
		if got.status != 413 || !strings.Contains(got.body, text) || !errors.Is(o.Err(), ErrResponseTooLarge) || !strings.Contains(string(o.Payload), text) {
			t.Errorf("%+v: %d %s, outcome %s", tt, got.status, got.body, o.Payload)
		}
	}
}

// TestRecord: everything that is measured of an invocation.
func TestRecord(t *testing.T) {
	c := clocktest.New(start)
	var h *harness
	box := newFakeSandbox(t, func(_ context.Context, rt *fakeRuntime) sandbox.Exit {
		next := rt.do("GET", "invocation/next", "", "User-Agent", "aws-lambda-go/1.2 (linux)", "Lambda-Runtime-Features", "a(b) c")
		id, event := next.header.Get("Lambda-Runtime-Aws-Request-Id"), next.body
		c.Advance(20 * time.Millisecond)
		conn := rt.dial()
		defer conn.Close()
		fmt.Fprintf(conn, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: localhost\r\nLambda-Runtime-Function-Response-Mode: streaming\r\nContent-Length: %d\r\n\r\n", id, len(event))
		for h.State().Runtime != "InvocationResponse" {
			runtime.Gosched()
		}
		c.Advance(500 * time.Millisecond)
		fmt.Fprint(conn, event)
		for h.State().Runtime == "InvocationResponse" {
			runtime.Gosched()
		}
		c.Advance(5 * time.Millisecond)
		rt.next()
		return sandbox.Exit{}
	})
	box.extensions = map[string]script{"one": listens(newDiary(), "one", "SHUTDOWN"), "two": listens(newDiary(), "two")}
	h = harnessOf(t, c, box, "one", "two")
	result, err := h.Environment.Init()
	if err != nil || result.Err != nil || result.RuntimeRelease != "aws-lambda-go/1.2 (ab c)" || strings.Join(result.Extensions, " ") != "one two" {
		t.Fatalf("Init: %+v, %v", result, err)
	}
	inv := NewInvocation(testEvent("id-1", strings.Repeat("7", 1000)), nil)
	inv.Terms = &Terms{Received: start.Add(-time.Second), RequestRead: time.Millisecond}
	if err := h.Environment.Invoke(inv); err != nil {
		t.Fatal(err)
	}
	<-inv.Finished()
	<-h.released
	want := Record{
		RequestID: "id-1", Status: telemetry.StatusSuccess,
		Received: start.Add(-time.Second), RequestRead: time.Millisecond, RequestBytes: 1000,
		Started: start, RuntimeReady: start.Add(525 * time.Millisecond), Finished: start.Add(525 * time.Millisecond), Duration: 525 * time.Millisecond,
		ResponseMode: ResponseBuffered, FunctionResponseMode: ResponseStreaming, Responded: true,
		ResponseLatency: 20 * time.Millisecond, ResponseDuration: 500 * time.Millisecond, ResponseBytes: 1000, ResponseThroughput: 2000,
		Extensions: []string{"one", "two"}, RuntimeRelease: "aws-lambda-go/1.2 (ab c)", MaxMemoryBytes: 36 << 20,
	}
	if diff := cmp.Diff(want, inv.Record()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestJoinNames(t *testing.T) {
	long := strings.Repeat("n", 60)
	for want, names := range map[string][]string{
		"": nil, "a;b": {"a", "b"}, long + ";" + long: {long, long, long},
		strings.Repeat("m", 127): {strings.Repeat("m", 127)},
		"x":                      {"x", strings.Repeat("m", 126)},
	} {
		if got := joinNames(names); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := joinNames([]string{strings.Repeat("m", 128)}); got != "" {
		t.Errorf("a name that is too long: %q", got)
	}
}

func TestRuntimeRelease(t *testing.T) {
	for _, tt := range []struct{ agent, features, want string }{
		{"", "", "Unknown"}, {"a/1 b", "", "a/1"}, {"a/1", "x (y)", "a/1 (x y)"},
		{strings.Repeat("a", 200), "x", strings.Repeat("a", 128)},
		{"a", strings.Repeat("x", 200), "a (" + strings.Repeat("x", 124) + ")"},
	} {
		if got := runtimeRelease(tt.agent, tt.features); got != tt.want {
			t.Errorf("%q, %q: %q, want %q", tt.agent, tt.features, got, tt.want)
		}
	}
}

// TestReset: the verb in every phase, and what becomes of an invocation.
func TestReset(t *testing.T) {
	for _, tt := range []struct {
		reason, errType string
		status          telemetry.Status
		is              error
	}{
		{"", "Sandbox.Failure", telemetry.StatusFailure, ErrPlatform},
		{ReasonTimeout, "Sandbox.Timedout", telemetry.StatusTimeout, ErrTimedOut},
	} {
		h := newHarness(t, nil, serve(func(rt *fakeRuntime, id, event string) {
			if event == `"hang"` {
				<-rt.ctx.Done()
				return
			}
			rt.respond(id, event)
		}))
		if _, err := h.Reset(ResetRequest{Reason: tt.reason}); !errors.Is(err, ErrIllegalMove) {
			t.Errorf("before Init: %v", err)
		}
		h.init()
		if r, err := h.Reset(ResetRequest{Reason: tt.reason}); err != nil || r.ErrorType != tt.errType || r.Record != nil {
			t.Errorf("while idle: %+v, %v", r, err)
		}
		if got := h.State().Phase; got != "NeedsInit" {
			t.Errorf("phase %s", got)
		}
		if _, err := h.Reset(ResetRequest{Reason: tt.reason}); err != nil {
			t.Errorf("a second time: %v", err)
		}
		inv := h.begin("id-1", `"hang"`)
		r, err := h.Reset(ResetRequest{Reason: tt.reason})
		if err != nil || r.Record == nil || r.Record.Status != tt.status || r.Record.RequestID != "id-1" || r.ErrorType != tt.errType {
			t.Errorf("in an invocation: %+v, %v", r, err)
		}
		if err := inv.Outcome().Err(); !errors.Is(err, tt.is) {
			t.Errorf("outcome %v", err)
		}
		<-h.released
		if o := h.invoke("id-2", "2").Outcome(); string(o.Payload) != "2" {
			t.Errorf("afterwards: %s", o.Payload)
		}
		h.sandbox.onKill = func() error { return syscall.EIO }
		if _, err := h.Reset(ResetRequest{}); !errors.Is(err, ErrPlatform) {
			t.Errorf("a sandbox that cannot be reset: %v", err)
		}
		h.sandbox.onKill = nil
		if _, err := h.Reset(ResetRequest{}); err != ErrClosed {
			t.Errorf("afterwards: %v", err)
		}
	}
}

// TestEndingDeadline: a deadline of the caller's goes before AWS's times.
func TestEndingDeadline(t *testing.T) {
	c := clocktest.New(start)
	events := make(chan string, 1)
	box := newFakeSandbox(t, serve(func(rt *fakeRuntime, id, event string) { rt.respond(id, event) }))
	box.extensions = map[string]script{"slow": func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		id := rt.register("slow", "SHUTDOWN")
		events <- rt.nextEvent(id).body
		<-ctx.Done()
		return sandbox.Exit{}
	}}
	h := harnessOf(t, c, box, "slow").init()
	done := make(chan ShutdownResult)
	go func() {
		r, _ := h.Shutdown(start.Add(50 * time.Millisecond))
		done <- r
	}()
	if got, want := <-events, fmt.Sprintf(`"deadlineMs":%d`, start.Add(50*time.Millisecond).UnixMilli()); !strings.Contains(got, want) {
		t.Errorf("event %s, want %s", got, want)
	}
	c.WaitTimers(1)
	c.Advance(50 * time.Millisecond)
	if r := <-done; r.Took != 50*time.Millisecond {
		t.Errorf("took %v", r.Took)
	}
	if r, err := h.Shutdown(time.Time{}); err != nil || r.Took != 50*time.Millisecond {
		t.Errorf("a second Shutdown: %+v, %v", r, err)
	}
	if err := h.Clear(); err != ErrClosed {
		t.Errorf("Clear: %v", err)
	}
}
