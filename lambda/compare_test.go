package lambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	theirs "github.com/aws/aws-lambda-go/lambda"
	theirmessages "github.com/aws/aws-lambda-go/lambda/messages"
	theircontext "github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"
	"github.com/lambhq/lamb/lambda"
	"github.com/lambhq/lamb/lambda/lambdacontext"
	"github.com/lambhq/lamb/lambda/messages"
)

// A contestant is a handler as both libraries get it.
type contestant struct {
	handler      any // of both, where the two below are nil
	ours, theirs any
	start        func() // of ours, if not by Start
	ourOptions   []lambda.Option
	theirOptions []theirs.Option
	events       []event
	exits        bool // the process ends after the last event
}

// What handlers of published samples take and return.
type (
	myEvent struct {
		Name string `json:"name"`
	}
	myResponse struct {
		Message string `json:"message"`
		HTML    string `json:"html,omitempty"`
	}
	customError struct{ Code int }
	namedReader struct{ io.Reader }
	jsonReader  struct {
		io.Reader `json:"-"`
		Text      string `json:"text"`
	}
	readCloser struct{ io.Reader }
	method     struct{}
	baseKey    struct{}
)

func (e customError) Error() string     { return fmt.Sprintf("code <%d>", e.Code) }
func (namedReader) ContentType() string { return "text/html" }
func (readCloser) Close() error         { fmt.Fprintln(os.Stderr, "closed"); return nil }
func (method) handle(e myEvent) error   { return errors.New("no " + e.Name) }
func (method) Invoke(_ context.Context, p []byte) ([]byte, error) {
	if len(p) == 0 {
		return nil, errors.New("empty")
	}
	return append([]byte("got "), p...), nil
}

// failing gives some bytes and then an error.
func failing(text string, err error) io.Reader {
	return io.MultiReader(strings.NewReader(text), errReader{err})
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func greet(_ context.Context, e myEvent) (myResponse, error) {
	if e.Name == "" {
		return myResponse{}, errors.New("no <name>")
	}
	return myResponse{"Hello " + e.Name + "!", "<b>&</b>"}, nil
}

func open(context.Context, json.RawMessage) (io.Reader, error) { return strings.NewReader("text"), nil }

// wrap is middleware.
type wrap struct{ next lambda.Handler }

func (w wrap) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	out, err := w.next.Invoke(ctx, payload)
	return append([]byte("wrapped: "), out...), err
}

func dereference(e *myEvent) string { return e.Name }

func contestants() map[string]contestant {
	named := []event{{payload: `{"name":"Lamb"}`}}
	return map[string]contestant{
		// The shapes of func.
		"func()":                             {handler: func() {}},
		"func(TIn)":                          {handler: func(myEvent) {}},
		"func() error":                       {handler: func() error { return nil }},
		"func() error, failing":              {handler: func() error { return io.ErrUnexpectedEOF }},
		"func(TIn) error":                    {handler: method{}.handle, events: named},
		"func() (TOut, error)":               {handler: func() (string, error) { return "Hello ƛ!", nil }},
		"func(TIn) (TOut, error)":            {handler: func(e *myEvent) (*myResponse, error) { return &myResponse{Message: e.Name}, nil }, events: named},
		"func(context.Context)":              {handler: func(context.Context) {}},
		"func(context.Context) error":        {handler: func(ctx context.Context) error { return ctx.Err() }},
		"func(context.Context) (TOut,error)": {handler: func(ctx context.Context) (any, error) { return ctx.Value("x-amzn-trace-id"), nil }},
		"func(context.Context, TIn)":         {handler: func(context.Context, map[string]any) {}},
		"func(context.Context, TIn) error":   {handler: func(context.Context, json.RawMessage) error { return nil }},
		"all": {handler: func(_ context.Context, e myEvent) (myResponse, error) {
			return myResponse{"Hello " + e.Name + "!", "<b>&</b>"}, nil
		}, events: named},
		"func(any)":        {handler: func(e any) (any, error) { return e, nil }, events: []event{{payload: `{"b":1.50,"a":[null,12345678901234567890]}`}}},
		"bytes are base64": {handler: func(p []byte) ([]byte, error) { return append(p, '!'), nil }, events: []event{{payload: `"aGk="`}}},
		"StartTyped": {
			start:  func() { lambda.StartTyped(greet, lambda.WithSetEscapeHTML(true)) },
			theirs: greet, theirOptions: []theirs.Option{theirs.WithSetEscapeHTML(true)},
			events: []event{{payload: `{"name":"Lamb"}`}, {payload: `{"name":1}`}, {payload: `{"name":""}`}},
		},
		"StartTyped with a reader": {start: func() { lambda.StartTyped(open) }, theirs: open},
		"StartHandlerFunc":         {start: func() { lambda.StartHandlerFunc(greet) }, theirs: greet, events: named},
		"StartHandler":             {start: func() { lambda.StartHandler(method{}) }, theirs: method{}, events: named},
		"NewHandler as a Handler":  {ours: lambda.NewHandlerWithOptions(greet, lambda.WithSetEscapeHTML(true)), theirs: theirs.NewHandlerWithOptions(greet, theirs.WithSetEscapeHTML(true)), events: named},
		"middleware": {
			ours:   wrap{lambda.NewHandler(greet)},
			theirs: wrap{theirs.NewHandler(greet)},
			events: []event{{payload: `{"name":"Lamb"}`}, {payload: `{"name":""}`}},
		},
		"a Handler": {handler: method{}, events: []event{{payload: `{"name":"Lamb"}`}, {payload: ""}}},
		"the reason of samples": {handler: func(_ context.Context, e events.SQSEvent) (map[string]any, error) {
			return map[string]any{"batchItemFailures": len(e.Records)}, nil
		}, events: []event{{payload: `{"Records":[{"messageId":"1","body":"x"}]}`}}},
		"an API's": {handler: func(_ context.Context, r events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
			return events.APIGatewayProxyResponse{StatusCode: 200, Body: r.HTTPMethod, Headers: map[string]string{"a": "b"}}, nil
		}, events: []event{{payload: `{"httpMethod":"GET","path":"/"}`}}},
		"a typed error, nil":  {handler: func() (string, *customError) { return "fine", nil }, theirs: func() (string, error) { return "fine", nil }},
		"a closed file as in": {handler: func() (io.Reader, error) { return os.Open("/nonexistent") }},

		// Events that do not fit.
		"another type":    {handler: func(myEvent) {}, events: []event{{payload: `{"name":1}`}, {payload: `[]`}, {payload: `"x"`}}},
		"no JSON":         {handler: func(any) {}, events: []event{{payload: `{`}, {payload: ``}, {payload: `nul`}, {payload: `{} trailing`}, {payload: "\xff"}}},
		"no deadline":     {handler: func() {}, events: []event{{header: map[string]string{"Lambda-Runtime-Deadline-Ms": ""}}, {header: map[string]string{"Lambda-Runtime-Deadline-Ms": "soon"}}}},
		"a bad client":    {handler: func() {}, events: []event{{header: map[string]string{"Lambda-Runtime-Client-Context": "{"}}}},
		"a bad identity":  {handler: func() {}, events: []event{{header: map[string]string{"Lambda-Runtime-Cognito-Identity": "[]"}}}},
		"what JSON lacks": {handler: func() (any, error) { return func() {}, nil }},

		// Errors.
		"an error":             {handler: func() (string, error) { return "", errors.New(`it's <"broken"> & ended`) }},
		"a custom error":       {handler: func() error { return customError{3} }},
		"a pointer to one":     {handler: func() error { return &customError{4} }},
		"a wrapped one":        {handler: func() error { return fmt.Errorf("wrapped: %w", customError{5}) }},
		"joined ones":          {handler: func() error { return errors.Join(errors.New("a"), errors.New("b")) }},
		"an error and a value": {handler: func() (string, error) { return "lost", errors.New("first") }},
		"errors in a row":      {handler: func(n int) (int, error) { return n, map[int]error{2: errors.New("two")}[n] }, events: []event{{payload: "1"}, {payload: "2"}, {payload: "3"}}},
		"an error of messages": {
			ours: func() error {
				return messages.InvokeResponse_Error{Message: "m", Type: "My.Type", StackTrace: []*messages.InvokeResponse_Error_StackFrame{{Path: "p", Line: 1, Label: "l"}}}
			},
			theirs: func() error {
				return theirmessages.InvokeResponse_Error{Message: "m", Type: "My.Type", StackTrace: []*theirmessages.InvokeResponse_Error_StackFrame{{Path: "p", Line: 1, Label: "l"}}}
			},
		},
		"one that exits": {
			ours:   func() error { return messages.InvokeResponse_Error{Message: "m", Type: "T", ShouldExit: true} },
			theirs: func() error { return theirmessages.InvokeResponse_Error{Message: "m", Type: "T", ShouldExit: true} },
			exits:  true,
		},

		// Panics.
		"a panic":             {handler: func() { panic("oh no") }, exits: true},
		"a panic with error":  {handler: func() { panic(customError{6}) }, exits: true},
		"a nil dereference":   {handler: func(context.Context) (string, error) { return dereference(nil), nil }, exits: true},
		"an index":            {handler: func(s []int) (int, error) { return s[len(s)], nil }, events: []event{{payload: "[1]"}}, exits: true},
		"a division":          {handler: func(n int) (int, error) { return 1 / n, nil }, events: []event{{payload: "0"}}, exits: true},
		"a panic in a method": {handler: func(e myEvent) error { return (*method)(nil).handle(e) }, events: named, exits: true},

		// Readers.
		"a reader":             {handler: func() (io.Reader, error) { return strings.NewReader("plain <text>"), nil }},
		"a long reader":        {handler: func() (io.Reader, error) { return strings.NewReader(strings.Repeat("0123456789", 30000)), nil }},
		"an empty reader":      {handler: func() (io.Reader, error) { return strings.NewReader(""), nil }},
		"a reader with a type": {handler: func() (namedReader, error) { return namedReader{strings.NewReader("<p>")}, nil }},
		"JSON before reader":   {handler: func() (jsonReader, error) { return jsonReader{strings.NewReader("no"), "yes"}, nil }},
		"a closer":             {handler: func() (io.Reader, error) { return readCloser{strings.NewReader("x")}, nil }},
		"a reader that fails":  {handler: func() (io.Reader, error) { return failing("so far", customError{7}), nil }},
		"one that only fails":  {handler: func() (io.Reader, error) { return failing("", errors.New("at once")), nil }},
		"a streaming response": {handler: func() (*events.LambdaFunctionURLStreamingResponse, error) {
			return &events.LambdaFunctionURLStreamingResponse{StatusCode: 201, Headers: map[string]string{"content-type": "text/plain"}, Cookies: []string{"a=b"}, Body: strings.NewReader("body")}, nil
		}},

		// What handlers are told.
		"lambdacontext": {
			ours: func(ctx context.Context) (any, error) {
				lc, ok := lambdacontext.FromContext(ctx)
				deadline, timed := ctx.Deadline()
				return []any{lc, ok, time.Until(deadline) > time.Minute, timed, lambdacontext.FunctionName, lambdacontext.MemoryLimitInMB, lambdacontext.MaxConcurrency(), os.Getenv("_X_AMZN_TRACE_ID")}, nil
			},
			theirs: func(ctx context.Context) (any, error) {
				lc, ok := theircontext.FromContext(ctx)
				deadline, timed := ctx.Deadline()
				return []any{lc, ok, time.Until(deadline) > time.Minute, timed, theircontext.FunctionName, theircontext.MemoryLimitInMB, theircontext.MaxConcurrency(), os.Getenv("_X_AMZN_TRACE_ID")}, nil
			},
			events: []event{{}, {header: map[string]string{
				"Lambda-Runtime-Client-Context":   `{"client":{"installation_id":"i","app_title":"t"},"custom":{"a":"b","n":{"x":1}},"env":{"e":"f"}}`,
				"Lambda-Runtime-Cognito-Identity": `{"cognitoIdentityId":"c","cognitoIdentityPoolId":"p"}`,
				"Lambda-Runtime-Aws-Tenant-Id":    "blue",
				"Lambda-Runtime-Trace-Id":         "Root=1-2;Parent=3;Sampled=0",
			}}},
		},

		// Options.
		"WithContextValue": {
			handler:      func(ctx context.Context) (any, error) { return []any{ctx.Value("a"), ctx.Value(baseKey{})}, nil },
			ourOptions:   []lambda.Option{lambda.WithContextValue("a", 1), lambda.WithContext(context.WithValue(context.Background(), baseKey{}, 2))},
			theirOptions: []theirs.Option{theirs.WithContextValue("a", 1), theirs.WithContext(context.WithValue(context.Background(), baseKey{}, 2))},
		},
		"WithSetEscapeHTML": {
			handler:    func() (string, error) { return "<&>", nil },
			ourOptions: []lambda.Option{lambda.WithSetEscapeHTML(true)}, theirOptions: []theirs.Option{theirs.WithSetEscapeHTML(true)},
		},
		"WithSetIndent": {
			handler:    func() (any, error) { return []int{1}, nil },
			ourOptions: []lambda.Option{lambda.WithSetIndent(">", " ")}, theirOptions: []theirs.Option{theirs.WithSetIndent(">", " ")},
		},
		"WithUseNumber": {
			handler:    func(e any) (string, error) { return fmt.Sprintf("%T", e), nil },
			ourOptions: []lambda.Option{lambda.WithUseNumber(true)}, theirOptions: []theirs.Option{theirs.WithUseNumber(true)},
			events: []event{{payload: "1"}},
		},
		"WithDisallowUnknownFields": {
			handler:    func(myEvent) {},
			ourOptions: []lambda.Option{lambda.WithDisallowUnknownFields(true)}, theirOptions: []theirs.Option{theirs.WithDisallowUnknownFields(true)},
			events: []event{{payload: `{"name":"x","nom":"y"}`}, {payload: `{"name":"x"}`}},
		},
	}
}

const (
	childLibrary = "LAMB_TEST_LIBRARY"
	childHandler = "LAMB_TEST_HANDLER"
)

// TestMain runs a handler instead of the tests where it is told to: a process
// of its own is what both libraries are made for, and end.
func TestMain(m *testing.M) {
	c := contestants()[os.Getenv(childHandler)]
	if os.Getenv(childHandler) == "SIGTERM" {
		c.handler = func() {}
		c.ourOptions = []lambda.Option{lambda.WithEnableSIGTERM(func() { fmt.Println("first") }, func() { fmt.Println("second") })}
	}
	switch os.Getenv(childLibrary) {
	case "ours":
		if c.start != nil {
			c.start()
		}
		lambda.Start(either(c.ours, c.handler), c.ourOptions...)
	case "theirs":
		theirs.StartWithOptions(either(c.theirs, c.handler), c.theirOptions...)
	}
	os.Exit(m.Run())
}

func either(own, both any) any {
	if own != nil {
		return own
	}
	return both
}

// outcome is what became of a contestant's events.
type outcome struct {
	Requests []string
	Exit     int
}

// play runs a contestant's handler with a library, in a process of its own.
func play(t *testing.T, name, library string) outcome {
	t.Helper()
	c := contestants()[name]
	if c.events == nil {
		c.events = []event{{payload: "{}"}}
	}
	s := newStub(t, c.events...)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childLibrary+"="+library, childHandler+"="+name, "AWS_LAMBDA_RUNTIME_API="+s.address(),
		"AWS_LAMBDA_FUNCTION_NAME=f", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128")
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-s.idle:
		if c.exits {
			t.Errorf("%s goes on after the last event", library)
		}
		_ = cmd.Process.Kill()
		<-ended
	case err := <-ended:
		if !c.exits {
			t.Fatalf("%s has ended: %v\n%s", library, err, &log)
		}
	}
	o := outcome{Exit: cmd.ProcessState.ExitCode()}
	for _, r := range s.answers() {
		if library == "ours" && strings.HasSuffix(r.path, "/error") && r.header.Get("Lambda-Runtime-Function-Error-Type") == "" {
			t.Error("an error without a type in its header")
		}
		o.Requests = append(o.Requests, describe(r))
	}
	return o
}

// describe is a request without what both say in their own way: how the body is
// framed, who sends it, and the header with the type of errors, which
// aws-lambda-go leaves out. Of stacks it has what is the handler's own.
func describe(r request) string {
	h := r.header.Clone()
	for _, name := range []string{"User-Agent", "Accept-Encoding", "Content-Length", "Transfer-Encoding", "Lambda-Runtime-Function-Error-Type"} {
		h.Del(name)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.method, r.path)
	for _, name := range slices.Sorted(maps.Keys(h)) {
		fmt.Fprintf(&b, "%s: %s\n", name, ownFrames(h.Get(name)))
	}
	fmt.Fprintf(&b, "\n%s\n", ownFrames(r.body))
	for _, name := range slices.Sorted(maps.Keys(r.trailer)) {
		if value := r.trailer.Get(name); value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	return b.String()
}

// ownFrames takes the frames of libraries out of an error.
func ownFrames(text string) string {
	var e struct {
		ErrorMessage, ErrorType string
		StackTrace              []lambda.StackFrame
		WorkingDirectory        string `json:"working_directory"`
		Exceptions              []struct {
			Type, Message string
			Stack         []lambda.StackFrame
		}
		Paths []string
	}
	if !strings.Contains(text, `"label":`) || json.Unmarshal([]byte(text), &e) != nil {
		return text
	}
	foreign := func(f lambda.StackFrame) bool {
		return !strings.HasSuffix(f.Path, "compare_test.go") || f.Label == "TestMain"
	}
	e.StackTrace = slices.DeleteFunc(e.StackTrace, foreign)
	for i := range e.Exceptions {
		e.Exceptions[i].Stack = slices.DeleteFunc(e.Exceptions[i].Stack, foreign)
	}
	e.Paths = slices.DeleteFunc(e.Paths, func(p string) bool { return !strings.HasSuffix(p, "compare_test.go") })
	own, err := json.Marshal(e)
	if err != nil {
		return err.Error()
	}
	return string(own)
}

// TestLikeAWSLambdaGo gives the same events to the same handlers with both
// libraries and compares every byte that comes back.
func TestLikeAWSLambdaGo(t *testing.T) {
	if raceEnabled {
		t.Skip("over a hundred processes of a program that starts slowly, each with one goroutine")
	}
	for name, c := range contestants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, got := play(t, name, "theirs"), play(t, name, "ours")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("- aws-lambda-go, + ours:\n%s", diff)
			}
			if len(want.Requests) < max(1, len(c.events)) {
				t.Errorf("%d answers to %d events", len(want.Requests), len(c.events))
			}
		})
	}
}
