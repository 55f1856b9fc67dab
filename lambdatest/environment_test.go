package lambdatest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lambhq/lamb/extension"
	"github.com/lambhq/lamb/lambda"
	"github.com/lambhq/lamb/lambda/lambdacontext"
	"github.com/lambhq/lamb/lambda/runtimeapi"
	"github.com/lambhq/lamb/lambdatest"
)

type request struct {
	Name string `json:"name"`
}

func greet(_ context.Context, r request) (string, error) {
	if r.Name == "" {
		return "", errors.New("nobody to greet")
	}
	return "hello " + r.Name, nil
}

func TestHandler(t *testing.T) {
	t.Parallel()
	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(greet)})
	var answer string
	res := env.Call(request{"Ada"})
	if err := res.Decode(&answer); err != nil || answer != "hello Ada" {
		t.Errorf("answer %q, %v", answer, err)
	}
	if res.Status != lambdatest.Success || res.ContentType != "application/json" {
		t.Errorf("result %+v", res)
	}
	if !strings.Contains(res.LogTail, "START RequestId: ") || !strings.Contains(res.LogTail, "Init Duration") {
		t.Errorf("log tail %q", res.LogTail)
	}

	res = env.Call(request{})
	if res.Status != lambdatest.Failed || res.FunctionError != "Unhandled" ||
		string(res.Payload) != `{"errorMessage":"nobody to greet","errorType":"errorString"}` {
		t.Errorf("a failure: %+v, %s", res, res.Payload)
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	type seen struct {
		ID, ARN, Client, Identity, Tenant string
		Left                              time.Duration
	}
	env := lambdatest.New(t, lambdatest.Config{
		Timeout: 10 * time.Second,
		Runtime: lambdatest.Handler(func(ctx context.Context) (seen, error) {
			lc, _ := lambdacontext.FromContext(ctx)
			deadline, _ := ctx.Deadline()
			return seen{lc.AwsRequestID, lc.InvokedFunctionArn, lc.ClientContext.Client.AppTitle, lc.Identity.CognitoIdentityID, lc.TenantID, time.Until(deadline)}, nil
		}),
	})
	var got seen
	err := env.Do(lambdatest.Request{
		RequestID: "11111111-1111-4111-8111-111111111111", FunctionARN: "arn:aws:lambda:eu-west-1:210987654321:function:f:live",
		ClientContext:   `{"client":{"app_title":"shop"}}`,
		CognitoIdentity: `{"cognitoIdentityId":"me"}`, TenantID: "blue", Timeout: 5 * time.Second,
	}).Decode(&got)
	if err != nil {
		t.Fatal(err)
	}
	if got.Left <= 0 || got.Left > 5*time.Second {
		t.Errorf("time left %s", got.Left)
	}
	got.Left = 0
	want := seen{"11111111-1111-4111-8111-111111111111", "arn:aws:lambda:eu-west-1:210987654321:function:f:live", "shop", "me", "blue", 0}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	clock := lambdatest.NewClock(time.Time{})
	called := make(chan struct{}, 1)
	env := lambdatest.New(t, lambdatest.Config{
		Clock: clock, Timeout: 7 * time.Second,
		Runtime: lambdatest.Handler(func(ctx context.Context) error {
			called <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}),
	})
	env.Init()
	inv := env.Invoke(lambdatest.Request{})
	<-called
	if s := inv.Status(); s != lambdatest.InProgress {
		t.Errorf("status %s", s)
	}
	clock.Advance(7 * time.Second)
	res := inv.Wait()
	if want := `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: ` + inv.RequestID() + ` Error: Task timed out after 7.00 seconds"}`; string(res.Payload) != want || res.Status != lambdatest.TimedOut {
		t.Errorf("%s %s, want %s", res.Status, res.Payload, want)
	}
	env.WaitPhase("NeedsInit")

	short := lambdatest.New(t, lambdatest.Config{Timeout: 50 * time.Millisecond, Runtime: lambdatest.Hang(lambdatest.DuringInvocation)})
	if res := short.Call(nil); !strings.Contains(string(res.Payload), "timed out after 0.05 seconds") || res.Record.Duration != 50*time.Millisecond {
		t.Errorf("less than a second: %s", res.Payload)
	}

	second := env.Invoke(lambdatest.Request{Timeout: 2 * time.Second})
	<-called
	clock.Advance(2 * time.Second)
	if res := second.Wait(); !strings.Contains(string(res.Payload), "after 2.00 seconds") {
		t.Errorf("a shorter timeout: %s", res.Payload)
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(func(n int) (int, error) {
		<-release
		return n, nil
	})})
	var all []*lambdatest.Invocation
	for n := range 3 {
		all = append(all, env.Invoke(lambdatest.Request{Payload: fmt.Append(nil, n)}))
	}
	env.Wait("the first to begin", func(*lambdatest.Environment) bool { return all[0].Status() == lambdatest.InProgress })
	if s := all[2].Status(); s != lambdatest.Pending {
		t.Errorf("the last is %s", s)
	}
	close(release)
	env.Run(3)
	for n, inv := range all {
		if res := inv.Wait(); string(res.Payload) != fmt.Sprint(n) {
			t.Errorf("answer %d is %s", n, res.Payload)
		}
	}
	if err := env.Invoke(lambdatest.Request{}).Err(); !errors.Is(err, lambdatest.ErrClosed) {
		t.Errorf("after Run: %v", err)
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(func(ctx context.Context, s *lambda.ResponseStream) error {
		if err := s.SetContentType("text/csv"); err != nil {
			return err
		}
		for _, word := range []string{"one", "two"} {
			if _, err := s.Write([]byte(word)); err != nil {
				return err
			}
			<-next
		}
		return errors.New("broken")
	})})
	inv := env.Invoke(lambdatest.Request{Stream: true})
	for n := 1; n <= 2; n++ {
		env.Wait("a chunk", func(*lambdatest.Environment) bool { return len(inv.Chunks()) == n })
		next <- struct{}{}
	}
	res := inv.Wait()
	if len(res.Chunks) != 2 || string(res.Chunks[1].Data) != "two" || res.Chunks[0].At > res.Chunks[1].At {
		t.Errorf("chunks %+v", res.Chunks)
	}
	if res.FunctionError == "" || !strings.Contains(string(res.Payload), "broken") || res.ContentType != "text/csv" {
		t.Errorf("the error within: %+v %s", res, res.Payload)
	}
}

// collector is an extension in this process that hands on what it gets, and
// goes on when that has been taken.
func collector(events chan<- *extension.Event, kinds ...extension.EventType) lambdatest.Program {
	return lambdatest.Go(func(ctx context.Context, p *lambdatest.Process) error {
		client := &extension.Client{Endpoint: p.Endpoint, Dial: p.Dial}
		if _, err := client.Register(p.Name, kinds); err != nil {
			return err
		}
		for {
			ev, err := client.Next()
			if err != nil {
				return err
			}
			select {
			case events <- ev:
			case <-ctx.Done():
			}
		}
	})
}

func TestExtensions(t *testing.T) {
	t.Parallel()
	events := make(chan *extension.Event)
	env := lambdatest.New(t, lambdatest.Config{
		Runtime:    lambdatest.Handler(greet),
		Extensions: []lambdatest.Extension{{Name: "collector", Program: collector(events, extension.Invoke, extension.Shutdown)}},
	})
	env.WaitExtensionsReady()
	if all := env.Extensions(); len(all) != 1 || all[0].Name != "collector" || strings.Join(all[0].Events, " ") != "INVOKE SHUTDOWN" {
		t.Errorf("extensions %+v", all)
	}
	inv := env.Invoke(lambdatest.Request{Payload: []byte(`{"name":"x"}`)})
	if res := inv.WaitAnswered(); string(res.Payload) != `"hello x"` {
		t.Errorf("answer %s", res.Payload)
	}
	env.WaitEvent("platform.runtimeDone", nil)
	if s := inv.Status(); s != lambdatest.InProgress {
		t.Errorf("status %s while the extension is at work", s)
	}
	if ev := <-events; ev.Invoke == nil || ev.Invoke.RequestID != inv.RequestID() {
		t.Errorf("event %+v", ev)
	}
	res := inv.Wait()
	if res.ExtensionOverhead() <= 0 {
		t.Errorf("overhead %s", res.ExtensionOverhead())
	}
	took := make(chan time.Duration)
	go func() { took <- env.Shutdown().Took }()
	if ev := <-events; ev.Shutdown == nil || ev.Shutdown.Reason != extension.Spindown {
		t.Errorf("event %+v", ev)
	}
	// It asked for another event, which acknowledges the one before.
	if took := <-took; took >= 2*time.Second {
		t.Errorf("the shutdown took all its time: %s", took)
	}
}

func TestShutdownReasons(t *testing.T) {
	t.Parallel()
	for _, reason := range []lambdatest.Reason{lambdatest.Timeout, lambdatest.Failure} {
		events := make(chan *extension.Event, 10)
		env := lambdatest.New(t, lambdatest.Config{
			Runtime:    lambdatest.Handler(greet),
			Extensions: []lambdatest.Extension{{Name: "collector", Program: collector(events, extension.Shutdown)}},
		})
		env.Init()
		env.ShutdownFor(reason)
		if ev := <-events; string(ev.Shutdown.Reason) != string(reason) {
			t.Errorf("%s: %+v", reason, ev.Shutdown)
		}
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(greet)})
	inv := env.Invoke(lambdatest.Request{Payload: []byte(`{"name":"x"}`)})
	inv.Wait()
	report := env.WaitEvent("platform.report", nil)
	var record struct {
		RequestID string `json:"requestId"`
		Status    string
		Metrics   struct{ InitDurationMs, MemorySizeMB float64 }
	}
	if err := json.Unmarshal(report.Record, &record); err != nil {
		t.Fatal(err)
	}
	if record.RequestID != inv.RequestID() || record.Status != "success" || record.Metrics.InitDurationMs <= 0 || record.Metrics.MemorySizeMB != 128 {
		t.Errorf("report %s", report.Record)
	}
	var kinds []string
	for _, ev := range env.Events() {
		kinds = append(kinds, strings.TrimPrefix(ev.Type, "platform."))
	}
	if got := strings.Join(kinds, " "); got != "initStart initRuntimeDone initReport start runtimeDone end report" {
		t.Errorf("events %s", got)
	}
	env.ClearEvents()
	if n := len(env.Events()); n != 0 {
		t.Errorf("%d events after they were cleared", n)
	}
}

func TestGoRuntimeAndInTurn(t *testing.T) {
	t.Parallel()
	works := lambdatest.Go(func(ctx context.Context, p *lambdatest.Process) error {
		fmt.Fprintln(p.Stdout, "up in", p.Getenv("AWS_LAMBDA_FUNCTION_NAME"), p.Getenv("COLOUR"))
		client := runtimeapi.Client{Endpoint: p.Endpoint, Dial: p.Dial}
		var inv runtimeapi.Invocation
		for {
			if err := client.Next(&inv); err != nil {
				return err
			}
			if err := client.PostResponse(&inv, "text/plain", inv.Payload); err != nil {
				return err
			}
		}
	})
	exits := lambdatest.Go(func(context.Context, *lambdatest.Process) error { return lambdatest.ExitStatus(7) })
	panics := lambdatest.Go(func(context.Context, *lambdatest.Process) error { panic("at once") })
	env := lambdatest.New(t, lambdatest.Config{
		FunctionName: "turns", Env: map[string]string{"COLOUR": "red"},
		Runtime: lambdatest.InTurn(exits, panics, works),
	})
	if r := env.Init(); r.Err == nil || !strings.Contains(r.Err.Error(), "exit status 7") {
		t.Errorf("init: %v", r.Err)
	}
	if res := env.Call("x"); res.ErrorType != "Runtime.ExitError" || !strings.Contains(string(res.Payload), "exit status 2") {
		t.Errorf("the second init: %s", res.Payload)
	}
	if res := env.Call("x"); string(res.Payload) != `"x"` || res.ContentType != "text/plain" {
		t.Errorf("the third: %+v %s", res, res.Payload)
	}
	env.WaitLog("up in turns red\n")
	env.WaitLog("panic: at once")
}

func TestReserveAndReset(t *testing.T) {
	t.Parallel()
	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(greet)})
	env.Init()
	r, err := env.Reserve("11111111-1111-4111-8111-111111111111", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := env.Invoke(lambdatest.Request{}).Err(); !errors.Is(err, lambdatest.ErrReserved) {
		t.Errorf("without the reservation: %v", err)
	}
	res := env.Do(lambdatest.Request{RequestID: r.InvokeID, Reservation: &r, Payload: []byte(`{"name":"x"}`)})
	if res.Status != lambdatest.Success {
		t.Errorf("with it: %+v", res)
	}
	if got := env.Reset(lambdatest.Failure); got.ErrorType != "Sandbox.Failure" || env.State().Phase != "NeedsInit" {
		t.Errorf("reset %+v, %s", got, env.State().Phase)
	}
	if res := env.Call(request{"x"}); res.Status != lambdatest.Success {
		t.Errorf("after it: %+v", res)
	}
}

func TestSnapStart(t *testing.T) {
	t.Parallel()
	hooks := make(chan string, 2)
	hook := func(name string) lambda.Hook {
		return func(context.Context) error { hooks <- name; return nil }
	}
	env := lambdatest.New(t, lambdatest.Config{
		SnapStart: true,
		Runtime:   lambdatest.Handler(greet, lambda.WithBeforeSnapshot(hook("before")), lambda.WithAfterRestore(hook("after"))),
	})
	if r := env.Init(); r.Err != nil || env.State().Phase != "RestoreReady" {
		t.Fatalf("init %v, %s", r.Err, env.State().Phase)
	}
	if got := <-hooks; got != "before" {
		t.Errorf("hook %s", got)
	}
	if _, err := env.Restore(0); err != nil {
		t.Fatal(err)
	}
	if got := <-hooks; got != "after" {
		t.Errorf("hook %s", got)
	}
	if res := env.Call(request{"x"}); res.Status != lambdatest.Success {
		t.Errorf("%+v", res)
	}
}

func TestAttached(t *testing.T) {
	t.Parallel()
	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Attached()})
	runtime := lambda.Runtime{Handler: greet, Endpoint: env.Endpoint(), Getenv: func(string) string { return "" }, Setenv: func(string, string) error { return nil }}
	done := make(chan error, 1)
	go func() { done <- runtime.Run(t.Context()) }()
	if res := env.Call(request{"x"}); string(res.Payload) != `"hello x"` {
		t.Errorf("%+v", res)
	}
	if !strings.Contains(strings.Join(env.Environ(), "\n"), "AWS_LAMBDA_RUNTIME_API="+env.Endpoint()) {
		t.Errorf("variables %v", env.Environ())
	}
	env.Close()
	if err := <-done; err == nil {
		t.Error("the runtime did not notice the end")
	}
}

func TestFreeze(t *testing.T) {
	t.Parallel()
	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(greet)})
	env.Init()
	env.Freeze()
	env.WaitFrozen()
	env.Thaw()
	if env.State().Frozen {
		t.Error("frozen after Thaw")
	}
	env.Freeze()
	if res := env.Call(request{"x"}); res.Status != lambdatest.Success || env.State().Frozen {
		t.Errorf("%+v, %+v", res, env.State())
	}
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	const most = 3
	var inside sync.WaitGroup
	inside.Add(most)
	env := lambdatest.New(t, lambdatest.Config{
		Concurrency: most,
		Runtime: lambdatest.Handler(func(n int) (int, error) {
			inside.Done()
			inside.Wait() // for the others
			return n, nil
		}),
	})
	var all []*lambdatest.Invocation
	for n := range most {
		all = append(all, env.Invoke(lambdatest.Request{Payload: fmt.Append(nil, n)}))
	}
	for n, inv := range all {
		if res := inv.Wait(); string(res.Payload) != fmt.Sprint(n) {
			t.Errorf("answer %d is %s", n, res.Payload)
		}
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	env := lambdatest.New(t, lambdatest.Config{RecordCalls: true, Runtime: lambdatest.Handler(greet)})
	inv := env.Invoke(lambdatest.Request{Payload: []byte(`{"name":"x"}`)})
	inv.Wait()
	calls := env.Calls()
	if len(calls) != 3 || calls[1].Path != "/2018-06-01/runtime/invocation/"+inv.RequestID()+"/response" ||
		!calls[1].Complete || string(calls[1].Body) != `"hello x"` || calls[1].Header.Get("Content-Type") != "application/json" {
		t.Errorf("calls %+v", calls)
	}
}
