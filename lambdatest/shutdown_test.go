package lambdatest_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/extension"
	"github.com/lambhq/lamb/lambda"
	"github.com/lambhq/lamb/lambdatest"
)

// TestCloseWithClock: a test ends although its clock stands and an extension
// waits for it to take a batch.
func TestCloseWithClock(t *testing.T) {
	t.Parallel()
	clock := lambdatest.NewClock(time.Time{})
	env := lambdatest.New(t, lambdatest.Config{
		Clock: clock, Runtime: lambdatest.Handler(greet),
		Extensions: []lambdatest.Extension{{Name: "slow", Program: lambdatest.Subscriber(extension.Subscription{}, make(chan []lambdatest.Event))}},
	})
	env.Call(request{"x"})
	before := clock.Now()
	env.Close()
	if !clock.Now().After(before) {
		t.Error("the clock stood")
	}
}

// TestShutdownTimeout: an extension that does not end has that long, and what
// does not end in a clock's time ends the test.
func TestShutdownTimeout(t *testing.T) {
	t.Parallel()
	deaf := lambdatest.Go(func(ctx context.Context, p *lambdatest.Process) error {
		client := &extension.Client{Endpoint: p.Endpoint, Dial: p.Dial}
		if _, err := client.Register(p.Name, []extension.EventType{extension.Shutdown}); err != nil {
			return err
		}
		if _, err := client.Next(); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	})
	cfg := lambdatest.Config{
		Runtime: lambdatest.Handler(greet), Extensions: []lambdatest.Extension{{Name: "deaf", Program: deaf}},
		ShutdownTimeout: 60 * time.Millisecond,
	}
	env := lambdatest.New(t, cfg)
	env.Init()
	for _, took := range []time.Duration{env.Reset(lambdatest.Timeout).Took, env.Shutdown().Took} {
		// After the reset nothing runs, and nothing has to end.
		if took >= 2*time.Second {
			t.Errorf("it took AWS's time: %s", took)
		}
	}

	cfg.Clock, cfg.Patience = lambdatest.NewClock(time.Time{}), 50*time.Millisecond
	text := fails(t, func(t lambdatest.TB) {
		env := lambdatest.New(t, cfg)
		env.Init()
		env.Shutdown()
	})
	if !strings.Contains(text, "waited for the shutdown in vain") {
		t.Error(text)
	}
}

// TestInitError: the result has what the runtime reported.
func TestInitError(t *testing.T) {
	t.Parallel()
	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(greet, lambda.WithInit(func(context.Context) error {
		return errors.New("no database")
	}))})
	r := env.Init()
	if failed, ok := errors.AsType[*lambdatest.Error](r.Err); !ok || failed.Message != "no database" {
		t.Errorf("init %v", r.Err)
	}
	if want := `{"errorMessage":"no database","errorType":"errorString"}`; string(r.Payload) != want {
		t.Errorf("payload %s, want %s", r.Payload, want)
	}
}

// TestEnviron: variables tell the kind of environment, and programs that the
// test starts where their code is.
func TestEnviron(t *testing.T) {
	t.Parallel()
	code, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		cfg  lambdatest.Config
		want string
	}{
		"managed":   {lambdatest.Config{Runtime: lambdatest.Handler(greet), Concurrency: 2}, "AWS_LAMBDA_INITIALIZATION_TYPE=lambda-managed-instances"},
		"snapstart": {lambdatest.Config{Runtime: lambdatest.Handler(greet), SnapStart: true}, "AWS_LAMBDA_INITIALIZATION_TYPE=snap-start"},
		"goroutine": {lambdatest.Config{Runtime: lambdatest.Handler(greet)}, "LAMBDA_TASK_ROOT=/var/task"},
		"attached":  {lambdatest.Config{Runtime: lambdatest.Attached(), Code: "."}, "LAMBDA_TASK_ROOT=" + code},
	} {
		if env := lambdatest.New(t, tt.cfg); !slices.Contains(env.Environ(), tt.want) {
			t.Errorf("%s: %q lack %s", name, env.Environ(), tt.want)
		}
	}
}

// fails runs what is to end its test, and is the text that it ends with.
func fails(t *testing.T, run func(t lambdatest.TB)) string {
	t.Helper()
	failed := make(chan string, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(fatal{t, failed})
	}()
	<-done
	select {
	case text := <-failed:
		return text
	default:
		return "nothing failed"
	}
}
