package runtimeapi

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// server is a Runtime API that answers with what a test says, and notes the
// requests with their bodies.
type server struct {
	*httptest.Server
	requests []*http.Request
	bodies   []string
}

func newServer(t *testing.T, answer http.HandlerFunc) (*server, *Client) {
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.requests, s.bodies = append(s.requests, r), append(s.bodies, string(body))
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	c := &Client{Endpoint: strings.TrimPrefix(s.URL, "http://")}
	t.Cleanup(func() { _ = c.Close() })
	return s, c
}

func accept(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
}

func TestNext(t *testing.T) {
	s, c := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		for i, name := range []string{"Aws-Request-Id", "Deadline-Ms", "Invoked-Function-Arn", "Trace-Id", "Client-Context", "Cognito-Identity", "Aws-Tenant-Id"} {
			w.Header().Set("Lambda-Runtime-"+name, fmt.Sprint(i))
		}
		w.Header().Set("Content-Type", "7")
		_, _ = io.WriteString(w, "event")
	})
	var inv Invocation
	if err := c.Next(&inv); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%s %s %s %s %s %s %s %s %s", inv.Payload, inv.RequestID, inv.DeadlineMs, inv.InvokedFunctionARN, inv.TraceID, inv.ClientContext, inv.CognitoIdentity, inv.TenantID, inv.ContentType)
	if want := "event 0 1 2 3 4 5 6 7"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if r := s.requests[0]; r.Method != "GET" || r.URL.Path != "/2018-06-01/runtime/invocation/next" || !strings.HasPrefix(r.UserAgent(), "lamb-lambda-go/go1.") {
		t.Errorf("%s %s of %s", r.Method, r.URL, r.UserAgent())
	}
}

func TestPosts(t *testing.T) {
	inv := &Invocation{RequestID: []byte("id-1")}
	failure := &Failure{Type: "Function.X", Body: []byte(`{"errorType":"X"}`), XRayCause: []byte(`{"paths":[]}`)}
	for path, call := range map[string]func(*Client) error{
		"invocation/id-1/response": func(c *Client) error { return c.PostResponse(inv, "text/plain", []byte("body")) },
		"invocation/id-1/error":    func(c *Client) error { return c.PostError(inv, failure) },
		"init/error":               func(c *Client) error { return c.PostInitError(failure) },
		"restore/error":            func(c *Client) error { return c.PostRestoreError(failure) },
	} {
		s, c := newServer(t, accept)
		if err := call(c); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		r := s.requests[0]
		if r.Method != "POST" || r.URL.Path != "/2018-06-01/runtime/"+path {
			t.Errorf("%s: %s %s", path, r.Method, r.URL)
		}
		wantBody, wantType, wantError, wantCause := string(failure.Body), "application/json", failure.Type, string(failure.XRayCause)
		if strings.HasSuffix(path, "response") {
			wantBody, wantType, wantError, wantCause = "body", "text/plain", "", ""
		}
		if s.bodies[0] != wantBody || r.Header.Get("Content-Type") != wantType || r.Header.Get(headerErrorType) != wantError || r.Header.Get(headerXRayCause) != wantCause {
			t.Errorf("%s: body %q, header %v", path, s.bodies[0], r.Header)
		}
	}
}

// TestLongCause leaves out what the service would not take.
func TestLongCause(t *testing.T) {
	s, c := newServer(t, accept)
	if err := c.PostInitError(&Failure{XRayCause: make([]byte, maxXRayCause+1)}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{headerXRayCause, headerErrorType} {
		if _, found := s.requests[0].Header[name]; found {
			t.Errorf("%s was sent", name)
		}
	}
}

func TestStream(t *testing.T) {
	inv := &Invocation{RequestID: []byte("id-1")}
	for _, mode := range []StreamMode{Announced, Unannounced} {
		s, c := newServer(t, accept)
		stream, err := c.PostStream(inv, "text/html", mode)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{"a", "b"} {
			if _, err := stream.Write([]byte(p)); err != nil {
				t.Fatal(err)
			}
		}
		if err := stream.Fail(&Failure{Type: "T", Body: []byte("why")}); err != nil {
			t.Fatal(err)
		}
		want := map[StreamMode]string{Announced: "streaming"}[mode]
		r := s.requests[0]
		if got := r.Header.Get("Lambda-Runtime-Function-Response-Mode"); got != want {
			t.Errorf("mode %q, want %q", got, want)
		}
		if s.bodies[0] != "ab" || r.Header.Get("Content-Type") != "text/html" || r.Trailer.Get(headerErrorType) != "T" || r.Trailer.Get(headerErrorBody) != "d2h5" {
			t.Errorf("body %q, header %v, trailer %v", s.bodies[0], r.Header, r.Trailer)
		}
	}
}

// TestRefusals reads what the service says when it refuses.
func TestRefusals(t *testing.T) {
	inv := &Invocation{RequestID: []byte("id-1")}
	calls := map[string]func(*Client) error{
		"next":          func(c *Client) error { return c.Next(inv) },
		"response":      func(c *Client) error { return c.PostResponse(&Invocation{}, "", nil) },
		"error":         func(c *Client) error { return c.PostError(&Invocation{}, &Failure{}) },
		"init/error":    func(c *Client) error { return c.PostInitError(&Failure{}) },
		"restore/next":  (*Client).RestoreNext,
		"restore/error": func(c *Client) error { return c.PostRestoreError(&Failure{}) },
	}
	for operation, call := range calls {
		_, c := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"errorMessage":"no","errorType":"InvalidStateTransition"}`)
		})
		var refused *Error
		if err := call(c); !errors.As(err, &refused) || refused.Operation != operation || refused.Status != 403 || refused.Type != "InvalidStateTransition" || refused.Message != "no" {
			t.Errorf("%s: %v", operation, err)
		}
		_ = c.Close()
		c.conn.Dial = func(string) (io.ReadWriteCloser, error) { return nil, io.ErrClosedPipe }
		if err := call(c); !errors.As(err, &refused) || !errors.Is(err, io.ErrClosedPipe) || refused.Status != 0 {
			t.Errorf("%s without a server: %v", operation, err)
		}
	}
}

// TestTwiceIsOnce loses the connection after a response was sent. The service
// has received it and refuses its repetition: the response is delivered. Any
// other refusal is one.
func TestTwiceIsOnce(t *testing.T) {
	for kind, delivered := range map[string]bool{"InvalidStateTransition": true, "InvalidRequestID": true, "TruncatedHTTPRequest": false} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		body := fmt.Sprintf(`{"errorMessage":"m","errorType":%q}`, kind)
		go func() {
			for _, answers := range [][]string{
				{"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", ""},
				{fmt.Sprintf("HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%s", len(body), body)},
			} {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				in := bufio.NewReader(conn)
				for _, a := range answers {
					if r, err := http.ReadRequest(in); err == nil {
						_, _ = io.Copy(io.Discard, r.Body)
					}
					_, _ = io.WriteString(conn, a)
				}
				conn.Close()
			}
		}()
		c := Client{Endpoint: l.Addr().String()}
		inv := &Invocation{RequestID: []byte("id")}
		if err := c.PostResponse(inv, "", []byte("1")); err != nil {
			t.Fatal(err)
		}
		if err := c.PostResponse(inv, "", []byte("2")); (err == nil) != delivered {
			t.Errorf("%s: %v", kind, err)
		}
		_ = c.Close()
	}
}

// TestNoAllocation is the promise of the package's comment.
func TestNoAllocation(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		buf := make([]byte, 4096)
		event := []byte("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\nLambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700\r\nContent-Length: 5\r\n\r\nevent")
		taken := []byte("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			answer := taken
			if buf[:n][0] == 'G' {
				answer = event
			}
			if _, err := conn.Write(answer); err != nil {
				return
			}
		}
	}()
	c := Client{Endpoint: l.Addr().String()}
	defer c.Close()
	var inv Invocation
	allocs := testing.AllocsPerRun(100, func() {
		if err := c.Next(&inv); err != nil {
			t.Error(err)
		}
		if err := c.PostResponse(&inv, "application/json", inv.Payload); err != nil {
			t.Error(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations per event", allocs)
	}
}

// A runtime in a few lines: it answers every event with itself.
func ExampleClient() {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
			_, _ = io.WriteString(w, `{"name":"Lamb"}`)
			return
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Printf("%s %s\n", r.URL.Path, body)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer s.Close()

	client := Client{Endpoint: strings.TrimPrefix(s.URL, "http://")} // AWS_LAMBDA_RUNTIME_API
	defer client.Close()
	var inv Invocation
	if err := client.Next(&inv); err != nil {
		fmt.Println(err)
	}
	if err := client.PostResponse(&inv, "application/json", inv.Payload); err != nil {
		fmt.Println(err)
	}
	// Output: /2018-06-01/runtime/invocation/8476a536-e9f4-11e8-9739-2dfe598c3fcd/response {"name":"Lamb"}
}

// printing is a Runtime API that prints what it is sent.
func printing() (*httptest.Server, *Client) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Println(strings.TrimSpace(strings.TrimPrefix(r.URL.Path, "/2018-06-01/runtime/") + " " + string(body)))
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusAccepted)
		}
	}))
	return s, &Client{Endpoint: strings.TrimPrefix(s.URL, "http://")}
}

// An event is answered with an error.
func ExampleClient_PostError() {
	s, client := printing()
	defer s.Close()
	defer client.Close()
	inv := &Invocation{RequestID: []byte("id")} // of Next
	if err := client.PostError(inv, &Failure{Type: "Function.SoldOut", Body: []byte(`{"errorMessage":"no ink","errorType":"SoldOut"}`)}); err != nil {
		fmt.Println(err)
	}
	// Output: invocation/id/error {"errorMessage":"no ink","errorType":"SoldOut"}
}

// An answer is sent while it comes into being.
func ExampleClient_PostStream() {
	s, client := printing()
	defer s.Close()
	defer client.Close()
	stream, err := client.PostStream(&Invocation{RequestID: []byte("id")}, "text/plain", Announced)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Fprint(stream, "one, ")
	fmt.Fprint(stream, "two")
	if err := stream.Close(); err != nil {
		fmt.Println(err)
	}
	// Output: invocation/id/response one, two
}

// With SnapStart, the snapshot is taken while RestoreNext waits.
func ExampleClient_RestoreNext() {
	s, client := printing()
	defer s.Close()
	defer client.Close()
	if err := client.RestoreNext(); err != nil {
		fmt.Println(err)
	}
	if err := client.PostRestoreError(&Failure{Type: "Runtime.AfterRestoreError"}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// restore/next
	// restore/error
}

// What keeps a runtime from starting is reported before it exits.
func ExampleClient_PostInitError() {
	s, client := printing()
	defer s.Close()
	defer client.Close()
	if err := client.PostInitError(&Failure{Type: "Runtime.NoSuchHandler", Body: []byte(`{}`)}); err != nil {
		fmt.Println(err)
	}
	// Output: init/error {}
}
