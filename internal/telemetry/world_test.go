package telemetry

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/clock"
	"github.com/lambhq/lamb/internal/clock/clocktest"
)

// patience is for what must happen.
const patience = 20 * time.Second

var epoch = time.Date(2022, 10, 12, 0, 0, 15, 64_999_999, time.UTC)

// world is a Hub whose environment is a listener on this machine's loopback
// and whose time stands still until a test turns it.
type world struct {
	*Hub
	t     *testing.T
	clock watchedClock
	dials atomic.Int64
}

// watchedClock is a clock that tells of the timers that are set.
type watchedClock struct {
	*clocktest.Fake
	timers chan time.Duration
}

func (c watchedClock) NewTimer(d time.Duration) clock.Timer {
	timer := c.Fake.NewTimer(d)
	c.timers <- d
	return timer
}

func (c watchedClock) AfterFunc(d time.Duration, f func()) clock.Timer {
	timer := c.Fake.AfterFunc(d, f)
	c.timers <- d
	return timer
}

// The times that tests tell apart.
const (
	batchTimeout   = DefaultTimeout
	attemptTimeout = DefaultAttemptTimeout
	firstBackoff   = DefaultFirstBackoff
)

// started waits until a timer of this duration is set.
func (w *world) started(d time.Duration) {
	w.t.Helper()
	for await(w.t, w.clock.timers) != d {
	}
}

// expire waits until a timer of this duration is set, and turns the clock.
func (w *world) expire(d time.Duration) {
	w.t.Helper()
	w.started(d)
	w.clock.Advance(d)
}

func newWorld(t *testing.T, at net.Addr, change func(*Config)) *world {
	t.Helper()
	w := &world{t: t, clock: watchedClock{clocktest.New(epoch), make(chan time.Duration, 1000)}}
	cfg := Config{Clock: w.clock, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		w.dials.Add(1)
		if network != "tcp" {
			return nil, fmt.Errorf("network is %q", network)
		}
		if host, _, err := net.SplitHostPort(addr); err != nil || host != "127.0.0.1" {
			return nil, fmt.Errorf("address is %q", addr)
		}
		return new(net.Dialer).DialContext(ctx, network, at.String())
	}}
	if change != nil {
		change(&cfg)
	}
	w.Hub = New(cfg)
	t.Cleanup(w.Close)
	return w
}

func (w *world) mustSubscribe(api API, extension, body string) {
	w.t.Helper()
	if _, changed, err := w.Subscribe(api, extension, []byte(body)); err != nil || !changed {
		w.t.Fatalf("Subscribe: changed %v, error %v", changed, err)
	}
}

const (
	httpBody = `{"schemaVersion":"2022-12-13","types":["platform","function","extension"],
		"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:4243/events?x=1"}}`
	tcpBody = `{"schemaVersion":"2022-12-13","types":["platform","function","extension"],
		"destination":{"protocol":"TCP","port":4243}}`
)

// request is one that a sink got.
type posted struct {
	method, uri, host string
	header            http.Header
	body              []byte
	events            []event
}

type event struct {
	Time, Type string
	Record     json.RawMessage
}

// httpWorld's subscriber is a real server, which answers as the function says.
func httpWorld(t *testing.T, answer func(n int, w http.ResponseWriter), change func(*Config)) (*world, <-chan posted) {
	t.Helper()
	got := make(chan posted, 100)
	var n atomic.Int64
	ln := listen(t)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		p := posted{method: r.Method, uri: r.RequestURI, host: r.Host, header: r.Header, body: body}
		if err == nil {
			err = json.Unmarshal(body, &p.events)
		}
		if err != nil {
			t.Errorf("request: %v", err)
		}
		if answer != nil {
			answer(int(n.Add(1)), w)
		}
		got <- p
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	}()
	w := newWorld(t, ln.Addr(), change)
	t.Cleanup(func() {
		w.Close()
		_ = srv.Close()
		<-served
	})
	return w, got
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// await receives within patience.
func await[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	panic("unreachable")
}

// kinds are the types of events, and of lines the text.
func kinds(events []event) []string {
	var all []string
	for _, e := range events {
		if e.Type == "function" || e.Type == "extension" {
			all = append(all, string(e.Record))
			continue
		}
		all = append(all, e.Type)
	}
	return all
}

// accept takes a connection within patience.
func accept(t *testing.T, ln net.Listener) (net.Conn, *bufio.Reader) {
	t.Helper()
	_ = ln.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn, bufio.NewReader(conn)
}

// readEvent reads one line of a TCP sink.
func readEvent(t *testing.T, r *bufio.Reader) event {
	t.Helper()
	line, err := r.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return e
}

func function(text string) Line { return Line{Source: Function, Text: []byte(text)} }
