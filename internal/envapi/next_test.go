package envapi

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDeliver(t *testing.T) {
	full := &Event{
		RequestID: "id-1", DeadlineMs: 1700000000123, InvokedARN: "arn:aws:lambda:us-east-1:000000000000:function:f:live",
		TraceID: "Root=1-00000000-000000000000000000000000;Sampled=1", ClientContext: "{\"a\":\r\n\"\u00fc\"}\x00",
		CognitoIdentity: `{"cognitoIdentityId":"i"}`, TenantID: "blue", ContentType: "text/plain", Body: []byte("hello"),
	}
	tests := []struct {
		name, request, want string
		event               *Event
		closes              bool
	}{
		{name: "all headers", request: get(nextPath), event: full, want: "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" +
			"Lambda-Runtime-Aws-Request-Id: id-1\r\nLambda-Runtime-Deadline-Ms: 1700000000123\r\n" +
			"Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:f:live\r\n" +
			"Lambda-Runtime-Trace-Id: Root=1-00000000-000000000000000000000000;Sampled=1\r\n" +
			"Lambda-Runtime-Client-Context: {\"a\":  \"ü\"} \r\n" +
			"Lambda-Runtime-Cognito-Identity: {\"cognitoIdentityId\":\"i\"}\r\n" +
			"Lambda-Runtime-Aws-Tenant-Id: blue\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "no header", request: get(nextPath), event: &Event{}, want: "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n"},
		{name: "ignored body", request: head("GET", nextPath) + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", event: &Event{}, want: "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n"},
		{name: "1.0", closes: true, request: "GET " + nextPath + " HTTP/1.0\r\n\r\n", event: &Event{}, want: "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
		{name: "close", closes: true, request: head("GET", nextPath) + "Connection: close\r\n\r\n", event: &Event{Body: []byte("x")}, want: "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"},
	}
	for _, tt := range tests {
		for _, mode := range []string{"later", "inside Next"} {
			t.Run(tt.name+" "+mode, func(t *testing.T) {
				f := newFake()
				if mode == "inside Next" {
					f.next = func(w *Waiter) *Error {
						if err := w.Deliver(tt.event); err != nil {
							t.Error(err)
						}
						return nil
					}
				}
				_, addr := serve(t, Config{Handler: f})
				p := dial(t, addr)
				p.send(tt.request)
				if mode == "later" {
					if err := receive(t, f.waiters).Deliver(tt.event); err != nil {
						t.Fatal(err)
					}
				}
				got := make([]byte, len(tt.want))
				if _, err := io.ReadFull(p.r, got); err != nil {
					t.Fatalf("%v after %q", err, got)
				}
				if d := cmp.Diff(tt.want, string(got)); d != "" {
					t.Fatalf("event (-want +got):\n%s", d)
				}
				if tt.closes {
					p.expectEnd()
					return
				}
				p.send(get("/2018-06-01/ping"))
				if _, body := p.answer("GET"); body != "pong" {
					t.Errorf("next request got %q", body)
				}
			})
		}
	}
}

// TestOnce: of all that is done with a waiter one thing counts.
func TestOnce(t *testing.T) {
	f := newFake()
	_, addr := serve(t, Config{Handler: f})
	p := dial(t, addr)

	p.send(get(nextPath))
	w := receive(t, f.waiters)
	if err := w.Deliver(&Event{Body: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	if _, body := p.answer("GET"); body != "1" {
		t.Fatalf("got %q", body)
	}
	// The connection waits again; the old waiter must not reach it.
	p.send(get(nextPath))
	w2 := receive(t, f.waiters)
	if err := w.Deliver(&Event{Body: []byte("again")}); !errors.Is(err, ErrAnswered) {
		t.Errorf("second Deliver: %v, want ErrAnswered", err)
	}
	w.Fail(ErrInternal)
	w2.Fail(InvalidTransition("Running", "Ready"))
	if r, body := p.answer("GET"); r.StatusCode != 403 || !strings.Contains(body, "from Running to Ready") {
		t.Errorf("after Fail: %d %q", r.StatusCode, body)
	}
	if err := w2.Deliver(&Event{}); !errors.Is(err, ErrAnswered) {
		t.Errorf("Deliver after Fail: %v, want ErrAnswered", err)
	}
	select {
	case <-w.Gone():
		t.Error("an answered waiter is gone")
	default:
	}
}

// TestPipelined: requests that come before the event wait for it, and are
// answered without more bytes having to come.
func TestPipelined(t *testing.T) {
	for _, when := range []string{"with next", "during the wait"} {
		t.Run(when, func(t *testing.T) {
			f := newFake()
			_, addr := serve(t, Config{Handler: f})
			p := dial(t, addr)
			rest := get("/2018-06-01/ping") + get(nextPath)
			if when == "with next" {
				p.send(get(nextPath) + rest)
			} else {
				p.send(get(nextPath))
			}
			w := receive(t, f.waiters)
			if when != "with next" {
				p.send(rest)
			}
			for i, want := range []string{"first", "second"} {
				if err := w.Deliver(&Event{Body: []byte(want)}); err != nil {
					t.Fatal(err)
				}
				if _, body := p.answer("GET"); body != want {
					t.Fatalf("event %d: %q", i, body)
				}
				if i == 1 {
					break
				}
				if _, body := p.answer("GET"); body != "pong" {
					t.Fatalf("ping: %q", body)
				}
				w = receive(t, f.waiters)
			}
		})
	}
}

// TestTooMuchPipelined: what is buffered for a waiting connection is bounded.
func TestTooMuchPipelined(t *testing.T) {
	f := newFake()
	_, addr := serve(t, Config{Handler: f})
	p := dial(t, addr)
	p.send(get(nextPath))
	w := receive(t, f.waiters)
	go func() { _, _ = p.Write(bytes.Repeat([]byte("x"), 4<<20)) }() // fails when the server closes
	receive(t, w.Gone())
	if err := w.Deliver(&Event{}); !errors.Is(err, ErrGone) {
		t.Errorf("Deliver: %v, want ErrGone", err)
	}
}

// TestGone: a waiting connection that ends is reported, and only then.
func TestGone(t *testing.T) {
	ends := map[string]func(*Server, *peer){
		"closed":        func(_ *Server, p *peer) { _ = p.Close() },
		"half closed":   func(_ *Server, p *peer) { _ = p.Conn.(*net.TCPConn).CloseWrite() },
		"reset":         func(_ *Server, p *peer) { _ = p.Conn.(*net.TCPConn).SetLinger(0); _ = p.Close() },
		"server closed": func(s *Server, _ *peer) { _ = s.Close() },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			told := make(chan struct{}, 2)
			var mu sync.Mutex // as a handler would hold it in Next
			f.next = func(w *Waiter) *Error {
				mu.Lock()
				defer mu.Unlock()
				w.OnGone(func() {
					mu.Lock()
					defer mu.Unlock()
					told <- struct{}{}
				})
				f.waiters <- w
				return nil
			}
			s, addr := serve(t, Config{Handler: f})
			p := dial(t, addr)
			p.send(get(nextPath))
			w := receive(t, f.waiters)
			c := w.Gone()
			select {
			case <-c:
				t.Fatal("gone while connected")
			default:
			}
			end(s, p)
			receive(t, c)
			receive(t, told)
			receive(t, w.Gone())
			if err := w.Deliver(&Event{}); !errors.Is(err, ErrGone) {
				t.Errorf("Deliver: %v, want ErrGone", err)
			}
			w.Fail(ErrInternal) // nothing to answer, nothing to happen
			if len(told) != 0 {
				t.Error("told twice")
			}
		})
	}
}

// TestHeadDeadlineEnds: a head that came in two reads has a deadline, which
// must not end the wait.
func TestHeadDeadlineEnds(t *testing.T) {
	t.Parallel()
	f := newFake()
	_, addr := serve(t, Config{Handler: f, HeaderTimeout: 500 * time.Millisecond})
	p := dial(t, addr)
	p.send("GET " + nextPath)
	// Nothing tells when the first part was read; a second connection's
	// answer makes it all but certain.
	q := dial(t, addr)
	q.send(get("/2018-06-01/ping"))
	q.answer("GET")
	p.send(" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
	w := receive(t, f.waiters)
	select {
	case <-w.Gone():
		t.Fatal("the wait timed out")
	case <-time.After(time.Second): // the deadline, and more
	}
	if err := w.Deliver(&Event{Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if _, body := p.answer("GET"); body != "x" {
		t.Errorf("got %q", body)
	}
}

// smallSockets makes connections whose kernel buffers hold little.
type smallSockets struct{ net.Listener }

func (l smallSockets) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err == nil {
		err = nc.(*net.TCPConn).SetWriteBuffer(16 << 10)
	}
	return nc, err
}

func dialSmall(t *testing.T, cfg Config) *peer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, cfg, smallSockets{l})
	p := dial(t, l.Addr().String())
	// Not smaller: a window below the loopback's segment size makes the kernel
	// stall for whole retransmission timeouts.
	if err := p.Conn.(*net.TCPConn).SetReadBuffer(256 << 10); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestNotReading: a runtime that does not read its event loses it.
func TestNotReading(t *testing.T) {
	t.Parallel()
	f := newFake()
	p := dialSmall(t, Config{Handler: f, WriteTimeout: 50 * time.Millisecond})
	p.send(get(nextPath))
	w := receive(t, f.waiters)
	c := w.Gone()
	if err := w.Deliver(&Event{Body: make([]byte, 6<<20)}); !errors.Is(err, ErrGone) || !isTimeout(err) {
		t.Errorf("Deliver: %v, want ErrGone from a timeout", err)
	}
	receive(t, c)
	if err := w.Deliver(&Event{}); !errors.Is(err, ErrGone) {
		t.Errorf("Deliver again: %v, want ErrGone", err)
	}
}

// TestFailUnread: an error that cannot be written ends the connection, too.
func TestFailUnread(t *testing.T) {
	f := newFake()
	nc := newScripted([]byte(get(nextPath)), 1000)
	nc.writeErr = io.ErrClosedPipe
	s := New(Config{Handler: f})
	begin := make(chan struct{})
	nc.atEnd = func() { <-begin }
	var wg sync.WaitGroup
	wg.Go(newConn(s, nc).serve)
	w := receive(t, f.waiters)
	w.Fail(ErrInternal)
	select {
	case <-nc.closed:
	default:
		t.Error("the connection is still open")
	}
	receive(t, w.Gone())
	close(begin)
	wg.Wait()
}

// TestSlowReader: one that reads, if only a little at a time, gets it all,
// though that takes much longer than the timeout.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	const timeout = 100 * time.Millisecond
	f := newFake()
	p := dialSmall(t, Config{Handler: f, WriteTimeout: timeout})
	p.send(get(nextPath))
	w := receive(t, f.waiters)
	want := bytes.Repeat([]byte("0123456789abcdef"), MaxPayload/16)
	delivered := make(chan error, 1)
	start := time.Now()
	go func() { delivered <- w.Deliver(&Event{Body: want}) }()

	tick := time.NewTicker(timeout / 10) // the pace
	defer tick.Stop()
	slow := readerFunc(func(b []byte) (int, error) {
		<-tick.C
		return io.ReadFull(p.Conn, b[:min(len(b), 100<<10)])
	})
	p.r = bufio.NewReaderSize(io.MultiReader(io.LimitReader(slow, 6_200_000), p.Conn), 64<<10)
	if _, body := p.answer("GET"); body != string(want) {
		t.Error("the event was damaged")
	}
	if d := time.Since(start); d < 4*timeout {
		t.Errorf("took %v: too quick to prove anything", d)
	}
	if err := receive(t, delivered); err != nil {
		t.Fatal(err)
	}
}

type readerFunc func(b []byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// TestDeliverRaces lets Deliver, the peer's close and the server's Close race.
// Whatever wins: no deadlock, no second answer, no goroutine left, and an
// event whose Deliver failed was not seen whole by the peer.
func TestDeliverRaces(t *testing.T) {
	t.Parallel()
	for round := range 300 {
		f := newFake()
		s, addr := serve(t, Config{Handler: f})
		p := dial(t, addr)
		p.send(get(nextPath))
		w := receive(t, f.waiters)
		var gone sync.WaitGroup
		gone.Add(1)
		w.OnGone(gone.Done)

		begin := make(chan struct{})
		results := make(chan error, 2)
		seen := make(chan string, 1)
		var wg sync.WaitGroup
		start := func(f func()) {
			wg.Go(func() {
				<-begin
				f()
			})
		}
		for range 2 {
			start(func() { results <- w.Deliver(&Event{Body: []byte("event")}) })
		}
		switch round % 3 {
		case 0:
			start(func() { _ = p.Close(); seen <- "" })
		case 1:
			start(func() {
				_ = p.Conn.(*net.TCPConn).CloseWrite()
				b, _ := io.ReadAll(p.r)
				seen <- string(b)
			})
		case 2:
			start(func() {
				_ = s.Close()
				b, _ := io.ReadAll(p.r)
				seen <- string(b)
			})
		}
		close(begin)
		wg.Wait()
		ok := 0
		for range 2 {
			if <-results == nil {
				ok++
			}
		}
		got := <-seen
		if n := strings.Count(got, "event"); n > ok {
			t.Fatalf("round %d: the peer saw %d events, %d were delivered: %q", round, n, ok, got)
		}
		if ok > 1 {
			t.Fatalf("round %d: delivered %d times", round, ok)
		}
		_ = s.Close()
		if ok == 0 && round%3 != 2 {
			gone.Wait()
		}
		_ = p.Close()
	}
}
