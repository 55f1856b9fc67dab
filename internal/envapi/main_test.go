package envapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"go.uber.org/goleak"
)

// TestMain is also the runtime of TestLambdaGo: a real client must be a
// process of its own, because it ends with os.Exit.
func TestMain(m *testing.M) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" {
		lambda.Start(func(_ context.Context, in json.RawMessage) (any, error) {
			switch string(in) {
			case `"fail"`:
				return nil, errors.New("as asked")
			case `"stream-fail"`:
				return io.MultiReader(strings.NewReader("some"), failingReader{}), nil
			}
			return in, nil
		})
	}
	goleak.VerifyTestMain(m)
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("mid-stream") }

const (
	testTimeout = 10 * time.Second // for what must happen
	nextPath    = "/2018-06-01/runtime/invocation/next"
)

// fake is a Handler whose answers are the fields; what it is told comes out
// of the channels.
type fake struct {
	next        func(w *Waiter) *Error
	response    func(id string, h Header) (Sink, *Error)
	invocations func(id string, h Header, body []byte) *Error
	inits       func(h Header, body []byte) *Error
	waiters     chan *Waiter
	posts       chan post
}

// post is a POST as the handler saw it.
type post struct {
	call    string
	id      string
	header  Header
	body    string
	trailer Trailer
	abort   error
}

func newFake() *fake {
	return &fake{waiters: make(chan *Waiter, 100), posts: make(chan post, 100)}
}

func (f *fake) Next(w *Waiter) *Error {
	if f.next != nil {
		return f.next(w)
	}
	f.waiters <- w
	return nil
}

func (f *fake) Response(id string, h Header) (Sink, *Error) {
	if f.response != nil {
		return f.response(id, h)
	}
	return &fakeSink{f: f, p: post{call: "response", id: id, header: h}}, nil
}

func (f *fake) InvocationError(id string, h Header, body []byte) *Error {
	if f.invocations != nil {
		return f.invocations(id, h, body)
	}
	f.posts <- post{call: "error", id: id, header: h, body: string(body)}
	return nil
}

func (f *fake) InitError(h Header, body []byte) *Error {
	if f.inits != nil {
		return f.inits(h, body)
	}
	f.posts <- post{call: "init", header: h, body: string(body)}
	return nil
}

type fakeSink struct {
	f      *fake
	p      post
	b      []byte
	writes chan string // if set, told of each write
}

func (s *fakeSink) Write(p []byte) *Error {
	if len(s.b)+len(p) > MaxPayload {
		return ErrPayloadTooLarge
	}
	s.b = append(s.b, p...)
	if s.writes != nil {
		s.writes <- string(p)
	}
	return nil
}

func (s *fakeSink) Finish(t Trailer) *Error {
	s.p.body, s.p.trailer = string(s.b), t
	s.f.posts <- s.p
	return nil
}

func (s *fakeSink) Abort(cause error) {
	s.p.body, s.p.abort = string(s.b), cause
	s.f.posts <- s.p
}

// serve runs a server until the test ends and returns its address.
func serve(t testing.TB, cfg Config) (*Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, cfg, l), l.Addr().String()
}

func serveOn(t testing.TB, cfg Config, l net.Listener) *Server {
	if cfg.Buffers == nil {
		cfg.Buffers = NewBuffers()
		cfg.Buffers.poison = true
	}
	s := New(cfg)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = l.Close()
		_ = s.Close()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

// peer is a raw connection to a server.
type peer struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func dial(t testing.TB, addr string) *peer {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(testTimeout))
	return &peer{t: t, Conn: nc, r: bufio.NewReader(nc)}
}

func (p *peer) send(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.Conn, s); err != nil {
		p.t.Fatalf("send: %v", err)
	}
}

// answer reads one answer to a request of that method.
func (p *peer) answer(method string) (*http.Response, string) {
	p.t.Helper()
	r, err := http.ReadResponse(p.r, &http.Request{Method: method})
	if err != nil {
		p.t.Fatalf("read answer: %v", err)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Fatalf("read answer's body: %v", err)
	}
	return r, string(b)
}

// expectEnd checks that the server closes the connection, sending no more.
func (p *peer) expectEnd() {
	p.t.Helper()
	if b, err := io.ReadAll(p.r); err != nil || len(b) > 0 {
		p.t.Fatalf("at the end: %q, %v; want a clean end", b, err)
	}
}

func receive[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(testTimeout):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// get is a request line and the headers that every request needs.
func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" }
func head(method, path string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
}
