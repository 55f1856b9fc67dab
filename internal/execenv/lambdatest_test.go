package execenv_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/lambda"
	"github.com/lambhq/lamb/lambdatest"
)

// The tests here see an environment as authors' tests do, by package lambdatest:
// its runtimes are real ones on package lambda, or faulty ones. The others in
// this folder look at the engine from within.

func works(_ context.Context, event any) (any, error) { return event, nil }

// kinds are the platform's events so far, without their prefix.
func kinds(env *lambdatest.Environment) string {
	var all []string
	for _, ev := range env.Events() {
		all = append(all, strings.TrimPrefix(ev.Type, "platform."))
	}
	return strings.Join(all, " ")
}

// TestFaultyRuntimes: what callers and telemetry see of runtimes that fail, and
// that the next invocation finds a runtime that works.
func TestFaultyRuntimes(t *testing.T) {
	t.Parallel()
	const (
		inits  = "initStart initRuntimeDone initReport "
		served = "start runtimeDone end report "
		faulty = "start fault runtimeDone end report "
	)
	for name, tt := range map[string]struct {
		runtime                    lambdatest.Program
		request                    lambdatest.Request
		errorType, payload, events string
	}{
		"it works":             {runtime: lambdatest.Handler(works), payload: `{"n":1}`, events: inits + served},
		"crash in an event":    {runtime: lambdatest.Crash(lambdatest.DuringInvocation, 3), errorType: "Runtime.ExitError", payload: "exit status 3", events: inits + faulty},
		"crash after it":       {runtime: lambdatest.Crash(lambdatest.AfterResponse, 3), payload: `{"n":1}`, events: inits + faulty},
		"the response is lost": {runtime: lambdatest.Handler(works), request: lambdatest.Request{LoseResponse: true}, errorType: "Sandbox.Failure", payload: "Internal Server Error", events: inits + faulty},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.InTurn(tt.runtime, lambdatest.Handler(works))})
			env.Init()
			tt.request.Payload = []byte(`{"n":1}`)
			res := env.Do(tt.request)
			if res.ErrorType != tt.errorType || !strings.Contains(string(res.Payload), tt.payload) {
				t.Errorf("error type %q, payload %s", res.ErrorType, res.Payload)
			}
			env.WaitEvent("platform.report", nil)
			if got := kinds(env) + " "; got != tt.events {
				t.Errorf("events %s", got)
			}
			if res := env.Call([]byte(`{"n":2}`)); string(res.Payload) != `{"n":2}` {
				t.Errorf("the next one: %+v %s", res, res.Payload)
			}
		})
	}
}

// TestHangingRuntimes: times are kept by the clock, to the millisecond.
func TestHangingRuntimes(t *testing.T) {
	t.Parallel()
	t.Run("in the init", func(t *testing.T) {
		t.Parallel()
		clock := lambdatest.NewClock(time.Time{})
		env := lambdatest.New(t, lambdatest.Config{Clock: clock, Runtime: lambdatest.InTurn(lambdatest.Hang(lambdatest.DuringInit), lambdatest.Handler(works))})
		clock.WaitTimers(1)
		clock.Advance(execenv.DefaultInitLimit)
		if r := env.Init(); r.Err == nil || r.Duration != execenv.DefaultInitLimit {
			t.Errorf("init %+v", r)
		}
		if res := env.Call("x"); res.Status != lambdatest.Success {
			t.Errorf("the init is to run again: %+v %s", res, res.Payload)
		}
	})
	t.Run("in an event", func(t *testing.T) {
		t.Parallel()
		clock := lambdatest.NewClock(time.Time{})
		env := lambdatest.New(t, lambdatest.Config{Clock: clock, Timeout: time.Minute, Runtime: lambdatest.InTurn(lambdatest.Hang(lambdatest.DuringInvocation), lambdatest.Handler(works))})
		env.Init()
		inv := env.Invoke(lambdatest.Request{})
		clock.WaitTimers(1)
		clock.Advance(time.Minute)
		if res := inv.Wait(); res.Status != lambdatest.TimedOut || res.ErrorType != "Sandbox.Timedout" || res.Record.Duration != time.Minute {
			t.Errorf("%+v %s", res, res.Payload)
		}
		if res := env.Call("x"); res.Status != lambdatest.Success {
			t.Errorf("after the reset: %+v %s", res, res.Payload)
		}
	})
}

// TestRestoreHook: a hook that fails ends the environment.
func TestRestoreHook(t *testing.T) {
	t.Parallel()
	fails := lambda.WithAfterRestore(func(context.Context) error { return errors.New("no") })
	env := lambdatest.New(t, lambdatest.Config{SnapStart: true, Runtime: lambdatest.Handler(works, fails)})
	if _, err := env.Restore(0); !errors.Is(err, execenv.ErrRestoreHook) {
		t.Errorf("restore: %v", err)
	}
}

// TestRegistrationAnswer: what an embedder adds to AWS's answer.
func TestRegistrationAnswer(t *testing.T) {
	t.Parallel()
	answers := make(chan *http.Response, 1)
	bodies := make(chan string, 1)
	agent := lambdatest.Go(func(ctx context.Context, p *lambdatest.Process) error {
		conn, err := net.Dial("tcp", p.Endpoint)
		if err != nil {
			return err
		}
		defer conn.Close()
		const body = `{"events":[]}`
		fmt.Fprintf(conn, "POST /2020-01-01/extension/register HTTP/1.1\r\nHost: %s\r\nLambda-Extension-Name: %s\r\nContent-Length: %d\r\n\r\n%s", p.Endpoint, p.Name, len(body), body)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return err
		}
		read := make([]byte, resp.ContentLength)
		_, err = io.ReadFull(resp.Body, read)
		answers <- resp
		bodies <- string(read)
		<-ctx.Done()
		return err
	})
	env := lambdatest.New(t, lambdatest.Config{
		Runtime: lambdatest.Handler(works), Extensions: []lambdatest.Extension{{Name: "agent", Program: agent}},
		Registration:       map[string]string{"more": "members"},
		RegistrationHeader: map[string]string{"Lambda-Extension-More": "headers"},
	})
	resp, body := <-answers, <-bodies
	if resp.Header.Get("Lambda-Extension-More") != "headers" || len(resp.Header.Get("Lambda-Extension-Identifier")) != 36 {
		t.Errorf("headers %v", resp.Header)
	}
	if want := `{"functionName":"test-function","functionVersion":"$LATEST","handler":"bootstrap","more":"members"}`; body != want {
		t.Errorf("body %s, want %s", body, want)
	}
	env.Close()
}
