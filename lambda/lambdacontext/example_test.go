package lambdacontext_test

import (
	"context"
	"encoding/json"
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

// What a mobile application has sent along, and whose it is.
func ExampleClientContext() {
	var cc lambdacontext.ClientContext
	if err := json.Unmarshal([]byte(`{"client":{"app_title":"shop","app_version_code":"7"},"custom":{"cart":"3"},"env":{"locale":"de"}}`), &cc); err != nil {
		fmt.Println(err)
	}
	ctx := lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{
		ClientContext: cc, Identity: lambdacontext.CognitoIdentity{CognitoIdentityID: "us-east-1:1234"},
	})
	lc, _ := lambdacontext.FromContext(ctx)
	app := lambdacontext.ClientApplication{AppTitle: "shop", AppVersionCode: "7"}
	fmt.Println(lc.ClientContext.Client == app, lc.ClientContext.Custom["cart"], lc.ClientContext.Env["locale"], lc.Identity.CognitoIdentityID)
	// Output: true 3 de us-east-1:1234
}

// What a function makes per event at a time, it makes that often.
func ExampleMaxConcurrency() {
	workers := make([]struct{}, lambdacontext.MaxConcurrency())
	fmt.Println(len(workers))
	// Output: 1
}

// Options of loggers are values.
func ExampleLogOption() {
	ours := []lambdacontext.LogOption{lambdacontext.WithFunctionARN(), lambdacontext.WithTenantID()}
	logger := lambdacontext.NewLogger(ours...)
	fmt.Println(logger.Enabled(context.Background(), slog.LevelInfo), logger.Enabled(context.Background(), slog.LevelDebug))
	// Output: true false
}
