package envapi

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMaxConns: surplus connections are closed, and room is made again.
func TestMaxConns(t *testing.T) {
	f := newFake()
	_, addr := serve(t, Config{Handler: f, MaxConns: 2})
	p, q := dial(t, addr), dial(t, addr)
	for _, c := range []*peer{p, q} {
		c.send(get("/2018-06-01/ping"))
		c.answer("GET")
	}
	if b, err := io.ReadAll(dial(t, addr)); len(b) != 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("third connection: %q, %v; want it closed", b, err)
	}
	q.send(get(nextPath))
	w := receive(t, f.waiters)
	_ = q.Close()
	receive(t, w.Gone())
	// The goroutine leaves the count just after that: try until it has.
	for deadline := time.Now().Add(testTimeout); ; {
		c := dial(t, addr)
		if _, err := io.WriteString(c, head("GET", "/2018-06-01/ping")+"Connection: close\r\n\r\n"); err == nil {
			if b, err := io.ReadAll(c); err == nil && len(b) > 0 {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("no room after a connection ended")
		}
	}
}

// TestHeaderTimeout: a request that has begun must get on, a connection that
// sends nothing may stay.
func TestHeaderTimeout(t *testing.T) {
	_, addr := serve(t, Config{Handler: newFake(), HeaderTimeout: 30 * time.Millisecond})
	idle, slow := dial(t, addr), dial(t, addr)
	slow.send("GET /2018-06-01/ping HTTP/1.1\r\nHost:")
	slow.expectEnd()
	idle.send(get("/2018-06-01/ping"))
	if _, body := idle.answer("GET"); body != "pong" {
		t.Errorf("idle connection: %q", body)
	}
}

// TestSlowHead: a head has one deadline for all of it, which a byte now and
// then does not move.
func TestSlowHead(t *testing.T) {
	const limit = 200 * time.Millisecond
	_, addr := serve(t, Config{Handler: newFake(), HeaderTimeout: limit})
	p := dial(t, addr)
	p.send("GET /2018-06-01/ping HTTP/1.1\r\nX-Slow: ")
	for deadline := time.Now().Add(testTimeout); ; <-time.After(limit / 20) {
		if _, err := io.WriteString(p, "x"); err != nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a head that never ends is still taken")
		}
	}
}

// TestLinger: what the client goes on sending behind a refused request is read
// before the connection closes, since unread input would reset it.
func TestLinger(t *testing.T) {
	const tail = 200_000
	nc := &halfCloser{scripted: newScripted([]byte("GET / HTTP/1.1\n"+strings.Repeat("x", tail)), 10_000)}
	newConn(New(Config{Handler: newFake()}), nc).serve()
	if got := nc.out.String(); got != refusal("400 Bad Request", "line without CRLF") {
		t.Errorf("answer %q", got)
	}
	if !nc.half || nc.after < tail-10_000 {
		t.Errorf("half closed: %v, then read %d bytes, want the rest", nc.half, nc.after)
	}
}

// halfCloser is scripted with a write side that can be closed, as TCP's.
type halfCloser struct {
	*scripted
	half  bool
	after int // bytes read after that
}

func (c *halfCloser) CloseWrite() error { c.half = true; return nil }

func (c *halfCloser) Read(b []byte) (int, error) {
	n, err := c.scripted.Read(b)
	if c.half {
		c.after += n
	}
	return n, err
}

// TestClose: Close ends connections in every phase and can be repeated; Serve
// then takes no more.
func TestClose(t *testing.T) {
	f := newFake()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := serveOn(t, Config{Handler: f}, l)
	addr := l.Addr().String()
	idle, waiting, posting, bad := dial(t, addr), dial(t, addr), dial(t, addr), dial(t, addr)
	idle.send(get("/2018-06-01/ping"))
	idle.answer("GET")
	bad.send("\x00")
	bad.answer("GET")
	waiting.send(get(nextPath))
	w := receive(t, f.waiters)
	writes := make(chan string, 1)
	f.response = func(string, Header) (Sink, *Error) { return &fakeSink{f: f, writes: writes}, nil }
	posting.send(chunkedHead + "5\r\nab")
	receive(t, writes)

	_ = s.Close()
	_ = s.Close()
	if got := receive(t, f.posts); got.abort == nil {
		t.Error("the body being posted was not aborted")
	}
	select {
	case <-w.Gone():
	default:
		t.Error("the waiter is not gone when Close has returned")
	}
	if b, err := io.ReadAll(dial(t, addr)); len(b) != 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("connection after Close: %q, %v", b, err)
	}
}

// TestCloseConnections: what is open ends, what comes later is served.
func TestCloseConnections(t *testing.T) {
	f := newFake()
	s, addr := serve(t, Config{Handler: f})
	old := dial(t, addr)
	old.send(get(nextPath))
	w := receive(t, f.waiters)
	s.CloseConnections()
	select {
	case <-w.Gone():
	default:
		t.Error("the waiter is not gone when CloseConnections has returned")
	}
	old.expectEnd()
	p := dial(t, addr)
	p.send(get("/2018-06-01/ping"))
	if _, body := p.answer("GET"); body != "pong" {
		t.Errorf("later connection: %q", body)
	}
}

// failingListener fails with err once, then is closed.
type failingListener struct {
	net.Listener
	errs []error
}

func (l *failingListener) Accept() (net.Conn, error) {
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, err
}

func TestAcceptErrors(t *testing.T) {
	emfile := &net.OpError{Op: "accept", Err: syscall.EMFILE}
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		errs []error
		want error
	}{
		{"closed", []error{net.ErrClosed}, nil},
		{"shortage passes", []error{emfile, emfile, net.ErrClosed}, nil},
		{"broken", []error{emfile, broken}, broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := &failingListener{errs: tt.errs}
			if err := New(Config{Handler: newFake()}).Serve(l); !errors.Is(err, tt.want) {
				t.Errorf("Serve: %v, want %v", err, tt.want)
			}
			if len(l.errs) != 0 {
				t.Errorf("%d accepts not tried", len(l.errs))
			}
		})
	}
	t.Run("closed during a shortage", func(t *testing.T) {
		s := New(Config{Handler: newFake()})
		_ = s.Close()
		if err := s.Serve(&failingListener{errs: []error{emfile}}); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}
