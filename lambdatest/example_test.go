package lambdatest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/lambhq/lamb/extension"
	"github.com/lambhq/lamb/lambda"
	"github.com/lambhq/lamb/lambda/runtimeapi"
	"github.com/lambhq/lamb/lambdatest"
)

// exampleT stands for the *testing.T that tests have and examples do not.
type exampleT struct{ cleanups []func() }

func (t *exampleT) Helper()                  {}
func (t *exampleT) Name() string             { return "Example" }
func (t *exampleT) Context() context.Context { return context.Background() }
func (t *exampleT) Cleanup(f func())         { t.cleanups = append(t.cleanups, f) }
func (t *exampleT) Failed() bool             { return false }
func (t *exampleT) Logf(string, ...any)      {}
func (t *exampleT) Errorf(format string, a ...any) {
	fmt.Printf(format+"\n", a...)
}
func (t *exampleT) Fatalf(format string, a ...any) { log.Fatalf(format, a...) }

func (t *exampleT) TempDir() string {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (t *exampleT) end() {
	for i := len(t.cleanups) - 1; i >= 0; i-- {
		t.cleanups[i]()
	}
}

func ExampleNew() {
	t := &exampleT{} // the test's *testing.T
	defer t.end()

	greet := func(ctx context.Context, name string) (string, error) { return "hello " + name, nil }
	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(greet)})
	res := env.Call("Ada")
	fmt.Println(res.Status, string(res.Payload))
	// Output: Success "hello Ada"
}

func ExampleEnvironment_Invoke() {
	t := &exampleT{}
	defer t.end()

	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(func() error {
		return errors.New("out of stock")
	})})
	inv := env.Invoke(lambdatest.Request{
		RequestID: "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
		Payload:   []byte(`{"item":1}`),
	})
	res := inv.Wait()
	fmt.Println(inv.Status(), res.FunctionError, string(res.Payload))
	// Output: Error Unhandled {"errorMessage":"out of stock","errorType":"errorString"}
}

func ExampleClock() {
	t := &exampleT{}
	defer t.end()

	clock := lambdatest.NewClock(time.Time{})
	started := make(chan struct{})
	env := lambdatest.New(t, lambdatest.Config{
		Clock: clock, Timeout: 15 * time.Minute,
		Runtime: lambdatest.Handler(func(ctx context.Context) error {
			close(started)
			<-ctx.Done()
			return ctx.Err()
		}),
	})
	env.Init()
	inv := env.Invoke(lambdatest.Request{RequestID: "8476a536-e9f4-11e8-9739-2dfe598c3fcd"})
	<-started
	clock.Advance(15 * time.Minute)
	fmt.Println(string(inv.Wait().Payload))
	// Output: {"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd Error: Task timed out after 900.00 seconds"}
}

func ExampleExtension() {
	t := &exampleT{}
	defer t.end()

	agent := lambdatest.Go(func(ctx context.Context, p *lambdatest.Process) error {
		client := &extension.Client{Endpoint: p.Endpoint, Dial: p.Dial}
		if _, err := client.Register(p.Name, []extension.EventType{extension.Invoke, extension.Shutdown}); err != nil {
			return err
		}
		for {
			ev, err := client.Next()
			if err != nil {
				return err
			}
			fmt.Fprintln(p.Stdout, "agent:", ev.Type)
			if ev.Shutdown != nil {
				return nil
			}
		}
	})
	env := lambdatest.New(t, lambdatest.Config{
		Runtime:    lambdatest.Handler(func() {}),
		Extensions: []lambdatest.Extension{{Name: "agent", Program: agent}},
	})
	env.WaitExtensionsReady()
	for _, x := range env.Extensions() {
		fmt.Println(x.Name, x.State, x.Events)
	}
	env.Shutdown()
	env.WaitLog("agent: SHUTDOWN")
	// Output: agent Ready [INVOKE SHUTDOWN]
}

func ExampleEnvironment_WaitEvent() {
	t := &exampleT{}
	defer t.end()

	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(func() {}), MemoryMB: 512})
	env.Call("anything")
	report := env.WaitEvent("platform.report", nil)
	var record struct {
		Status  string
		Metrics struct{ MemorySizeMB int }
	}
	if err := json.Unmarshal(report.Record, &record); err != nil {
		log.Fatal(err)
	}
	fmt.Println(record.Status, record.Metrics.MemorySizeMB)
	// Output: success 512
}

func ExampleInTurn() {
	t := &exampleT{}
	defer t.end()

	crash := lambdatest.Go(func(context.Context, *lambdatest.Process) error { return lambdatest.ExitStatus(7) })
	works := lambdatest.Handler(func() (string, error) { return "up", nil })
	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.InTurn(crash, works)})
	fmt.Println(env.Init().Err)
	fmt.Println(string(env.Call("x").Payload)) // it runs the init again
	// Output:
	// Runtime.ExitError: Runtime exited with error: exit status 7
	// "up"
}

func ExampleRequest_stream() {
	t := &exampleT{}
	defer t.end()

	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(func(_ context.Context, s *lambda.ResponseStream) error {
		_, err := s.Write([]byte("word by word"))
		return err
	})})
	for _, chunk := range env.Do(lambdatest.Request{Stream: true}).Chunks {
		fmt.Println(string(chunk.Data))
	}
	// Output: word by word
}

func ExampleEnvironment_Restore() {
	t := &exampleT{}
	defer t.end()

	env := lambdatest.New(t, lambdatest.Config{SnapStart: true, Runtime: lambdatest.Handler(
		func() (string, error) { return "restored", nil },
		lambda.WithAfterRestore(func(context.Context) error { fmt.Println("after restore"); return nil }),
	)})
	if _, err := env.Restore(0); err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(env.Call("x").Payload))
	// Output:
	// after restore
	// "restored"
}

func ExampleEnvironment_Run() {
	t := &exampleT{}
	defer t.end()

	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(func(n int) (int, error) { return n * n, nil })})
	for n := range 3 {
		env.Invoke(lambdatest.Request{Payload: fmt.Append(nil, n)})
	}
	env.Run(3)
	for _, inv := range env.Invocations() {
		fmt.Println(inv.Status(), string(inv.Wait().Payload))
	}
	// Output:
	// Success 0
	// Success 1
	// Success 4
}

func ExampleExec() {
	t := &exampleT{}
	defer t.end()

	// A runtime need not be in Go: this one is a script that fails at once.
	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Exec("sh", "-c", "echo no handler; exit 4")})
	fmt.Println(env.Init().Err)
	env.WaitLog("no handler")
	// Output: Runtime.ExitError: Runtime exited with error: exit status 4
}

func ExampleAttached() {
	t := &exampleT{}
	defer t.end()

	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Attached()})
	// What speaks to env.Endpoint() is the runtime: a program under a debugger,
	// say, that was started with the variables of env.Environ(). Here it is the
	// client of the Runtime API.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		client := runtimeapi.Client{Endpoint: env.Endpoint()}
		var inv runtimeapi.Invocation
		for client.Next(&inv) == nil {
			if client.PostResponse(&inv, "application/json", []byte(`"attached"`)) != nil {
				return
			}
		}
	}()
	fmt.Println(string(env.Call("x").Payload))
	env.Close() // closes the connection, which ends the loop
	<-ended
	// Output: "attached"
}

func ExampleRequest_loseResponse() {
	t := &exampleT{}
	defer t.end()

	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(func() (string, error) { return "here", nil })})
	lost := env.Do(lambdatest.Request{LoseResponse: true})
	fmt.Println(lost.ErrorType, len(lost.Payload) > 0)
	fmt.Println(string(env.Call("x").Payload)) // by a runtime that was started again
	// Output:
	// Sandbox.Failure true
	// "here"
}
