package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// serve answers every request on every connection with a text.
func serve(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					if _, err := io.WriteString(c, answer); err != nil || !strings.HasSuffix(strings.ToLower(answer), "ength: 2\r\n\r\n{}") {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct{ name, answer, err string }{
		{"as wanted", "HTTP/1.1 200 OK\r\ncontent-LENGTH: 2\r\n\r\n{}", ""},
		{"other bytes", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "want"},
		{"function error", "HTTP/1.1 200 OK\r\nX-Amz-Function-Error: Unhandled\r\nContent-Length: 2\r\n\r\n{}", "the function failed"},
		{"refused", "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\n{}", "answered 429"},
		{"cut off in the body", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", "unexpected EOF"},
		{"cut off in the head", "HTTP/1.1 200 OK\r\nContent-Le", "unexpected EOF"},
		{"hung up", "", "EOF"},
		{"no length", "HTTP/1.1 200 OK\r\n\r\n{}", "without a Content-Length"},
		{"negative length", "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n", "header line"},
		{"enormous length", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "header line"},
		{"not HTTP", "SSH-2.0-OpenSSH\r\n\r\n", "status line"},
		{"short status line", "HTTP\r\n\r\n", "status line"},
	} {
		t.Run(c.name, func(t *testing.T) {
			address := serve(t, c.answer)
			client, err := Dial(t.Context(), address, 3)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			got, err := client.Run(t.Context(), Post(address, "/", "", []byte("{}"), []byte("{}")), 9)
			if c.err == "" {
				if err != nil || len(got.Latencies) != 9 {
					t.Errorf("Run = %d latencies, %v; want 9", len(got.Latencies), err)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("Run = %v, want an error with %q", err, c.err)
			}
		})
	}
}

// TestRequests looks at what arrives.
func TestRequests(t *testing.T) {
	var served atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("X-One") != "1" || r.ContentLength != int64(len(body)) {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "%s %s", r.URL.Path, body)
	}))
	defer s.Close()
	address := s.Listener.Addr().String()
	client, err := Dial(t.Context(), address, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	one := Post(address, "/a", "X-One: 1\r\n", []byte("first"), []byte("/a first"))
	two := Post(address, "/b", "X-One: 1\r\n", []byte("second"), []byte("/b second"))
	if got, err := client.Each(t.Context(), []Request{one, two}); err != nil || len(got.Latencies) != 2 {
		t.Errorf("Each = %v, %v", got, err)
	}
	if _, err := client.Each(t.Context(), []Request{one}); err == nil {
		t.Error("Each took one request for two connections")
	}
	if got, err := client.Ask(Request{Bytes: two.Bytes}); err != nil || string(got) != "/b second" {
		t.Errorf("Ask = %q, %v", got, err)
	}
	if err := client.Greet(one); err != nil {
		t.Errorf("Greet: %v", err)
	}
	if err := client.Greet(Get(address, "/c")); err == nil {
		t.Error("Greet took status 400 for an answer")
	}
	if n := served.Load(); n != 6 {
		t.Errorf("%d requests arrived, want 6", n)
	}
}

// TestCancel ends a load whose answer never comes.
func TestCancel(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := Dial(t.Context(), l.Addr().String(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	arrived := make(chan struct{})
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = c.Read(make([]byte, 1))
		close(arrived)
	}()
	go func() { <-arrived; cancel() }()
	if _, err := client.Run(ctx, Post("x", "/", "", nil, nil), 1); err == nil {
		t.Error("Run without an answer returned no error")
	}
}
