package execenv

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/clock/clocktest"
	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/telemetry"
)

// TestXRayLine: REPORT names the trace and the segment of what is sampled, as
// a second line of the same event.
func TestXRayLine(t *testing.T) {
	const root, parent = "1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
	for header, want := range map[string]bool{
		"Root=" + root + ";Parent=" + parent + ";Sampled=1;Lineage=a:0": true,
		"Root=" + root + ";Parent=" + parent + ";Sampled=0":             false,
		"Root=1-2-3;Sampled=1": false,
		"":                     false,
	} {
		h := newHarness(t, nil, echo).init()
		inv := NewInvocation(testEvent("id-1", "{}"), nil)
		inv.WantLog, inv.Event.TraceID = true, header
		if err := h.Environment.Invoke(inv); err != nil {
			t.Fatal(err)
		}
		<-inv.Finished()
		line := "\t\nXRAY TraceId: " + root + "\tSegmentId: " + parent + "\tSampled: true\t\n"
		if got := strings.HasSuffix(inv.LogTail(), line); got != want || strings.Contains(inv.LogTail(), "XRAY") != want {
			t.Errorf("%q: %q", header, inv.LogTail())
		}
	}
}

// TestTracing: events have the caller's segment in the header and the
// invocation's own beside it, as AWS's guide to OpenTelemetry reads them; the
// log's line names the invocation's own.
func TestTracing(t *testing.T) {
	const root, own, caller = "Root=1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8", "bbbbbbbbbbbbbbbb"
	for name, tt := range map[string]struct {
		event envapi.Event
		want  telemetry.Tracing
	}{
		"not sampled":    {envapi.Event{TraceID: root + ";Parent=" + own + ";Sampled=0", Segment: own}, telemetry.Tracing{}},
		"passed through": {envapi.Event{TraceID: root + ";Parent=" + caller + ";Sampled=1"}, telemetry.Tracing{Value: root + ";Parent=" + caller + ";Sampled=1"}},
		"with lineage": {envapi.Event{TraceID: root + ";Parent=" + own + ";Sampled=1;Lineage=1:a:0", Segment: own, CallerSegment: caller},
			telemetry.Tracing{Value: root + ";Parent=" + caller + ";Sampled=1;Lineage=1:a:0", SpanID: own}},
	} {
		got := tracing(&tt.event)
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
		if line := string(appendXRay(nil, got)); tt.event.Segment != "" && got.Value != "" && !strings.Contains(line, "SegmentId: "+own) {
			t.Errorf("%s: the log has %q", name, line)
		}
	}
}

// TestErrorCause is kept for X-Ray, as far as it is one, and is not in what the
// caller gets.
func TestErrorCause(t *testing.T) {
	const cause = `{"message":"why"}`
	body := []byte(`{"errorType":"E","errorMessage":"m","errorCause":` + cause + `}`)
	for name, tt := range map[string]struct {
		header envapi.Header
		want   string
	}{
		"none":      {envapi.Header{}, ""},
		"header":    {envapi.Header{XRayErrorCause: cause}, cause},
		"no cause":  {envapi.Header{XRayErrorCause: "why"}, ""},
		"in a body": {envapi.Header{ContentType: causeContentType}, cause},
	} {
		o := reportedError(tt.header, body)
		if string(o.Cause) != tt.want {
			t.Errorf("%s: %s", name, o.Cause)
		}
		if hidden := tt.header.ContentType == causeContentType; strings.Contains(string(o.Payload), "why") == hidden {
			t.Errorf("%s: payload %s", name, o.Payload)
		}
	}
}

// TestTotals counts what is over.
func TestTotals(t *testing.T) {
	c, d := clocktest.New(start), newDiary()
	totals := &Totals{}
	box := newFakeSandbox(t, serve(func(rt *fakeRuntime, id, event string) {
		c.Advance(time.Second)
		rt.respond(id, event)
		d.note("responded")
	}))
	box.extensions = map[string]script{"slow": func(_ context.Context, rt *fakeRuntime) sandbox.Exit {
		id := rt.register("slow", "INVOKE")
		for rt.nextEvent(id).status == 200 {
			d.wait(t, "runtime done")
			c.Advance(2 * time.Second)
		}
		return sandbox.Exit{}
	}}
	env := New(Config{
		ID: "env-1", Sandbox: box, Bootstrap: Bootstrap{Path: "/var/task/bootstrap"}, Clock: c, Totals: totals,
		Extensions: []string{"slow"},
		Version:    &function.Version{Config: function.Config{Runtime: "provided.al2023", TimeoutSecs: 10, MemoryMB: 128}},
	})
	defer env.Close()
	if _, err := env.Init(); err != nil {
		t.Fatal(err)
	}
	inv := NewInvocation(testEvent("id-1", "1"), nil)
	if err := env.Invoke(inv); err != nil {
		t.Fatal(err)
	}
	for env.State().Request == nil || !env.State().Request.RuntimeDone {
		<-time.After(time.Millisecond)
	}
	d.note("runtime done")
	<-inv.Finished()
	if totals.ResponseLatency() != time.Second || totals.ExtensionOverhead() != 2*time.Second {
		t.Errorf("latency %v, overhead %v", totals.ResponseLatency(), totals.ExtensionOverhead())
	}
}

// TestCredentialsRefresh: who asks gets the credentials of now, or the last.
func TestCredentialsRefresh(t *testing.T) {
	var next Credentials
	var failure error
	env := New(Config{
		ID: "env-1", Sandbox: newFakeSandbox(t, echo), Bootstrap: Bootstrap{Path: "/var/task/bootstrap"}, CredentialsToken: "open sesame",
		Credentials: Credentials{AccessKeyID: "first", SecretAccessKey: "s", SessionToken: "t"},
		Refresh:     func(context.Context) (Credentials, error) { return next, failure },
		Version:     &function.Version{},
	})
	defer env.Close()
	ask := func(want string) {
		t.Helper()
		if got, ok := env.Credentials("open sesame"); !ok || !strings.Contains(string(got), `"AccessKeyId":"`+want+`"`) {
			t.Errorf("%v %s, want %s", ok, got, want)
		}
	}
	failure = errors.New("no network")
	ask("first")
	next, failure = Credentials{AccessKeyID: "second", SecretAccessKey: "s", SessionToken: "t", Expires: start}, nil
	ask("second")
	if _, ok := env.Credentials("another"); ok {
		t.Error("whoever asks gets them")
	}
}
