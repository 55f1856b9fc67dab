package envapi

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

type smokeHandler struct{ body chan string }

func (h *smokeHandler) Next(w *Waiter) *Error {
	go w.Deliver(&Event{RequestID: "id-1", DeadlineMs: 5, Body: []byte(`{"a":1}`)})
	return nil
}
func (h *smokeHandler) Response(id string, hd Header) (Sink, *Error) {
	if id != "id-1" {
		return nil, ErrInvalidRequestID
	}
	return &smokeSink{h: h}, nil
}
func (h *smokeHandler) InvocationError(id string, hd Header, b []byte) *Error { return nil }
func (h *smokeHandler) InitError(hd Header, b []byte) *Error                  { return nil }

type smokeSink struct {
	h *smokeHandler
	b []byte
}

func (s *smokeSink) Write(p []byte) *Error   { s.b = append(s.b, p...); return nil }
func (s *smokeSink) Finish(t Trailer) *Error { s.h.body <- string(s.b); return nil }
func (s *smokeSink) Abort(cause error)       { s.h.body <- "abort" }

func TestSmoke(t *testing.T) {
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	h := &smokeHandler{body: make(chan string, 1)}
	s := New(Config{Handler: h})
	go s.Serve(l)
	defer s.Close()
	defer l.Close()
	u := "http://" + l.Addr().String()
	for range 3 {
		r, err := http.Get(u + "/2018-06-01/runtime/invocation/next")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if string(b) != `{"a":1}` {
			t.Fatal(string(b))
		}
		r, err = http.Post(u+"/2018-06-01/runtime/invocation/id-1/response", "application/json", io.MultiReader(strings.NewReader("hel"), strings.NewReader("lo")))
		if err != nil || r.StatusCode != 202 {
			t.Fatal(err, r)
		}
		r.Body.Close()
		if b := <-h.body; b != "hello" {
			t.Fatal(b)
		}
	}
}
