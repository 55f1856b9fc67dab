package extension_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lambhq/lamb/extension"
)

const identifier = "9d2c7f0e-1f6d-4f5f-9a37-0f0a6d6c1c11"

// api is an Extensions API that hands out events in order and notes what it is
// asked.
type api struct {
	*httptest.Server
	mu     sync.Mutex
	events []string
	asked  []string
	idle   chan struct{} // closed when no event is left
	refuse string        // the end of the path to refuse
}

func newAPI(t testing.TB, events ...string) *api {
	a := &api{events: events, idle: make(chan struct{})}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(func() {
		a.CloseClientConnections()
		a.Close()
	})
	return a
}

func (a *api) address() string { return strings.TrimPrefix(a.URL, "http://") }

func (a *api) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	line := strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Method, r.URL.Path, body))
	for _, name := range []string{"Lambda-Extension-Name", "Lambda-Extension-Accept-Feature", "Lambda-Extension-Function-Error-Type"} {
		if v := r.Header.Get(name); v != "" {
			line += " " + name + ": " + v
		}
	}
	if !strings.HasSuffix(r.URL.Path, "/register") && r.Header.Get("Lambda-Extension-Identifier") != identifier {
		line += " without an identifier"
	}
	a.mu.Lock()
	a.asked = append(a.asked, line)
	a.mu.Unlock()
	switch path := r.URL.Path; {
	case a.refuse != "" && strings.HasSuffix(path, a.refuse):
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"errorType":"Extension.Refused","errorMessage":"no"}`)
	case strings.HasSuffix(path, "/register"):
		w.Header().Set("Lambda-Extension-Identifier", identifier)
		_, _ = io.WriteString(w, `{"functionName":"f","functionVersion":"$LATEST","handler":"h","accountId":"1"}`)
	case strings.HasSuffix(path, "/event/next"):
		a.next(w, r)
	case strings.HasSuffix(path, "/telemetry"):
		_, _ = io.WriteString(w, `"OK"`)
	default:
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"status":"OK"}`)
	}
}

func (a *api) next(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	var event string
	left := len(a.events)
	if left > 0 {
		event, a.events = a.events[0], a.events[1:]
	}
	a.mu.Unlock()
	if left == 0 {
		close(a.idle)
		<-r.Context().Done()
		return
	}
	_, _ = io.WriteString(w, event)
}

func (a *api) expect(t *testing.T, want ...string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if diff := cmp.Diff(want, a.asked); diff != "" {
		t.Errorf("- want, + got:\n%s", diff)
	}
}

var (
	deadline = time.Now().Add(time.Hour).Truncate(time.Millisecond)
	invoke   = fmt.Sprintf(`{"eventType":"INVOKE","deadlineMs":%d,"requestId":"id","invokedFunctionArn":"arn","tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1"}}`, deadline.UnixMilli())
	shutdown = fmt.Sprintf(`{"eventType":"SHUTDOWN","shutdownReason":"spindown","deadlineMs":%d}`, deadline.UnixMilli())
)

// base is where all calls but that for telemetry go.
const base = "/2020-01-01/extension"

func TestRun(t *testing.T) {
	a := newAPI(t, invoke, invoke, shutdown)
	var order []string
	x := &extension.Extension{
		Name: "x", Features: []string{extension.AccountID, "other"}, Endpoint: a.address(),
		Init: func(_ context.Context, _ *extension.Client, r *extension.Registration) error {
			order = append(order, fmt.Sprintf("init %+v", *r))
			return nil
		},
		Invoke: func(ctx context.Context, e *extension.InvokeEvent) error {
			d, _ := ctx.Deadline()
			order = append(order, fmt.Sprintf("invoke %+v %t", *e, d.Equal(deadline)))
			return nil
		},
		Shutdown: func(ctx context.Context, e *extension.ShutdownEvent) error {
			d, _ := ctx.Deadline()
			order = append(order, fmt.Sprintf("shutdown %s %t", e.Reason, d.Before(deadline)))
			return nil
		},
	}
	if err := x.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"init {FunctionName:f FunctionVersion:$LATEST Handler:h AccountID:1}",
		"invoke {RequestID:id InvokedFunctionARN:arn TraceID:Root=1} true", "invoke {RequestID:id InvokedFunctionARN:arn TraceID:Root=1} true",
		"shutdown spindown true",
	}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("- want, + got:\n%s", diff)
	}
	next := "GET " + base + "/event/next"
	a.expect(t, `POST `+base+`/register {"events":["INVOKE","SHUTDOWN"]} Lambda-Extension-Name: x Lambda-Extension-Accept-Feature: accountId,other`, next, next, next)
}

// TestFaults fails in every place.
func TestFaults(t *testing.T) {
	fault := &extension.Fault{Type: "Extension.NoKey", Err: errors.New("no key")}
	const (
		register = `POST ` + base + `/register {"events":[]} Lambda-Extension-Name: x`
		next     = "GET " + base + "/event/next"
	)
	report := func(operation, kind, message string) string {
		return fmt.Sprintf(`POST %s/%s/error {"errorMessage":%q,"errorType":%q,"stackTrace":[]} Lambda-Extension-Function-Error-Type: %s`, base, operation, message, kind, kind)
	}
	for name, c := range map[string]struct {
		x    extension.Extension
		want []string
	}{
		"init": {
			extension.Extension{Init: func(context.Context, *extension.Client, *extension.Registration) error { return fault }},
			[]string{register, report("init", "Extension.NoKey", "Extension.NoKey: no key")},
		},
		"a panic in init": {
			extension.Extension{Init: func(context.Context, *extension.Client, *extension.Registration) error { panic("oh") }},
			[]string{register, report("init", "Extension.Panic", "Extension.Panic: oh")},
		},
		"invoke": {
			extension.Extension{Invoke: func(context.Context, *extension.InvokeEvent) error { return errors.New("plain") }},
			[]string{strings.Replace(register, "[]", `["INVOKE"]`, 1), next, report("exit", "Extension.UnknownReason", "plain")},
		},
	} {
		a := newAPI(t, invoke)
		c.x.Name, c.x.Endpoint = "x", a.address()
		err := c.x.Run(t.Context())
		if _, several := err.(interface{ Unwrap() []error }); err == nil || several {
			t.Errorf("%s: error %T %v, want the function's own", name, err, err)
		}
		a.expect(t, c.want...)
	}
	for _, refuse := range []string{"/register", "/next"} {
		a := newAPI(t)
		a.refuse = refuse
		x := extension.Extension{Name: "x", Endpoint: a.address()}
		var refused *extension.Error
		if err := x.Run(t.Context()); !errors.As(err, &refused) || refused.Status != 403 || refused.Type != "Extension.Refused" || refused.Message != "no" {
			t.Errorf("%s refused: %v", refuse, err)
		}
	}
}

func TestInternal(t *testing.T) {
	a := newAPI(t, invoke)
	invoked := make(chan string, 1)
	x := &extension.Extension{Name: "inside", Internal: true, Endpoint: a.address(), Invoke: func(_ context.Context, e *extension.InvokeEvent) error {
		invoked <- e.RequestID
		return nil
	}}
	ctx, cancel := context.WithCancel(t.Context())
	wait, err := x.Go(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if id := <-invoked; id != "id" {
		t.Errorf("invoked for %q", id)
	}
	<-a.idle
	cancel()
	for range 2 {
		if err := wait(); err != nil {
			t.Errorf("ended with %v", err)
		}
	}
	x.Shutdown = func(context.Context, *extension.ShutdownEvent) error { return nil }
	if _, err := x.Go(t.Context()); err == nil {
		t.Error("an internal extension waits for a shutdown that never comes")
	}
}

func TestSubscribe(t *testing.T) {
	for want, s := range map[string]extension.Subscription{
		`{"schemaVersion":"2022-12-13","types":["platform","function","extension"],"destination":{"protocol":"HTTP","URI":"http://sandbox:1"}}`: {Destination: extension.Destination{URI: "http://sandbox:1"}},
		`{"schemaVersion":"2025-01-29","types":["function"],"buffering":{"maxItems":1000,"maxBytes":262144,"timeoutMs":25},"destination":{"protocol":"TCP","port":2}}`: {
			Schema: "2025-01-29", Streams: []extension.Stream{extension.Function}, MaxItems: 1000, MaxBytes: 262144, Timeout: 25 * time.Millisecond, Destination: extension.Destination{Port: 2},
		},
	} {
		a := newAPI(t)
		c := &extension.Client{Endpoint: a.address()}
		defer c.Close()
		if _, err := c.Register("x", nil); err != nil {
			t.Fatal(err)
		}
		if err := c.Subscribe(s); err != nil {
			t.Error(err)
		}
		a.expect(t, `POST `+base+`/register {"events":[]} Lambda-Extension-Name: x`, "PUT /2022-07-01/telemetry "+want)
		a.refuse = "/telemetry"
		if err := c.Subscribe(s); err == nil {
			t.Error("a refusal is no error")
		}
	}
}

// TestUnknownEvent passes over what is not known yet.
func TestUnknownEvent(t *testing.T) {
	a := newAPI(t, `{"eventType":"THAW"}`, shutdown)
	x := extension.Extension{Name: "x", Endpoint: a.address(), Invoke: func(context.Context, *extension.InvokeEvent) error { return errors.New("not invoked") }}
	if err := x.Run(t.Context()); err != nil {
		t.Error(err)
	}
	a = newAPI(t, `nonsense`)
	x.Endpoint = a.address()
	if err := x.Run(t.Context()); !errors.As(err, new(*json.SyntaxError)) {
		t.Errorf("error %v", err)
	}
}

// An extension that prints what happens.
func ExampleExtension() {
	a := newAPI(&testing.T{}, invoke, shutdown)
	defer a.Close()

	x := &extension.Extension{
		Invoke: func(_ context.Context, e *extension.InvokeEvent) error {
			fmt.Println("invoked:", e.RequestID)
			return nil
		},
		Shutdown: func(_ context.Context, e *extension.ShutdownEvent) error {
			fmt.Println("the end:", e.Reason)
			return nil
		},
		Endpoint: a.address(), // in Lambda: left out
	}
	// In Lambda: extension.Start(x)
	if err := x.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// invoked: id
	// the end: spindown
}

// The calls by themselves.
func ExampleClient() {
	a := newAPI(&testing.T{}, shutdown)
	defer a.Close()

	client := &extension.Client{Endpoint: a.address()} // AWS_LAMBDA_RUNTIME_API
	defer client.Close()
	r, err := client.Register("example", []extension.EventType{extension.Shutdown})
	if err != nil {
		fmt.Println(err)
		return
	}
	e, err := client.Next()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.FunctionName, e.Type, e.Shutdown.Reason)
	// Output: f SHUTDOWN spindown
}

// Inside a function, beside its handler.
func ExampleExtension_Go() {
	a := newAPI(&testing.T{}, invoke)
	defer a.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	x := &extension.Extension{
		Name: "inside", Internal: true, Endpoint: a.address(),
		Invoke: func(_ context.Context, e *extension.InvokeEvent) error {
			fmt.Println("invoked:", e.RequestID)
			return nil
		},
	}
	wait, err := x.Go(ctx) // in Lambda: in the hook of lambda.WithInit
	if err != nil {
		fmt.Println(err)
		return
	}
	<-a.idle
	cancel()
	fmt.Println(wait())
	// Output:
	// invoked: id
	// <nil>
}

// Telemetry is subscribed to between Register and the first Next.
func ExampleClient_Subscribe() {
	a := newAPI(&testing.T{})
	defer a.Close()

	client := &extension.Client{Endpoint: a.address()}
	defer client.Close()
	if _, err := client.Register("example", nil); err != nil {
		fmt.Println(err)
	}
	fmt.Println(client.Subscribe(extension.Subscription{
		Streams:     []extension.Stream{extension.Function},
		Destination: extension.Destination{URI: "http://sandbox.localdomain:4243"},
	}))
	// Output: <nil>
}

// A Fault names what Lambda's logs are to say.
func ExampleFault() {
	fmt.Println(&extension.Fault{Type: "Extension.ConfigInvalid", Err: errors.New("no API key")})
	// Output: Extension.ConfigInvalid: no API key
}
