// Command ownfunc is a function on package lambda with what aws-lambda-go does
// not have; the function's handler setting chooses.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/lambhq/lamb/extension"
	"github.com/lambhq/lamb/lambda"
	"github.com/lambhq/lamb/lambda/lambdacontext"
	"github.com/lambhq/lamb/lambda/lambdahttp"
)

func main() {
	switch handler := os.Getenv("_HANDLER"); handler {
	case "typed":
		lambda.StartTyped(func(ctx context.Context, in map[string]int) (string, error) {
			lambdacontext.NewLogger().InfoContext(ctx, "typed", "n", len(in))
			return fmt.Sprint(in), nil
		})
	case "stream":
		lambda.Start(stream)
	case "init":
		lambda.Start(func() {}, lambda.WithInit(func(context.Context) error {
			return lambda.Error{Message: "no table", Type: "Function.NoTable"}
		}))
	case "shape":
		lambda.Start(func(int, int) {})
	case "inside":
		lambda.Start(inside())
	case "sigterm":
		lambda.Start(func() {}, lambda.WithEnableSIGTERM(func() { fmt.Println("the callback has run") }))
	case "http":
		lambdahttp.Start(http.HandlerFunc(page))
	case "http-stream":
		lambdahttp.StartStreaming(http.HandlerFunc(page))
	case "together":
		lambda.Start(together)
	case "shipped":
		lambda.Start(shipped)
	default:
		log.Fatalf("no handler %q", handler)
	}
}

var (
	arrived  atomic.Int32
	complete = make(chan struct{})
)

// together answers when n of its invocations are at work in this process.
func together(ctx context.Context, n int32) (int32, error) {
	if arrived.Add(1) == n {
		close(complete)
	}
	select {
	case <-complete:
		return arrived.Load(), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// stream answers in pieces, and breaks off where it is told to.
func stream(_ context.Context, event struct{ Fail, Panic bool }, w *lambda.ResponseStream) error {
	for i := range 3 {
		if _, err := fmt.Fprintf(w, "piece %d\n", i); err != nil {
			return err
		}
	}
	switch {
	case event.Fail:
		return errors.New("broken off")
	case event.Panic:
		panic("broken off")
	}
	return nil
}

// inside is a handler with an internal extension beside it, which it waits for.
func inside() (any, lambda.Option) {
	seen := make(chan string, 1)
	x := &extension.Extension{Name: "inside", Internal: true, Invoke: func(_ context.Context, e *extension.InvokeEvent) error {
		seen <- e.RequestID
		return nil
	}}
	handler := func(ctx context.Context) (bool, error) {
		lc, _ := lambdacontext.FromContext(ctx)
		return <-seen == lc.AwsRequestID, nil
	}
	return handler, lambda.WithInit(func(ctx context.Context) error {
		_, err := x.Go(ctx)
		return err
	})
}

// page is a web page.
func page(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("X-Own", r.Header.Get("X-Own"))
	http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
	http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
	w.WriteHeader(http.StatusTeapot)
	fmt.Fprintf(w, "<p>%s %s %q", r.Method, r.URL, body)
}

// shipped logs a line and answers with what the log shipper has written so far.
func shipped(line string) (string, error) {
	fmt.Println(line)
	text, err := os.ReadFile(filepath.Join(os.TempDir(), "function.log"))
	return string(text), err
}
