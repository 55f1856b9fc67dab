package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// dialers are the ways to connect.
var dialers = map[string]Dialer{"net": Dial, "blocking": DialBlocking}

// serve answers the requests of each connection that comes with the next
// function; a nil function closes the connection at once.
func serve(t *testing.T, handlers ...func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, handle := range handlers {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if handle != nil {
				handle(c)
			}
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}

// answer reads n requests and answers each.
func answer(t *testing.T, n int, text string) func(net.Conn) {
	return func(c net.Conn) {
		in := bufio.NewReader(c)
		for range n {
			r, err := http.ReadRequest(in)
			if err == nil {
				_, err = io.Copy(io.Discard, r.Body)
			}
			if err == nil {
				_, err = io.WriteString(c, text)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	}
}

const ok = "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nOK"

func post(c *Conn, res *Response) error {
	c.Start("POST", []byte("/path"))
	return c.Post([]byte("body"), res)
}

func TestRequest(t *testing.T) {
	for name, dial := range dialers {
		t.Run(name, func(t *testing.T) {
			big := bytes.Repeat([]byte("big "), smallBody)
			var got []*http.Request
			var bodies []string
			address := serve(t, func(c net.Conn) {
				in := bufio.NewReader(c)
				for range 4 {
					r, err := http.ReadRequest(in)
					if err != nil {
						t.Error(err)
						return
					}
					body, err := io.ReadAll(r.Body)
					if err != nil {
						t.Error(err)
					}
					got, bodies = append(got, r), append(bodies, string(body))
					_, _ = io.WriteString(c, ok)
				}
			})
			c := Conn{Address: address, Dial: dial, UserAgent: "me"}
			defer c.Close()
			var res Response
			c.Start("GET", []byte("/a"))
			c.Header("X", "1\r\nY: 2")
			errs := []error{c.Get(&res), post(&c, &res)}
			c.Start("POST", []byte("/big"))
			errs = append(errs, c.Post(big, &res))
			c.Start("POST", []byte("/stream"))
			s, err := c.Stream()
			errs = append(errs, err)
			for _, p := range []string{"one, ", "", string(big)} {
				_, err := s.Write([]byte(p))
				errs = append(errs, err)
			}
			errs = append(errs, s.Finish(func(c *Conn) { c.Header("T", "end") }, &res))
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			if got[0].Method != "GET" || got[0].URL.Path != "/a" || got[0].Host != address || got[0].UserAgent() != "me" || got[0].Header.Get("X") != "1Y: 2" || got[0].Header.Get("Y") != "" {
				t.Errorf("request %+v", got[0])
			}
			if bodies[1] != "body" || bodies[2] != string(big) || bodies[3] != "one, "+string(big) || got[3].Trailer.Get("T") != "end" {
				t.Errorf("bodies %.60q, trailer %v", bodies, got[3].Trailer)
			}
			if string(res.Body) != "OK" || res.Status != 202 || res.Close || res.Repeated {
				t.Errorf("answer %+v", res)
			}
		})
	}
}

// TestRepeat loses the connection between two requests: the second goes out
// again on another. A request that fails on a fresh connection is not repeated.
func TestRepeat(t *testing.T) {
	for name, dial := range dialers {
		t.Run(name, func(t *testing.T) {
			c := Conn{Address: serve(t, answer(t, 1, ok), answer(t, 1, ok), nil), Dial: dial}
			var res Response
			if err := post(&c, &res); err != nil || res.Repeated {
				t.Fatalf("first: %v, repeated: %t", err, res.Repeated)
			}
			if err := post(&c, &res); err != nil || !res.Repeated {
				t.Fatalf("after the loss: %v, repeated: %t", err, res.Repeated)
			}
			_ = c.Close()
			if err := post(&c, &res); err == nil {
				t.Error("a fresh connection that is closed at once gives no error")
			}
		})
	}
}

// TestBegunIsNotRepeated breaks off in the middle of an answer.
func TestBegunIsNotRepeated(t *testing.T) {
	half := func(c net.Conn) {
		answer(t, 1, ok)(c)
		answer(t, 1, "HTTP/1.1 202 Acc")(c)
	}
	c := Conn{Address: serve(t, half, answer(t, 1, ok))}
	var res Response
	if err := post(&c, &res); err != nil {
		t.Fatal(err)
	}
	if err := post(&c, &res); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want %v", err, io.ErrUnexpectedEOF)
	}
	if err := post(&c, &res); err != nil || res.Repeated {
		t.Errorf("the next request: %v, repeated: %t", err, res.Repeated)
	}
}

// TestEarlyAnswer has the server refuse a body without reading it.
func TestEarlyAnswer(t *testing.T) {
	refusal := "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"
	for name, dial := range dialers {
		t.Run(name, func(t *testing.T) {
			c := Conn{Dial: dial, Address: serve(t, func(c net.Conn) {
				_, _ = c.Read(make([]byte, 100))
				_, _ = io.WriteString(c, refusal)
				_ = c.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, c)
			}, answer(t, 1, ok))}
			var res Response
			c.Start("POST", []byte("/"))
			if err := c.Post(make([]byte, 8<<20), &res); err != nil || res.Status != 413 || string(res.Body) != "big" {
				t.Fatalf("status %d, body %q, error %v", res.Status, res.Body, err)
			}
			if err := post(&c, &res); err != nil {
				t.Errorf("the next request: %v", err)
			}
			_ = c.Close()
		})
	}
}

func TestStop(t *testing.T) {
	for name, dial := range dialers {
		t.Run(name, func(t *testing.T) {
			asked := make(chan struct{})
			address := serve(t, func(c net.Conn) {
				if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
					t.Error(err)
				}
				close(asked)
				_, _ = c.Read(make([]byte, 1)) // until the client goes
			}, answer(t, 1, ok))
			c := Conn{Address: address, Dial: dial}
			go func() {
				<-asked
				c.Stop()
			}()
			var res Response
			for range 2 { // the second time, it does not even ask
				c.Start("GET", []byte("/next"))
				if err := c.Get(&res); !errors.Is(err, ErrStopped) {
					t.Errorf("error %v, want %v", err, ErrStopped)
				}
			}
			_ = c.Close() // the server waits for that
			if err := post(&c, &res); err != nil {
				t.Errorf("an answer after Stop: %v", err)
			}
			_ = c.Close()
		})
	}
}

// TestDialAgain has the connection come about at the third attempt.
func TestDialAgain(t *testing.T) {
	attempts := 0
	address := serve(t, answer(t, 1, ok))
	c := Conn{Address: address, Dial: func(address string) (io.ReadWriteCloser, error) {
		if attempts++; attempts < 3 {
			return nil, errors.New("not yet")
		}
		return Dial(address)
	}}
	var res Response
	if err := post(&c, &res); err != nil || attempts != 3 {
		t.Errorf("%d attempts, error %v", attempts, err)
	}
	_ = c.Close()
	c.Dial = func(string) (io.ReadWriteCloser, error) { return nil, errors.New("never") }
	if err := post(&c, &res); err == nil || !strings.Contains(err.Error(), "never") {
		t.Errorf("error %v", err)
	}
}

func TestDialBlocking(t *testing.T) {
	if _, err := DialBlocking("127.0.0.1:1"); err == nil {
		t.Error("connected to nothing")
	}
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here")
	}
	defer l.Close()
	c, err := DialBlocking(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err == nil {
		t.Error("closed twice")
	}
}

// TestNoAllocation holds an exchange, on a connection that is open, to none.
func TestNoAllocation(t *testing.T) {
	for name, dial := range dialers {
		t.Run(name, func(t *testing.T) {
			loop := func(c net.Conn) {
				buf, answer := make([]byte, 4096), []byte(ok)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			}
			c := Conn{Address: serve(t, loop), Dial: dial}
			defer c.Close()
			var res Response
			path, body := []byte("/2018-06-01/runtime"), []byte("body")
			allocs := testing.AllocsPerRun(100, func() {
				c.Start("POST", path)
				c.Header("Content-Type", "application/json")
				if err := c.Post(body, &res); err != nil || res.Header("content-length") == nil {
					t.Error(err)
				}
				c.Start("GET", path)
				if err := c.Get(&res); err != nil {
					t.Error(err)
				}
			})
			if allocs != 0 {
				t.Errorf("%v allocations in two exchanges", allocs)
			}
		})
	}
}
