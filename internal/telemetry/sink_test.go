package telemetry

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestHostileResponses: whatever a subscriber answers, it costs at most
// maxResponse and an attempt; a 2xx status counts, however the rest looks.
func TestHostileResponses(t *testing.T) {
	flood := func(first, rest string) func(net.Conn) {
		return func(c net.Conn) {
			_, err := io.WriteString(c, first)
			for err == nil {
				_, err = io.WriteString(c, rest)
			}
		}
	}
	say := func(text string) func(net.Conn) {
		return func(c net.Conn) { _, _ = io.WriteString(c, text) }
	}
	for _, tt := range []struct {
		name   string
		answer func(net.Conn)
		good   bool
	}{
		{"huge body", flood("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n", strings.Repeat("x", 1<<16)), true},
		{"endless chunks", flood("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "4\r\nabcd\r\n"), true},
		{"body without end", say("HTTP/1.1 200 OK\r\n\r\nbody"), true},
		{"broken chunk", say("HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), true},
		{"old and short", say("HTTP/1.0 204 No Content\r\n\r\n"), true},
		{"with prelude", say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), true},
		{"two answers", say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), true},
		{"endless header", flood("HTTP/1.1 200 OK\r\n", "X-A: "+strings.Repeat("x", 1000)+"\r\n"), false},
		{"endless line", flood("HTTP/1.1 200 ", strings.Repeat("x", 1000)), false},
		{"endless preludes", flood("", "HTTP/1.1 100 Continue\r\n\r\n"), false},
		{"not HTTP", say("hello\r\n\r\n"), false},
		{"nothing", func(c net.Conn) { _ = c.(*net.TCPConn).CloseWrite() }, false},
		{"switching", say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), false},
		{"redirect", say("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://example.com/\r\nContent-Length: 0\r\n\r\n"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ln := listen(t)
			w := newWorld(t, ln.Addr(), func(c *Config) { c.Attempts = 1 })
			w.mustSubscribe(TelemetryAPI, "a", httpBody)
			for round := range int64(2) {
				w.Line(epoch, Line{Source: Function, Text: []byte("one")})
				flushed := make(chan error, 1)
				go func() { flushed <- w.Flush(context.Background()) }()
				conn, r := accept(t, ln)
				if _, err := http.ReadRequest(r); err != nil {
					t.Fatal(err)
				}
				answered := make(chan struct{})
				go func() { defer close(answered); tt.answer(conn) }()
				if err := await(t, flushed); err != nil {
					t.Fatal(err)
				}
				// Of the answers that keep the connection, one is used for one round.
				stats, want := w.Stats(), Stats{Subscriptions: 1, Delivered: round + 1}
				if !tt.good {
					want = Stats{Subscriptions: 1, Dropped: 2*round + 1} // with the loss of the round before
				}
				if stats != want {
					t.Errorf("round %d: stats %+v, want %+v", round, stats, want)
				}
				_ = conn.Close()
				<-answered
			}
		})
	}
}

// TestStaleConnection: a server that closes idle connections loses nothing,
// and it does not count as a failure.
func TestStaleConnection(t *testing.T) {
	ln := listen(t)
	w := newWorld(t, ln.Addr(), func(c *Config) { c.Attempts = 1 })
	w.mustSubscribe(TelemetryAPI, "a", httpBody)
	for range 3 {
		w.Line(epoch, function("one"))
		flushed := make(chan error, 1)
		go func() { flushed <- w.Flush(context.Background()) }()
		conn, r := accept(t, ln)
		req, err := http.ReadRequest(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		_ = conn.Close()
		if err := await(t, flushed); err != nil {
			t.Fatal(err)
		}
	}
	if stats := w.Stats(); stats.Delivered != 3 || stats.Dropped != 0 {
		t.Errorf("stats %+v", stats)
	}
}

// flushLine emits a line and waits until it is written.
func (w *world) flushLine(text string) {
	w.t.Helper()
	w.Line(epoch, function(text))
	if err := w.Flush(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

// sawEnd waits until the subscriber's connection is known to have ended.
func (w *world) sawEnd(k *tcpSink) {
	w.t.Helper()
	await(w.t, k.ended)
}

// TestTCPReconnect: a sink that closes its connection gets the next batch on a
// new one, and loses nothing in between.
func TestTCPReconnect(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*net.TCPConn)
	}{
		{"closed", func(c *net.TCPConn) { _ = c.Close() }},
		{"half closed", func(c *net.TCPConn) { _ = c.CloseWrite() }},
		{"reset", func(c *net.TCPConn) { _ = c.SetLinger(0); _ = c.Close() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ln := listen(t)
			out := &tcpSink{connector: connector{port: 1, dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, ln.Addr().String())
			}}}
			defer out.close()
			w := &world{t: t}
			for i := range 3 {
				text := fmt.Sprintf("{%q:%d}\n", "Time", i)
				if n, err := out.send(t.Context(), []byte(text)); n != len(text) || err != nil {
					t.Fatalf("%d bytes, %v", n, err)
				}
				conn, r := accept(t, ln)
				if line, err := r.ReadString('\n'); line != text || err != nil {
					t.Fatalf("got %q, %v", line, err)
				}
				tt.end(conn.(*net.TCPConn))
				w.sawEnd(out)
			}
		})
	}
}

// TestTCPKeepsConnection: what a sink says does not matter, unless it is the
// end; of a flood only so much is read.
func TestTCPKeepsConnection(t *testing.T) {
	ln := listen(t)
	w := newWorld(t, ln.Addr(), nil)
	w.mustSubscribe(TelemetryAPI, "a", tcpBody)
	w.flushLine("one")
	conn, r := accept(t, ln)
	if _, err := conn.Write(make([]byte, 2*maxChatter)); err != nil {
		t.Fatal(err)
	}
	w.flushLine("two")
	if diff := cmp.Diff([]string{`"one"`, `"two"`}, kinds([]event{readEvent(t, r), readEvent(t, r)})); diff != "" {
		t.Error(diff)
	}
	if n := w.dials.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestTCPCutOff: a sink that breaks off in the middle gets the rest on the
// next connection, from the line on that was cut.
func TestTCPCutOff(t *testing.T) {
	near, far := make(chan net.Conn, 2), make(chan net.Conn, 2)
	for range 2 {
		a, b := net.Pipe() // writes wait for reads, so the cut is where we want it
		near <- a
		far <- b
	}
	w := newWorld(t, nil, func(c *Config) {
		c.Dial = func(context.Context, string, string) (net.Conn, error) { return <-near, nil }
	})
	w.mustSubscribe(TelemetryAPI, "a", tcpBody)
	for i := range 4 {
		w.Line(epoch, function(fmt.Sprint(i)))
	}
	w.expire(batchTimeout)

	first := <-far
	r := bufio.NewReaderSize(first, 16)
	if got := string(readEvent(t, r).Record); got != `"0"` {
		t.Errorf("first record is %s", got)
	}
	_ = first.Close() // with a few bytes of the second line read
	w.expire(firstBackoff)

	second := <-far
	r = bufio.NewReader(second)
	if diff := cmp.Diff([]string{`"1"`, `"2"`, `"3"`}, kinds([]event{readEvent(t, r), readEvent(t, r), readEvent(t, r)})); diff != "" {
		t.Error(diff)
	}
	if err := w.Flush(context.Background()); err != nil {
		t.Error(err)
	}
	if stats := w.Stats(); stats.Delivered != 4 || stats.Dropped != 0 {
		t.Errorf("stats %+v", stats)
	}
}

// TestTCPHang: a sink that does not read costs attempts, and what was not
// written counts as dropped.
func TestTCPHang(t *testing.T) {
	far := make(chan net.Conn, 2)
	w := newWorld(t, nil, func(c *Config) {
		c.Attempts = 2
		c.Dial = func(context.Context, string, string) (net.Conn, error) {
			a, b := net.Pipe()
			far <- b
			return a, nil
		}
	})
	w.mustSubscribe(TelemetryAPI, "a", tcpBody)
	w.Line(epoch, function("one"))
	w.Line(epoch, function("two"))
	w.expire(batchTimeout)
	first := <-far
	if got := string(readEvent(t, bufio.NewReaderSize(first, 16)).Record); got != `"one"` {
		t.Errorf("first record is %s", got)
	}
	w.expire(attemptTimeout)
	w.expire(firstBackoff)
	second := <-far
	w.expire(attemptTimeout)
	if err := w.Flush(context.Background()); err != nil {
		t.Error(err)
	}
	if stats := w.Stats(); stats.Delivered != 1 || stats.Dropped != 1 {
		t.Errorf("stats %+v", stats)
	}
	_, _ = first.Close(), second.Close()
}

// TestCloseDuring: Close ends a connection attempt, a request and a pause
// between attempts, and the memory is free again.
func TestCloseDuring(t *testing.T) {
	for _, tt := range []struct {
		name string
		dial func(ctx context.Context) (net.Conn, error)
		wait time.Duration
	}{
		{"connecting", func(ctx context.Context) (net.Conn, error) { <-ctx.Done(); return nil, context.Cause(ctx) }, attemptTimeout},
		{"sending", func(context.Context) (net.Conn, error) { a, _ := net.Pipe(); return a, nil }, attemptTimeout},
		{"pausing", func(context.Context) (net.Conn, error) { return nil, io.ErrUnexpectedEOF }, firstBackoff},
		{"without connection", func(context.Context) (net.Conn, error) { return nil, nil }, firstBackoff},
	} {
		for _, body := range []string{httpBody, tcpBody} {
			w := newWorld(t, nil, func(c *Config) {
				c.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return tt.dial(ctx) }
			})
			w.mustSubscribe(TelemetryAPI, "a", body)
			w.Line(epoch, function("one"))
			w.expire(batchTimeout)
			w.started(tt.wait)
			w.Line(epoch, function("two"))
			w.Close()
			if w.held != 0 || w.Stats().Delivered != 0 {
				t.Errorf("%s: %d bytes held, %+v", tt.name, w.held, w.Stats())
			}
		}
	}
}
