package lambdacontext_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/lambhq/lamb/lambda/lambdacontext"
)

func ExampleFromContext() {
	ctx := lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: "8476a536"})
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		fmt.Println(lc.AwsRequestID)
	}
	// Output: 8476a536
}

// Tests of handlers make the context that Lambda would.
func ExampleNewContext() { ExampleFromContext() }

// A logger for all of a function, whose records say which request they are
// about.
func ExampleNewLogger() {
	logger := lambdacontext.NewLogger(lambdacontext.WithFunctionARN(), lambdacontext.WithTenantID())
	slog.SetDefault(logger)
	slog.InfoContext(context.Background(), "with a handler's context, there is a requestId")
}

// The same, with more done to it.
func ExampleNewLogHandler() {
	_ = slog.New(lambdacontext.NewLogHandler()).With("service", "orders")
}

// For another handler of slog, the names that Lambda looks for.
func ExampleReplaceAttr() {
	h := slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: lambdacontext.LevelTrace, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{} // the example's output is the same every time
		}
		return lambdacontext.ReplaceAttr(groups, a)
	}})
	slog.New(h).Log(context.Background(), lambdacontext.LevelTrace, "hello")
	// Output: {"level":"TRACE","message":"hello"}
}

func ExampleTraceID() {
	fmt.Printf("%q\n", lambdacontext.TraceID(context.Background()))
	// Output: ""
}
