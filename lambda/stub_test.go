package lambda_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// event is what the stub hands out.
type event struct {
	payload string
	header  map[string]string // beside those that all have
}

// request is what a runtime has sent.
type request struct {
	method, path string
	header       http.Header
	body         string
	trailer      http.Header
}

// stub is a Runtime API on net/http: it hands out events in order and records
// what is answered.
type stub struct {
	*httptest.Server
	// refuse answers a request with a status and a body other than usual.
	refuse func(path string) (status int, body string)

	mu       sync.Mutex
	events   []event
	given    int
	requests []request
	idle     chan struct{} // closed when an event is asked for and none is left
	restored chan struct{} // restore/next waits for it
	waiting  chan struct{} // closed when an extension waits for an event
}

func newStub(t testing.TB, events ...event) *stub {
	s := &stub{events: events, idle: make(chan struct{}), waiting: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *stub) address() string { return strings.TrimPrefix(s.URL, "http://") }

const requestID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"

func (s *stub) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/2018-06-01/runtime/invocation/next" {
		s.next(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		body = fmt.Appendf(body, " and then %v", err)
	}
	s.mu.Lock()
	s.requests = append(s.requests, request{r.Method, r.URL.Path, r.Header, string(body), r.Trailer})
	s.mu.Unlock()
	if s.refuse != nil {
		if status, body := s.refuse(r.URL.Path); status != 0 {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return
		}
	}
	switch {
	case r.URL.Path == "/2018-06-01/runtime/restore/next":
		<-s.restored
	case strings.HasPrefix(r.URL.Path, "/2020-01-01/extension/"):
		s.extension(w, r)
	default:
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"status":"OK"}`+"\n")
	}
}

func (s *stub) next(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	i := s.given
	s.given++
	s.mu.Unlock()
	if i >= len(s.events) {
		if i == len(s.events) {
			close(s.idle)
		}
		<-r.Context().Done()
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", requestID)
	h.Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(time.Hour).UnixMilli()))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:f")
	h.Set("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1")
	for name, value := range s.events[i].header {
		h.Set(name, value)
	}
	_, _ = io.WriteString(w, s.events[i].payload)
}

// extension answers the calls of an internal extension that takes no events.
func (s *stub) extension(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/register") {
		w.Header().Set("Lambda-Extension-Identifier", "9d2c7f0e-1f6d-4f5f-9a37-0f0a6d6c1c11")
		_, _ = io.WriteString(w, `{"functionName":"f","functionVersion":"$LATEST","handler":"h"}`)
		return
	}
	close(s.waiting)
	<-r.Context().Done()
}

// answers are what was posted.
func (s *stub) answers() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}
