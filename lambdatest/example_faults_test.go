package lambdatest_test

import (
	"fmt"
	"time"

	"github.com/lambhq/lamb/extension"
	"github.com/lambhq/lamb/lambdatest"
)

func ExampleCrash() {
	t := &exampleT{}
	defer t.end()

	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.InTurn(
		lambdatest.Crash(lambdatest.DuringInvocation, 3),
		lambdatest.Handler(func() (string, error) { return "up again", nil }),
	)})
	fmt.Println(env.Call("x").ErrorType)
	fmt.Println(string(env.Call("x").Payload))
	// Output:
	// Runtime.ExitError
	// "up again"
}

func ExampleCrash_afterResponse() {
	t := &exampleT{}
	defer t.end()

	// The caller has the answer, and the invocation has failed: see Result.
	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Crash(lambdatest.AfterResponse, 3)})
	res := env.Call("answered")
	fmt.Printf("%s %q\n", res.Payload, res.FunctionError)
	fmt.Println(res.Status, res.Record.ErrorType)
	// Output:
	// "answered" ""
	// Error Runtime.ExitError
}

func ExampleHang() {
	t := &exampleT{}
	defer t.end()

	clock := lambdatest.NewClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	env := lambdatest.New(t, lambdatest.Config{
		Clock: clock, Timeout: 15 * time.Minute, Runtime: lambdatest.Hang(lambdatest.DuringInvocation),
	})
	env.Init()
	inv := env.Invoke(lambdatest.Request{})
	clock.WaitTimers(1) // that of the timeout
	clock.Advance(15 * time.Minute)
	res := inv.Wait()
	fmt.Println(res.Status, res.ErrorType, res.Record.Duration)
	fmt.Println(clock.Now().Format(time.TimeOnly))
	// Output:
	// Timeout Sandbox.Timedout 15m0s
	// 00:15:00
}

func ExampleHalfResponse() {
	t := &exampleT{}
	defer t.end()

	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.HalfResponse()})
	res := env.Do(lambdatest.Request{Payload: []byte(`{"n":12345}`), Stream: true})
	fmt.Println(string(res.Chunks[0].Data), res.ErrorType)
	// Output: {"n": Runtime.TruncatedResponse
}

func ExampleSubscriber() {
	t := &exampleT{}
	defer t.end()

	batches := make(chan []lambdatest.Event)
	env := lambdatest.New(t, lambdatest.Config{
		Runtime: lambdatest.Handler(func() {}),
		Extensions: []lambdatest.Extension{{Name: "sink", Program: lambdatest.Subscriber(
			extension.Subscription{Streams: []extension.Stream{extension.Platform}, Timeout: 25 * time.Millisecond}, batches)}},
	})
	first := (<-batches)[0] // who does not take a batch is a slow subscriber
	fmt.Println(first.Type, env.Telemetry().Dropped)
	// Output: platform.initStart 0
}
