package lambda_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/lambda"
	"github.com/lambhq/lamb/lambda/lambdacontext"
	"github.com/lambhq/lamb/lambda/messages"
)

// Order and Receipt are what the examples' handlers take and give.
type (
	Order   struct{ Item string }
	Receipt struct{ Text string }
)

// show gives a handler one event, and prints the answer.
func show(handler any, event string, opts ...lambda.Option) {
	answer, err := lambda.NewHandlerWithOptions(handler, opts...).Invoke(context.Background(), []byte(event))
	if err != nil {
		fmt.Println("error:", err)
		return
	}
	fmt.Println(string(answer))
}

// The main function of a function.
func ExampleStart() {
	handler := func(_ context.Context, o Order) (Receipt, error) {
		if o.Item == "" {
			return Receipt{}, errors.New("nothing was ordered")
		}
		return Receipt{Text: "one " + o.Item}, nil
	}
	// func main() { lambda.Start(handler) }
	show(handler, `{"Item":"ink"}`)
	show(handler, `{}`)
	// Output:
	// {"Text":"one ink"}
	// error: nothing was ordered
}

// With types that the compiler checks, and without reflection. (StartTyped does
// not return, so that this example is not run.)
func ExampleStartTyped() {
	lambda.StartTyped(func(_ context.Context, o Order) (Receipt, error) {
		return Receipt{Text: "one " + o.Item}, nil
	})
}

// The name that this has in aws-lambda-go.
func ExampleStartHandlerFunc() {
	lambda.StartHandlerFunc(func(_ context.Context, o Order) (Receipt, error) {
		return Receipt{Text: "one " + o.Item}, nil
	})
}

// Options have a name of their own in aws-lambda-go, which Start takes, too.
func ExampleStartWithOptions() {
	lambda.StartWithOptions(func() (string, error) { return "<b>", nil }, lambda.WithSetEscapeHTML(true))
}

// The names that functions of aws-lambda-go may still have. (Start does not
// return, so that this example is not run.)
func ExampleStartHandlerWithContext() {
	handler := lambda.BytesFunc(func(_ context.Context, event []byte) ([]byte, error) { return event, nil })
	base := context.WithValue(context.Background(), exampleKey{}, "a connection pool")
	lambda.StartHandlerWithContext(base, handler) // = Start(handler, WithContext(base))
	lambda.StartWithContext(base, handler)        // likewise
	lambda.StartHandler(handler)                  // = Start(handler)
}

// What is written leaves at once; with the prelude first, it answers a function
// URL whose InvokeMode is RESPONSE_STREAM.
func ExampleResponseStream() {
	handler := func(_ context.Context, o Order, w *lambda.ResponseStream) error {
		err := w.WritePrelude(lambda.Prelude{Headers: map[string]string{"Content-Type": "text/plain"}})
		if err != nil {
			return err
		}
		out := bufio.NewWriter(w) // or every line is a message of its own
		for i := range 2 {
			fmt.Fprintf(out, "%s %d\n", o.Item, i)
		}
		return out.Flush()
	}
	answer, err := lambda.NewHandler(handler).Invoke(context.Background(), []byte(`{"Item":"ink"}`))
	if err != nil {
		fmt.Println(err)
	}
	prelude, body, _ := strings.Cut(string(answer), "\x00\x00\x00\x00\x00\x00\x00\x00")
	fmt.Printf("%s\n%s", prelude, body)
	// Output:
	// {"statusCode":200,"headers":{"Content-Type":"text/plain"}}
	// ink 0
	// ink 1
}

// Answers that are no prelude have a type of their own.
func ExampleResponseStream_SetContentType() {
	show(func(w *lambda.ResponseStream) error {
		if err := w.SetContentType("text/csv"); err != nil {
			return err
		}
		_, err := io.WriteString(w, "a,b")
		return err
	}, `{}`)
	// Output: a,b
}

// A reader is streamed, and closed.
func ExampleStart_reader() {
	show(func() (io.Reader, error) { return strings.NewReader("from somewhere"), nil }, `{}`)
	// Output: from somewhere
}

// A handler of bytes.
func ExampleBytesFunc() {
	echo := lambda.BytesFunc(func(_ context.Context, event []byte) ([]byte, error) { return event, nil })
	show(echo, `[1, 2]`)
	// Output: [1, 2]
}

// counter is middleware.
type counter struct {
	next  lambda.Handler
	calls int
}

// Invoke counts.
func (c *counter) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	c.calls++
	return c.next.Invoke(ctx, event)
}

// Middleware is a Handler around a Handler.
func ExampleNewHandler() {
	c := &counter{next: lambda.NewHandler(func() (string, error) { return "hello", nil })}
	// func main() { lambda.Start(c) }
	show(c, `{}`)
	fmt.Println(c.calls, "call")
	// Output:
	// "hello"
	// 1 call
}

// Options belong to the handler.
func ExampleNewHandlerWithOptions() {
	show(lambda.NewHandlerWithOptions(func() (string, error) { return "<b>", nil }, lambda.WithSetEscapeHTML(true)), `{}`)
	// Output: "\u003cb\u003e"
}

func ExampleWithSetEscapeHTML() {
	show(func() (string, error) { return "<b>", nil }, `{}`, lambda.WithSetEscapeHTML(true))
	// Output: "\u003cb\u003e"
}

func ExampleWithSetIndent() {
	show(func() ([]int, error) { return []int{1}, nil }, `{}`, lambda.WithSetIndent("", "  "))
	// Output:
	// [
	//   1
	// ]
}

func ExampleWithUseNumber() {
	show(func(event any) (string, error) { return fmt.Sprintf("%T", event), nil }, `12345678901234567890`, lambda.WithUseNumber(true))
	// Output: "json.Number"
}

func ExampleWithDisallowUnknownFields() {
	show(func(Order) {}, `{"Ite":"ink"}`, lambda.WithDisallowUnknownFields(true))
	// Output: error: json: unknown field "Ite"
}

// exampleKey is a key of the examples' contexts.
type exampleKey struct{}

func ExampleWithContext() {
	base := context.WithValue(context.Background(), exampleKey{}, "a connection pool")
	example(func(ctx context.Context) (any, error) { return ctx.Value(exampleKey{}), nil }, lambda.WithContext(base))
	// Output: "a connection pool"
}

func ExampleWithContextValue() {
	example(func(ctx context.Context) (any, error) { return ctx.Value(exampleKey{}), nil }, lambda.WithContextValue(exampleKey{}, "value"))
	// Output: "value"
}

// What a function needs for all events is made once; an error is reported as
// one of initialization.
func ExampleWithInit() {
	var table string
	example(func() (string, error) { return table, nil }, lambda.WithInit(func(context.Context) error {
		table = "orders"
		return nil
	}))
	// Output: "orders"
}

// Options and hooks are values: a team's own go where each of its functions
// starts.
func ExampleOption() {
	var table string
	connect := lambda.Hook(func(context.Context) error { table = "orders"; return nil })
	ours := []lambda.Option{lambda.WithInit(connect), lambda.WithSetIndent("", " ")}
	example(func() ([]string, error) { return []string{table}, nil }, ours...)
	// Output:
	// [
	//  "orders"
	// ]
}

// With SnapStart, connections are closed before the snapshot and made after it.
func ExampleWithAfterRestore() {
	connect := func(context.Context) error { return nil }
	disconnect := func(context.Context) error { return nil }
	example(func() {}, lambda.WithInit(connect), lambda.WithBeforeSnapshot(disconnect), lambda.WithAfterRestore(connect))
	// Output: null
}

// See WithAfterRestore.
func ExampleWithBeforeSnapshot() { ExampleWithAfterRestore() }

// When Lambda ends the environment, what is left is written.
func ExampleWithEnableSIGTERM() {
	lambda.Start(func() {}, lambda.WithEnableSIGTERM(func() { fmt.Println("flushed") }))
}

// An Error decides what callers see.
func ExampleError() {
	show(func() error { return lambda.Error{Type: "Orders.SoldOut", Message: "no ink is left"} }, `{}`)
	// Output: error: Orders.SoldOut: no ink is left
}

// A stack trace tells where, in the form that Lambda's console shows.
func ExampleStackFrame() {
	show(func() error {
		return &lambda.Error{Type: "Orders.SoldOut", Message: "no ink is left", StackTrace: []*lambda.StackFrame{
			{Path: "orders/shelf.go", Line: 42, Label: "(*Shelf).Take"},
		}}
	}, `{}`)
	// Output: error: Orders.SoldOut: no ink is left
}

// It has the name that aws-lambda-go gives it, too.
func ExampleError_messages() {
	show(func() error {
		return messages.InvokeResponse_Error{Type: "Orders.SoldOut", Message: "no ink is left"}
	}, `{}`)
	// Output: error: Orders.SoldOut: no ink is left
}

// example runs a handler on a Runtime API of its own, with one event, and
// prints what it answers.
func example(handler any, opts ...lambda.Option) {
	t := &testing.T{} // for what it takes to close the API, which ends with the program
	s := newStub(t, event{payload: "{}"})
	r := lambda.Runtime{Handler: handler, Options: opts, Endpoint: s.address()}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-s.idle
		cancel()
	}()
	if err := r.Run(ctx); err != nil {
		fmt.Println(err)
	}
	for _, answer := range s.answers() {
		fmt.Println(answer.body)
	}
}

// A Runtime runs a handler in a program that goes on afterwards.
func ExampleRuntime() {
	s := newStub(&testing.T{}, event{payload: `{"Item":"ink"}`}) // stands in for Lambda
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-s.idle
		cancel()
	}()
	r := lambda.Runtime{
		Handler:  func(o Order) (Receipt, error) { return Receipt{Text: "one " + o.Item}, nil },
		Endpoint: s.address(),
	}
	fmt.Println(r.Run(ctx), s.answers()[0].body)
	// Output: <nil> {"Text":"one ink"}
}

// A handler's context says whose event it is, and how long there is.
func Example_context() {
	example(func(ctx context.Context) (any, error) {
		lc, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		return map[string]any{"request": lc.AwsRequestID, "trace": lambdacontext.TraceID(ctx), "time": time.Until(deadline) > time.Minute}, nil
	})
	// Output: {"request":"8476a536-e9f4-11e8-9739-2dfe598c3fcd","time":true,"trace":"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"}
}
