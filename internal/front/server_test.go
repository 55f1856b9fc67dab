package front

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what takes no time.
const patience = 20 * time.Second

// served is a front with the net/http server behind it, on one handler.
type served struct {
	front *Server
	addr  string
	cold  chan string // paths that net/http served
}

func serve(t *testing.T, h http.HandlerFunc) *served {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &served{addr: l.Addr().String(), cold: make(chan string, 100)}
	s.front = New(Config{
		Handler: h, Hot: func(target []byte) bool { return bytes.HasPrefix(target, []byte("/hot")) },
		HeaderTimeout: patience, IdleTimeout: patience,
	})
	other := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.cold <- r.URL.Path
		h(w, r)
	})}
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.front.Serve(l) })
	wg.Go(func() { _ = other.Serve(s.front.Others()) })
	t.Cleanup(func() {
		l.Close()
		other.Close()
		s.front.Close()
		wg.Wait()
	})
	return s
}

// client is a connection with a reader of answers.
type client struct {
	net.Conn
	t  *testing.T
	br *bufio.Reader
}

func (s *served) dial(t *testing.T) *client {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &client{c, t, bufio.NewReader(c)}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// answer reads one answer; its body is in the second result.
func (c *client) answer() (*http.Response, string) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp, string(body)
}

// ended reports that the server has closed the connection.
func (c *client) ended() {
	c.t.Helper()
	if b, err := c.br.ReadByte(); err == nil {
		c.t.Fatalf("the connection goes on with %q", b)
	}
}

func post(path, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

// echo answers with what it got, in the way that the path says.
func echo(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "text/plain")
	switch r.URL.Query().Get("way") {
	case "sized":
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
	case "none":
		w.WriteHeader(http.StatusNoContent)
		return
	case "status":
		w.WriteHeader(http.StatusTeapot)
	case "panic":
		panic(http.ErrAbortHandler)
	case "short":
		w.Header().Set("Content-Length", fmt.Sprint(len(b)+1))
	case "close":
		w.Header().Set("Connection", "close")
	case "later":
		done := w.(*response).Detach()
		go func() {
			_, _ = w.Write(b)
			done()
		}()
		return
	}
	_, _ = w.Write(b)
}

func TestServe(t *testing.T) {
	s := serve(t, echo)
	large := strings.Repeat("x", 3<<20)
	for _, path := range []string{"/hot", "/hot?way=sized", "/hot?way=later"} {
		for _, body := range []string{"", "hello", large} {
			if path == "/hot?way=later" && body == large {
				continue // only what fits into a socket's buffer
			}
			t.Run(fmt.Sprint(path, len(body)), func(t *testing.T) {
				c := s.dial(t)
				for range 3 {
					go func() { _, _ = io.WriteString(c, post(path, body)) }() // its answer tells
					resp, got := c.answer()
					if resp.StatusCode != 200 || got != body || resp.Header.Get("Date") == "" {
						t.Fatalf("status %d, %d bytes, %v", resp.StatusCode, len(got), resp.Header)
					}
					if len(body) > maxGather && path == "/hot" {
						c.ended() // of unknown length: the end says so
						return
					}
				}
			})
		}
	}
	select {
	case path := <-s.cold:
		t.Errorf("net/http served %s", path)
	default:
	}
}

func TestWays(t *testing.T) {
	s := serve(t, echo)
	t.Run("no body", func(t *testing.T) {
		c := s.dial(t)
		c.send(post("/hot?way=none", "x") + post("/hot", "y"))
		if resp, _ := c.answer(); resp.StatusCode != 204 || resp.Header.Get("Content-Length") != "" {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
		if _, got := c.answer(); got != "y" {
			t.Errorf("the next answer is %q", got)
		}
	})
	t.Run("status", func(t *testing.T) {
		c := s.dial(t)
		c.send(post("/hot?way=status", "x"))
		if resp, got := c.answer(); resp.StatusCode != 418 || got != "x" {
			t.Errorf("%d %q", resp.StatusCode, got)
		}
	})
	for _, way := range []string{"panic", "short"} {
		t.Run(way, func(t *testing.T) {
			c := s.dial(t)
			c.send(post("/hot?way="+way, "x"))
			if resp, err := http.ReadResponse(c.br, nil); err == nil {
				if _, err := io.ReadAll(resp.Body); err == nil {
					t.Error("the answer looks whole")
				}
			}
			c.ended()
		})
	}
	t.Run("close", func(t *testing.T) {
		c := s.dial(t)
		c.send(post("/hot?way=close", "x"))
		if resp, got := c.answer(); !resp.Close || got != "x" {
			t.Errorf("close %t, %q", resp.Close, got)
		}
		c.ended()
	})
	t.Run("pipelined", func(t *testing.T) {
		c := s.dial(t)
		var all strings.Builder
		for i := range 20 {
			all.WriteString(post("/hot?way="+[]string{"sized", "later"}[i%2], fmt.Sprint(i)))
		}
		c.send(all.String())
		for i := range 20 {
			if _, got := c.answer(); got != fmt.Sprint(i) {
				t.Fatalf("answer %d is %q", i, got)
			}
		}
	})
}

// TestGiveAway: what is not hot is served by net/http, and so is all that
// follows on that connection, with nothing lost of what was read.
func TestGiveAway(t *testing.T) {
	s := serve(t, echo)
	for name, text := range map[string]string{
		"another path": post("/cold", "a"),
		"line feeds":   strings.ReplaceAll(post("/hot", "a"), "\r\n", "\n"),
		"chunked":      "POST /hot HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
		"expect":       "POST /hot HTTP/1.1\r\nHost: h\r\nExpect: nothing\r\nContent-Length: 1\r\n\r\na",
		"long head":    "POST /hot HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("y", 2*readBuffer) + "\r\nContent-Length: 1\r\n\r\na",
	} {
		t.Run(name, func(t *testing.T) {
			c := s.dial(t)
			c.send(post("/hot", "first") + text + post("/hot", "last"))
			if _, got := c.answer(); got != "first" {
				t.Fatalf("the hot request got %q", got)
			}
			if resp, got := c.answer(); got != "a" && resp.StatusCode != 417 {
				t.Errorf("%d %q", resp.StatusCode, got)
			}
			if name == "expect" {
				return // net/http refuses it, before any handler
			}
			if _, got := c.answer(); got != "last" {
				t.Errorf("the last one got %q", got)
			}
			if p := <-s.cold; p != "/cold" && p != "/hot" {
				t.Errorf("net/http served %s", p)
			}
			if p := <-s.cold; p != "/hot" {
				t.Errorf("net/http served %s", p)
			}
		})
	}
	t.Run("head in pieces", func(t *testing.T) {
		for _, path := range []string{"/hot", "/cold"} {
			c := s.dial(t)
			for _, b := range []byte(post(path, "a")) {
				c.send(string(b))
			}
			if _, got := c.answer(); got != "a" {
				t.Errorf("%q", got)
			}
		}
	})
	t.Run("nonsense", func(t *testing.T) {
		c := s.dial(t)
		c.send("\x16\x03\x01\r\n\r\n")
		if resp, _ := c.answer(); resp.StatusCode != 400 {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
}

// TestUnread: a handler that leaves a body unread does not lose the
// connection, or its answer, to it.
func TestUnread(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "no") })
	c := s.dial(t)
	c.send(post("/hot", strings.Repeat("x", 100<<10)) + post("/hot", ""))
	for range 2 {
		if _, got := c.answer(); got != "no" {
			t.Errorf("%q", got)
		}
	}
	c = s.dial(t)
	go func() { _, _ = io.WriteString(c, post("/hot", strings.Repeat("x", 8<<20))) }() // cut off
	if _, got := c.answer(); got != "no" {
		t.Errorf("%q", got)
	}
	c.ended()
}

// TestSlowReader: who does not read an answer does not hold up the goroutine
// that finishes it, and gets it whole when he reads.
func TestSlowReader(t *testing.T) {
	const size, requests = 8 << 10, 2000 // more than sockets take
	finished := make(chan struct{}, requests)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		done := w.(*response).Detach()
		go func() {
			_, _ = w.Write(bytes.Repeat([]byte("x"), size))
			done()
			finished <- struct{}{}
		}()
	})
	c := s.dial(t)
	go func() {
		for range requests {
			if _, err := io.WriteString(c, post("/hot", "")); err != nil {
				return
			}
		}
	}()
	// Until the sockets are full every answer is out at once, and the one that
	// does not fit is left to another goroutine: finish has returned for it too.
	n := 0
	for full := false; !full; n++ {
		select {
		case <-finished:
		case <-time.After(time.Second):
			full = true // nothing happens until the client reads
		}
		if n == requests {
			t.Fatal("the sockets took all of it: the test shows nothing")
		}
	}
	for range requests {
		if _, got := c.answer(); len(got) != size {
			t.Fatalf("an answer of %d bytes", len(got))
		}
	}
}

// TestShutdown: idle connections end at once, others with their answer.
func TestShutdown(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hot-wait" {
			done := w.(*response).Detach()
			go func() {
				close(entered)
				<-release
				_, _ = io.WriteString(w, "late")
				done()
			}()
		}
	})
	idleOne, waiting := s.dial(t), s.dial(t)
	idleOne.send(post("/hot", ""))
	idleOne.answer()
	waiting.send(post("/hot-wait", ""))
	<-entered
	over := make(chan error, 1)
	go func() { over <- s.front.Shutdown(context.Background()) }()
	idleOne.ended()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.front.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown with a request in flight: %v", err)
	}
	close(release)
	if _, got := waiting.answer(); got != "late" {
		t.Errorf("%q", got)
	}
	waiting.ended()
	if err := <-over; err != nil {
		t.Error(err)
	}
}

// TestGone: a client that goes away while its request is served leaves nothing
// behind, and the handler is not disturbed.
func TestGone(t *testing.T) {
	entered, release, finished := make(chan struct{}), make(chan struct{}), make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		done := w.(*response).Detach()
		go func() {
			close(entered)
			<-release
			_, _ = io.WriteString(w, "unheard")
			done()
			close(finished)
		}()
	})
	c := s.dial(t)
	c.send(post("/hot", ""))
	<-entered
	c.Close()
	close(release)
	<-finished
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.front.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}
