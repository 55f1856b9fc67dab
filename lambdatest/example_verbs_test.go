package lambdatest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lambhq/lamb/extension"
	"github.com/lambhq/lamb/lambda"
	"github.com/lambhq/lamb/lambdatest"
)

func ExampleEnvironment_Freeze() {
	t := &exampleT{}
	defer t.end()

	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(func() {})})
	env.Init()
	env.Freeze()
	env.WaitFrozen()
	fmt.Println(env.State().Frozen)
	env.Thaw() // as an invocation does
	fmt.Println(env.State().Frozen)
	// Output:
	// true
	// false
}

func ExampleEnvironment_Reserve() {
	t := &exampleT{}
	defer t.end()

	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(func() {})})
	env.Init()
	const id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
	reserved, err := env.Reserve(id, time.Minute)
	if err != nil {
		t.Fatalf("%v", err)
	}
	fmt.Println(errors.Is(env.Invoke(lambdatest.Request{}).Err(), lambdatest.ErrReserved))
	fmt.Println(env.Do(lambdatest.Request{RequestID: id, Reservation: &reserved}).Status)
	if _, err := env.Reserve(id, 0); err != nil {
		t.Fatalf("%v", err)
	}
	fmt.Println(env.Clear())
	// Output:
	// true
	// Success
	// <nil>
}

func ExampleEnvironment_Reset() {
	t := &exampleT{}
	defer t.end()

	starts := 0
	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(
		func() (int, error) { return starts, nil },
		lambda.WithInit(func(context.Context) error { starts++; return nil }),
	)})
	fmt.Println(string(env.Call("x").Payload))
	r := env.Reset(lambdatest.Timeout)
	fmt.Println(r.ErrorType, env.State().Phase)
	fmt.Println(string(env.Call("x").Payload))
	// Output:
	// 1
	// Sandbox.Timedout NeedsInit
	// 2
}

func ExampleEnvironment_ShutdownFor() {
	t := &exampleT{}
	defer t.end()

	reasons := make(chan extension.Reason, 1)
	agent := lambdatest.Go(func(ctx context.Context, p *lambdatest.Process) error {
		x := extension.Extension{
			Name: p.Name, Endpoint: p.Endpoint, Dial: p.Dial,
			Shutdown: func(_ context.Context, e *extension.ShutdownEvent) error { reasons <- e.Reason; return nil },
		}
		return x.Run(ctx)
	})
	env := lambdatest.New(t, lambdatest.Config{
		Runtime:    lambdatest.Handler(func() {}),
		Extensions: []lambdatest.Extension{{Name: "agent", Program: agent}},
	})
	env.Init()
	r := env.ShutdownFor(lambdatest.Failure)
	fmt.Println(<-reasons, r.Took < 2*time.Second)
	// Output: failure true
}

func ExampleEnvironment_Init() {
	t := &exampleT{}
	defer t.end()

	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(
		func() {}, lambda.WithInit(func(context.Context) error { return errors.New("no database") }),
	)})
	r := env.Init()
	fmt.Println(r.Err)
	fmt.Println(string(r.Payload))
	// Output:
	// Function.Unknown: no database
	// {"errorMessage":"no database","errorType":"errorString"}
}

func ExampleEnvironment_WaitPhase() {
	t := &exampleT{}
	defer t.end()

	release := make(chan struct{})
	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(func() { <-release })})
	inv := env.Invoke(lambdatest.Request{})
	env.WaitPhase("Invoking")
	fmt.Println(inv.Status())
	close(release)
	env.WaitPhase("Ready")
	fmt.Println(inv.Wait().Status)
	// Output:
	// InProgress
	// Success
}

// An extension goes on after the runtime is done; the caller does not wait.
func ExampleInvocation_WaitAnswered() {
	t := &exampleT{}
	defer t.end()

	release := make(chan struct{})
	agent := lambdatest.Go(func(ctx context.Context, p *lambdatest.Process) error {
		x := extension.Extension{
			Name: p.Name, Endpoint: p.Endpoint, Dial: p.Dial,
			Invoke: func(context.Context, *extension.InvokeEvent) error { <-release; return nil },
		}
		return x.Run(ctx)
	})
	env := lambdatest.New(t, lambdatest.Config{
		Runtime:    lambdatest.Handler(func() (string, error) { return "here", nil }),
		Extensions: []lambdatest.Extension{{Name: "agent", Program: agent}},
	})
	inv := env.Invoke(lambdatest.Request{})
	fmt.Println(string(inv.WaitAnswered().Payload), inv.Status())
	env.WaitEvent("platform.runtimeDone", nil)
	close(release)
	fmt.Println(inv.Wait().ExtensionOverhead() > 0)
	// Output:
	// "here" InProgress
	// true
}

func ExampleEnvironment_Calls() {
	t := &exampleT{}
	defer t.end()

	env := lambdatest.New(t, lambdatest.Config{RecordCalls: true, Runtime: lambdatest.Handler(func() (int, error) { return 7, nil })})
	env.Call("x")
	for _, call := range env.Calls() {
		fmt.Printf("%s %s %q\n", call.Method, call.Path[strings.LastIndex(call.Path, "/")+1:], call.Body)
	}
	// Output:
	// GET next ""
	// POST response "7"
	// GET next ""
}

func ExampleResult_Decode() {
	t := &exampleT{}
	defer t.end()

	type order struct{ Item string }
	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(func(o order) (order, error) {
		if o.Item == "" {
			return o, errors.New("nothing was ordered")
		}
		return o, nil
	})})
	var answer order
	fmt.Println(env.Call(order{"ink"}).Decode(&answer), answer.Item)
	fmt.Println(env.Call(order{}).Decode(&answer))
	// Output:
	// <nil> ink
	// function error Function.Unknown: {"errorMessage":"nothing was ordered","errorType":"errorString"}
}

func ExampleEnvironment_Events() {
	t := &exampleT{}
	defer t.end()

	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Handler(func() {})})
	env.Init()
	fmt.Println(len(env.Events()) > 0)
	env.ClearEvents()
	env.Call("x")
	for _, ev := range env.Events("platform.start", "platform.report") {
		fmt.Println(ev.Type)
	}
	fmt.Println(strings.Contains(env.Log(), "Billed Duration: "))
	// Output:
	// true
	// platform.start
	// platform.report
	// true
}
