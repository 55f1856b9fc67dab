package execenv_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/lambhq/lamb/extension"
	"github.com/lambhq/lamb/lambda"
	"github.com/lambhq/lamb/lambdatest"
)

// TestInternalExtension: an extension inside of the function's process is told
// of every invocation, and ends with the environment.
func TestInternalExtension(t *testing.T) {
	t.Parallel()
	told := make(chan string, 10)
	ended := make(chan error, 1)
	runtime := lambdatest.Go(func(ctx context.Context, p *lambdatest.Process) error {
		inside := &extension.Extension{
			Name: "inside", Internal: true, Endpoint: p.Endpoint, Dial: p.Dial,
			Invoke: func(_ context.Context, e *extension.InvokeEvent) error { told <- e.RequestID; return nil },
		}
		start := func(ctx context.Context) error {
			wait, err := inside.Go(ctx)
			go func() { ended <- wait() }()
			return err
		}
		rt := lambda.Runtime{
			Handler: works, Options: []lambda.Option{lambda.WithInit(start), lambda.WithContext(ctx)},
			Endpoint: p.Endpoint, Dial: p.Dial, Getenv: p.Getenv, Setenv: func(string, string) error { return nil },
		}
		return rt.Run(ctx)
	})
	env := lambdatest.New(t, lambdatest.Config{Runtime: runtime})
	env.Init()
	if all := env.Extensions(); len(all) != 1 || all[0].Name != "inside" || all[0].External {
		t.Errorf("extensions %+v", all)
	}
	for range 2 {
		inv := env.Invoke(lambdatest.Request{})
		if got := <-told; got != inv.RequestID() {
			t.Errorf("it was told of %s, want %s", got, inv.RequestID())
		}
		inv.Wait()
	}
	env.Shutdown()
	<-ended
}

// TestJSONLog: platform lines in the JSON format, of the level that is set.
func TestJSONLog(t *testing.T) {
	t.Parallel()
	for system, want := range map[string][]string{
		"":      {"platform.initStart", "platform.start", "platform.report"},
		"DEBUG": {"platform.initStart", "platform.initRuntimeDone", "platform.initReport", "platform.start", "platform.runtimeDone", "platform.report"},
		"WARN":  nil,
	} {
		env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(works), JSONLogs: true, SystemLogLevel: system})
		env.Call(1)
		env.Close()
		var got []string
		for line := range strings.Lines(env.Log()) {
			var ev lambdatest.Event
			if err := json.Unmarshal([]byte(line), &ev); err != nil || ev.Time.IsZero() {
				t.Errorf("%v in %s", err, line)
			}
			got = append(got, ev.Type)
		}
		if !slices.Equal(got, want) {
			t.Errorf("level %q: %q, want %q", system, got, want)
		}
	}
}

// TestEarlyRuntime: a runtime that the environment has not started, and that
// asks for an event before an extension has registered, waits for it.
func TestEarlyRuntime(t *testing.T) {
	t.Parallel()
	register := make(chan struct{})
	late := lambdatest.Go(func(ctx context.Context, p *lambdatest.Process) error {
		select {
		case <-register:
		case <-ctx.Done():
		}
		x := extension.Extension{
			Name: p.Name, Endpoint: p.Endpoint, Dial: p.Dial,
			Shutdown: func(context.Context, *extension.ShutdownEvent) error { return nil },
		}
		return x.Run(ctx)
	})
	env := lambdatest.New(t, lambdatest.Config{
		Runtime: lambdatest.Attached(), RecordCalls: true,
		Extensions: []lambdatest.Extension{{Name: "late", Program: late}},
	})
	rt := lambda.Runtime{Handler: works, Endpoint: env.Endpoint(), Getenv: func(string) string { return "" }, Setenv: func(string, string) error { return nil }}
	ended := make(chan error, 1)
	go func() { ended <- rt.Run(t.Context()) }()
	env.Wait("the runtime to ask", func(e *lambdatest.Environment) bool { return len(e.Calls()) == 1 })
	close(register)
	if r := env.Init(); r.Err != nil || len(env.Extensions()) != 1 {
		t.Errorf("init %v, extensions %+v", r.Err, env.Extensions())
	}
	if res := env.Call(7); string(res.Payload) != "7" {
		t.Errorf("%+v %s", res, res.Payload)
	}
	env.Close()
	<-ended
}
