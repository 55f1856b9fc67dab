package execenv

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lambhq/lamb/internal/clock/clocktest"
	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/sandbox"
)

func TestMain(m *testing.M) {
	poisoned = true
	goleak.VerifyTestMain(m)
}

func testEvent(id, body string) envapi.Event {
	return envapi.Event{RequestID: id, InvokedARN: "arn:f", TraceID: "Root=1-2-3", ClientContext: `{"a":1}`, CognitoIdentity: `{"cognitoIdentityId":"i"}`, Body: []byte(body)}
}

var start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestInvokeTwice(t *testing.T) {
	h := newHarness(t, nil, echo).init()
	for i := range 2 {
		inv := h.invoke(fmt.Sprintf("id-%d", i), `{"n":1}`)
		if o := inv.Outcome(); string(o.Payload) != `{"n":1}` || o.FunctionError != "" {
			t.Fatalf("outcome %d: %s, %q", i, o.Payload, o.FunctionError)
		}
		if cold := strings.Contains(inv.LogTail(), "Init Duration"); cold != (i == 0) {
			t.Errorf("invocation %d: Init Duration shown is %v: %s", i, cold, inv.LogTail())
		}
	}
	if n := h.sandbox.started(); n != 1 {
		t.Errorf("the runtime was started %d times, want 1", n)
	}
}

func TestEventHeaders(t *testing.T) {
	got := make(chan answer, 1)
	h := newHarness(t, nil, serve2(func(rt *fakeRuntime, a answer) {
		got <- a
		rt.respond(a.header.Get("Lambda-Runtime-Aws-Request-Id"), "1")
	})).init()
	before := time.Now()
	h.invoke("id-1", "{}")
	a := <-got
	for name, want := range map[string]string{
		"Lambda-Runtime-Aws-Request-Id":       "id-1",
		"Lambda-Runtime-Invoked-Function-Arn": "arn:f",
		"Lambda-Runtime-Trace-Id":             "Root=1-2-3",
		"Lambda-Runtime-Client-Context":       `{"a":1}`,
		"Lambda-Runtime-Cognito-Identity":     `{"cognitoIdentityId":"i"}`,
		"Content-Type":                        "application/json",
	} {
		if v := a.header.Get(name); v != want {
			t.Errorf("%s = %q, want %q", name, v, want)
		}
	}
	var ms int64
	if _, err := fmt.Sscan(a.header.Get("Lambda-Runtime-Deadline-Ms"), &ms); err != nil {
		t.Fatal(err)
	}
	if d := time.UnixMilli(ms).Sub(before); d < 2*time.Second || d > 4*time.Second {
		t.Errorf("deadline is %v away, want 3s", d)
	}
}

// serve2 is serve with the whole answer of next.
func serve2(f func(rt *fakeRuntime, a answer)) script {
	return func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		for {
			a := rt.do("GET", "invocation/next", "")
			if a.status != 200 {
				return sandbox.Exit{}
			}
			f(rt, a)
		}
	}
}

// TestOutcomes runs one invocation of a misbehaving runtime, and then one that
// must find a healthy environment.
func TestOutcomes(t *testing.T) {
	once := func(f func(rt *fakeRuntime, id, event string)) script {
		return func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
			id, event, ok := rt.next()
			if ok {
				f(rt, id, event)
			}
			return echo(ctx, rt)
		}
	}
	big := strings.Repeat("x", envapi.MaxPayload+1)
	tests := []struct {
		name      string
		lives     []script
		payload   string
		failed    bool
		errorType string
		report    string
		starts    int
	}{
		{"error posted", []script{once(func(rt *fakeRuntime, id, _ string) {
			rt.fail(id, `{"errorMessage":"boom","errorType":"E","x":1}`, "Lambda-Runtime-Function-Error-Type", "Function.Err")
		})}, `{"errorMessage":"boom","errorType":"E","x":1}`, true, "Function.Err", "Status: error\tError Type: Function.Err\n", 1},
		{"error without a body", []script{once(func(rt *fakeRuntime, id, _ string) {
			rt.fail(id, "", "Lambda-Runtime-Function-Error-Type", "odd")
		})}, `{"errorMessage":"Unknown application error occurred","errorType":"odd"}`, true, "Runtime.Unknown", "Error Type: Runtime.Unknown\n", 1},
		{"error with cause", []script{once(func(rt *fakeRuntime, id, _ string) {
			rt.fail(id, `{"errorMessage":"<m>","errorType":"E","stackTrace":["a"],"errorCause":{}}`, "Content-Type", causeContentType)
		})}, `{"errorMessage":"<m>","errorType":"E","stackTrace":["a"]}`, true, "Runtime.Unknown", "Status: error", 1},
		{"exit 0", []script{func(ctx context.Context, rt *fakeRuntime) sandbox.Exit { rt.next(); return sandbox.Exit{} }, echo},
			`{"errorType":"Runtime.ExitError","errorMessage":"RequestId: id-1 Error: Runtime exited without providing a reason"}`, true, "Runtime.ExitError", "Status: error\tError Type: Runtime.ExitError\n", 2},
		{"exit 7", []script{func(ctx context.Context, rt *fakeRuntime) sandbox.Exit { rt.next(); return sandbox.Exit{Code: 7} }, echo},
			`{"errorType":"Runtime.ExitError","errorMessage":"RequestId: id-1 Error: Runtime exited with error: exit status 7"}`, true, "Runtime.ExitError", "", 2},
		{"signal", []script{func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
			rt.next()
			return sandbox.Exit{Code: -1, Signal: 9}
		}, echo},
			`{"errorType":"Runtime.ExitError","errorMessage":"RequestId: id-1 Error: Runtime exited with error: signal: killed"}`, true, "Runtime.ExitError", "", 2},
		{"too large", []script{once(func(rt *fakeRuntime, id, _ string) {
			if a := rt.respond(id, big); a.status != 413 || !strings.Contains(a.body, "RequestEntityTooLarge") {
				t.Errorf("too large: runtime got %d %.100s", a.status, a.body)
			}
		})}, `{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}`, true, "Function.ResponseSizeTooLarge", "Error Type: Function.ResponseSizeTooLarge", 1},
		{"largest", []script{once(func(rt *fakeRuntime, id, _ string) { rt.respond(id, big[1:]) })}, big[1:], false, "", "Init Duration: ", 1},
		{"bad response mode", []script{once(func(rt *fakeRuntime, id, _ string) {
			if a := rt.respond(id, "1", "Lambda-Runtime-Function-Response-Mode", "buffered"); a.status != 400 {
				t.Errorf("bad mode: runtime got %d", a.status)
			}
		})}, `{"errorType":"Runtime.InvalidResponseModeHeader","errorMessage":"RequestId: id-1 Error: Invalid function response mode"}`, true, "Runtime.InvalidResponseModeHeader", "", 1},
		{"init fails twice", []script{exits(3), exits(4), echo},
			`{"errorType":"Runtime.ExitError","errorMessage":"RequestId: id-1 Error: Runtime exited with error: exit status 4"}`, true, "Runtime.ExitError", "Status: error", 3},
		{"init fails once", []script{exits(3), echo}, `{"n":1}`, false, "", "MB\t\n", 2},
		{"init error posted", []script{initErrorThenExit, initErrorThenExit, echo},
			`{"errorMessage":"no handler","errorType":"Runtime.NoSuchHandler"}`, true, "Runtime.NoSuchHandler", "Error Type: Runtime.NoSuchHandler", 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHarness(t, nil, tt.lives...).init()
			inv := h.invoke("id-1", `{"n":1}`)
			o := inv.Outcome()
			if string(o.Payload) != tt.payload {
				t.Errorf("payload\n got %.300s\nwant %.300s", o.Payload, tt.payload)
			}
			if (o.FunctionError == Unhandled) != tt.failed || o.ErrorType != tt.errorType {
				t.Errorf("function error %q, type %q", o.FunctionError, o.ErrorType)
			}
			if !strings.Contains(inv.LogTail(), tt.report) {
				t.Errorf("log tail lacks %q:\n%s", tt.report, inv.LogTail())
			}
			o.Release()
			if o := h.invoke("id-2", `{"n":2}`).Outcome(); string(o.Payload) != `{"n":2}` {
				t.Errorf("the next invocation got %s", o.Payload)
			}
			if n := h.sandbox.started(); n != tt.starts {
				t.Errorf("the runtime was started %d times, want %d", n, tt.starts)
			}
		})
	}
}

func initErrorThenExit(_ context.Context, rt *fakeRuntime) sandbox.Exit {
	rt.initError(`{"errorMessage":"no handler","errorType":"Runtime.NoSuchHandler"}`, "Lambda-Runtime-Function-Error-Type", "Runtime.NoSuchHandler")
	return sandbox.Exit{Code: 1}
}

func TestTimeout(t *testing.T) {
	c := clocktest.New(start)
	took := make(chan string, 10)
	h := newHarness(t, c, serve(func(rt *fakeRuntime, id, event string) {
		took <- id
		if event == `"hang"` {
			<-rt.ctx.Done()
			return
		}
		rt.respond(id, event)
	})).init()
	inv := h.begin("id-1", `"hang"`)
	<-took
	c.Advance(3 * time.Second)
	<-inv.Answered()
	want := `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: id-1 Error: Task timed out after 3.00 seconds"}`
	if o := inv.Outcome(); string(o.Payload) != want || o.FunctionError != Unhandled {
		t.Errorf("got %s", o.Payload)
	}
	<-inv.Finished()
	<-h.released
	if want := "Duration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tStatus: timeout\n"; !strings.HasSuffix(inv.LogTail(), want) {
		t.Errorf("log tail %q lacks %q", inv.LogTail(), want)
	}
	if o := h.invoke("id-2", "2").Outcome(); string(o.Payload) != "2" {
		t.Errorf("after the timeout: %s", o.Payload)
	}
}

// TestInitTimeout: the first init uses its 10 s up, the second, inside the
// invocation, runs into the function's timeout; then all is well.
func TestInitTimeout(t *testing.T) {
	c := clocktest.New(start)
	h, list := newHarness(t, c, hangs, hangs, echo), &eventList{}
	h.tell.more = list
	done := make(chan struct{})
	go func() { defer close(done); h.init() }()
	c.WaitTimers(1)
	c.Advance(DefaultInitLimit)
	<-done
	if want := "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout\n"; !strings.Contains(h.logs.String(), want) {
		t.Errorf("log lacks %q:\n%s", want, h.logs)
	}
	answered := make(chan *Invocation)
	go func() { answered <- h.invoke("id-1", "1") }()
	c.WaitTimers(1)
	c.Advance(3 * time.Second)
	inv := <-answered
	if o := inv.Outcome(); !strings.Contains(string(o.Payload), "Task timed out after 3.00 seconds") {
		t.Errorf("got %s", o.Payload)
	}
	if o := h.invoke("id-2", "2").Outcome(); string(o.Payload) != "2" {
		t.Errorf("after the timeouts: %s", o.Payload)
	}
	// As in AWS's samples: the status says it all.
	for _, want := range []string{
		"initRuntimeDone on-demand init timeout", "initReport on-demand init timeout",
		"initRuntimeDone on-demand invoke timeout", "initReport on-demand invoke timeout", "runtimeDone id-1 timeout", "report id-1 timeout",
	} {
		if !slices.Contains(list.list(), want) {
			t.Errorf("no %q in %q", want, list.list())
		}
	}
}

// TestFinishingUntilFreed: between the end of an invocation and the moment at
// which the owner knows of it, the environment is finishing, or a client that
// calls one after the other would be given a second one.
func TestFinishingUntilFreed(t *testing.T) {
	h := newHarness(t, nil, serve(func(rt *fakeRuntime, id, event string) { rt.respond(id, event) })).init()
	for _, id := range []string{"id-1", "id-2"} {
		h.invoke(id, "1")
		if !h.Finishing() {
			t.Errorf("%s: not finishing, although nobody has said Freed", id)
		}
		h.Freed()
		if h.Finishing() {
			t.Errorf("%s: finishing after Freed", id)
		}
	}
}

// TestAnsweredBeforeNext: the caller has the answer while the runtime has not
// asked for its next event; the environment is not free before it does.
func TestAnsweredBeforeNext(t *testing.T) {
	goOn := make(chan struct{})
	h := newHarness(t, nil, serve(func(rt *fakeRuntime, id, event string) {
		rt.respond(id, event)
		<-goOn
	})).init()
	inv := h.begin("id-1", "1")
	<-inv.Answered()
	if !h.Finishing() {
		t.Error("Finishing is false after the answer")
	}
	if err := h.Environment.Invoke(NewInvocation(testEvent("id-2", "2"), nil)); !errors.Is(err, ErrBusy) {
		t.Errorf("second Invoke: %v, want ErrBusy", err)
	}
	close(goOn)
	<-inv.Finished()
	<-h.released
	h.invoke("id-3", "3")
}

// TestErrorTable plays every refusal of the Runtime API.
func TestErrorTable(t *testing.T) {
	type step struct {
		path, body string
		status     int
		want       string
	}
	const sent = `"State transition from RuntimeResponseSentState to `
	play := func(rt *fakeRuntime, steps []step) {
		for _, s := range steps {
			a := rt.do("POST", s.path, s.body, "Lambda-Runtime-Function-Response-Mode", "streaming")
			if a.status != s.status || !strings.Contains(a.body, s.want) {
				rt.t.Errorf("POST %s: %d %s, want %d %s", s.path, a.status, a.body, s.status, s.want)
			}
		}
	}
	done, finished := make(chan struct{}), make(chan struct{})
	h := newHarness(t, nil, func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		play(rt, []step{
			{path: "invocation/id-1/response", status: 400, want: `{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}`},
			{path: "invocation/id-1/error", status: 400, want: "InvalidRequestID"},
		})
		rt.next()
		play(rt, []step{
			{path: "init/error", status: 403, want: `State transition from Running to InitError failed for runtime. Error: State transition is not allowed","errorType":"InvalidStateTransition"`},
			{path: "invocation/nope/response", status: 400, want: "InvalidRequestID"},
			{path: "invocation/id-1/response", body: "1", status: 202, want: `{"status":"OK"}`},
			{path: "invocation/id-1/response", body: "2", status: 403, want: sent + `InvocationResponse failed`},
			{path: "invocation/id-1/error", body: "3", status: 403, want: sent + `InvocationErrorResponse failed`},
		})
		go func() {
			<-finished // next has released the id
			play(rt, []step{{path: "invocation/id-1/response", status: 400, want: "InvalidRequestID"}})
			close(done)
		}()
		return echo(ctx, rt)
	}).init()
	inv := h.begin("id-1", "{}")
	<-inv.Finished()
	close(finished)
	if o := inv.Outcome(); string(o.Payload) != "1" {
		t.Errorf("outcome %s, want the first response", o.Payload)
	}
	<-done
}

func TestNextAgainWhileRunning(t *testing.T) {
	h := newHarness(t, nil, func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		rt.next()
		return echo(ctx, rt) // asks again without having answered
	}).init()
	if o := h.invoke("id-1", `{"again":true}`).Outcome(); string(o.Payload) != `{"again":true}` {
		t.Errorf("got %s", o.Payload)
	}
}

// TestNextGoneThenBack: the connection that waited in next closes before an
// event comes; the next one to ask gets it.
func TestNextGoneThenBack(t *testing.T) {
	closed := make(chan struct{})
	comeBack := make(chan struct{})
	h := newHarness(t, nil, func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		c := rt.dial()
		fmt.Fprint(c, rawNext)
		<-comeBack
		c.Close()
		close(closed)
		return echo(ctx, rt)
	}).init()
	close(comeBack)
	<-closed
	if o := h.invoke("id-1", "1").Outcome(); string(o.Payload) != "1" {
		t.Errorf("got %s", o.Payload)
	}
}

func TestTruncatedResponse(t *testing.T) {
	answered := make(chan struct{})
	h := newHarness(t, nil, func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		id, _, _ := rt.next()
		c := rt.dial()
		fmt.Fprintf(c, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf", id)
		c.Close()
		<-answered
		return echo(ctx, rt)
	}).init()
	inv := h.begin("id-1", "1")
	<-inv.Answered()
	close(answered)
	if o := inv.Outcome(); o.ErrorType != "Runtime.TruncatedResponse" || o.FunctionError != Unhandled {
		t.Errorf("got %+v", o)
	}
}

func TestCloseAnswersTheInvocation(t *testing.T) {
	began := make(chan struct{})
	h := newHarness(t, nil, serve(func(rt *fakeRuntime, id, _ string) {
		close(began)
		<-rt.ctx.Done()
	})).init()
	inv := h.begin("id-1", "1")
	<-began
	if err := h.Environment.Close(); err != nil {
		t.Fatal(err)
	}
	<-inv.Finished()
	if o := inv.Outcome(); o.ErrorType != "Sandbox.Failure" {
		t.Errorf("got %+v", o)
	}
	if err := h.Environment.Invoke(NewInvocation(testEvent("id-2", "1"), nil)); !errors.Is(err, ErrClosed) {
		t.Errorf("Invoke after Close: %v", err)
	}
}

var reportLine = regexp.MustCompile(`^START RequestId: id-1 Version: \$LATEST\nhello\nopen line\nEND RequestId: id-1\nREPORT RequestId: id-1\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: \d+\.\d\d ms\t\n$`)

func TestLogTail(t *testing.T) {
	h := newHarness(t, nil, serve(func(rt *fakeRuntime, id, _ string) {
		fmt.Fprint(rt.out, "hello\nopen")
		fmt.Fprint(rt.out, " line")
		rt.respond(id, "1")
	})).init()
	inv := h.invoke("id-1", "{}")
	if !reportLine.MatchString(inv.LogTail()) {
		t.Errorf("log tail %q does not match %s", inv.LogTail(), reportLine)
	}
	if !strings.HasPrefix(h.logs.String(), "INIT_START Runtime Version: provided.al2023\t") {
		t.Errorf("log begins %.100q", h.logs)
	}
}

func TestLogTailIsBounded(t *testing.T) {
	h := newHarness(t, nil, serve(func(rt *fakeRuntime, id, _ string) {
		for i := range 1000 {
			fmt.Fprintf(rt.out, "line %d %s\n", i, strings.Repeat("x", 50))
		}
		rt.respond(id, "1")
	})).init()
	tail := h.invoke("id-1", "{}").LogTail()
	if len(tail) != tailSize || !strings.Contains(tail, "line 999 ") || !strings.Contains(tail, "REPORT RequestId: id-1") {
		t.Errorf("tail of %d bytes ends %.80q", len(tail), tail[max(0, len(tail)-80):])
	}
}
