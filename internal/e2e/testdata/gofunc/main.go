// Command gofunc is a function on aws-lambda-go with many handlers; the
// function's handler setting chooses one.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

var handlers = map[string]any{
	"typed":   typed,
	"fail":    func() error { return &businessError{"the stock is empty"} },
	"panic":   func() error { panic("deliberate") },
	"nothing": func() {},
	"context": describe,
	"env":     environment,
	"reader":  func(in json.RawMessage) (io.Reader, error) { return strings.NewReader(string(in)), nil },
	"echo":    func(in json.RawMessage) (json.RawMessage, error) { return in, nil },
	"big":     func(n int) (string, error) { return strings.Repeat("x", n-2), nil },
	"print":   func(lines []string) { fmt.Println(strings.Join(lines, "\n")) },
	"act":     act,
	"hook":    hook,
}

func main() {
	switch os.Getenv("INIT") {
	case "exit":
		fmt.Println("giving up")
		os.Exit(7)
	case "panic":
		panic("deliberate, before the first event")
	}
	h, ok := handlers[os.Getenv("_HANDLER")]
	if !ok {
		fmt.Fprintln(os.Stderr, "unknown handler")
		os.Exit(1)
	}
	if cleanUp := os.Getenv("AT_SIGTERM"); cleanUp != "" {
		lambda.StartWithOptions(h, lambda.WithEnableSIGTERM(func() { fmt.Println(cleanUp) }))
	}
	lambda.Start(h)
}

type order struct {
	Item  string `json:"item"`
	Count int    `json:"count"`
}

type receipt struct {
	Text  string `json:"text"`
	Total int    `json:"total"`
}

func typed(_ context.Context, o order) (receipt, error) {
	return receipt{Text: "sold " + o.Item, Total: o.Count * 3}, nil
}

type businessError struct{ text string }

func (e *businessError) Error() string { return e.text }

func describe(ctx context.Context) (map[string]any, error) {
	lc, ok := lambdacontext.FromContext(ctx)
	if !ok {
		return nil, errors.New("no lambda context")
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		return nil, errors.New("no deadline")
	}
	return map[string]any{
		"requestID": lc.AwsRequestID,
		"arn":       lc.InvokedFunctionArn,
		"client":    lc.ClientContext,
		"leftMs":    time.Until(deadline).Milliseconds(),
		"name":      lambdacontext.FunctionName,
		"version":   lambdacontext.FunctionVersion,
		"memory":    lambdacontext.MemoryLimitInMB,
		"group":     lambdacontext.LogGroupName,
		"stream":    lambdacontext.LogStreamName,
		"trace":     os.Getenv("_X_AMZN_TRACE_ID"),
	}, nil
}

func environment() (map[string]string, error) {
	all := map[string]string{}
	for _, kv := range os.Environ() {
		k, v, _ := strings.Cut(kv, "=")
		all[k] = v
	}
	dir, err := os.Getwd()
	all["(working folder)"] = dir
	return all, err
}

// An action is what act is asked to do, in the order of the members.
type action struct {
	Write   string `json:"write"` // into a file in the temporary folder
	SleepMs int    `json:"sleepMs"`
	Exit    *int   `json:"exit"`
	Kill    bool   `json:"kill"`
}

var events atomic.Int32 // since this process began

func act(a action) (map[string]any, error) {
	n := events.Add(1)
	path := filepath.Join(os.TempDir(), "kept")
	if a.Write != "" {
		if err := os.WriteFile(path, []byte(a.Write), 0o600); err != nil {
			return nil, err
		}
	}
	time.Sleep(time.Duration(a.SleepMs) * time.Millisecond)
	if a.Exit != nil {
		os.Exit(*a.Exit)
	}
	if a.Kill {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	kept, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return map[string]any{"pid": os.Getpid(), "stream": lambdacontext.LogStreamName, "events": n, "kept": string(kept)}, nil
}

// hook calls the test, which answers when it likes.
func hook(ctx context.Context, sleepMs int) (map[string]any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, os.Getenv("HOOK"), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	time.Sleep(time.Duration(sleepMs) * time.Millisecond)
	return map[string]any{"pid": os.Getpid(), "stream": lambdacontext.LogStreamName}, nil
}
