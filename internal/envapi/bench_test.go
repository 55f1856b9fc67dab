package envapi

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkRoundTrip is one warm invocation as far as this package goes: an
// event into the connection that waits in next, the response taken, the 202
// out. The runtime is a raw loop on one connection that allocates nothing, so
// that allocations are the server's. net-http is the same API on net/http.
func BenchmarkRoundTrip(b *testing.B) {
	for _, size := range []int{100, 64 << 10, 1 << 20} {
		for _, kind := range []string{"length", "chunked"} {
			name := "/" + kind + "/" + strconv.Itoa(size)
			b.Run("envapi"+name, func(b *testing.B) { benchOurs(b, kind, size) })
			b.Run("net-http"+name, func(b *testing.B) { benchNetHTTP(b, kind, size) })
		}
	}
}

const benchID = "8e0ccb2b-3a0d-4f6f-9c53-000000000001"

func benchEvent(size int) *Event {
	return &Event{
		RequestID: benchID, DeadlineMs: time.Now().UnixMilli(), InvokedARN: "arn:aws:lambda:us-east-1:000000000000:function:f",
		TraceID: "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0", Body: bytes.Repeat([]byte("x"), size),
	}
}

// TestAllocs: a round trip allocates the Waiter, which is never used again on
// purpose, and nothing else.
func TestAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools drop at random")
	}
	for _, kind := range []string{"length", "chunked"} {
		r := testing.Benchmark(func(b *testing.B) { benchOurs(b, kind, 1000) })
		if got := r.AllocsPerOp(); r.N == 0 || got > 1 {
			t.Errorf("%s: %d allocations per round trip (%v)", kind, got, r)
		}
	}
}

type benchHandler struct {
	fake
	waiting  chan *Waiter
	finished chan int
	sink     benchSink
}

func (h *benchHandler) Next(w *Waiter) *Error                  { h.waiting <- w; return nil }
func (h *benchHandler) Response(string, Header) (Sink, *Error) { return &h.sink, nil }

// benchSink keeps the body in one buffer, as a pooled sink would.
type benchSink struct {
	h   *benchHandler
	buf []byte
}

func (s *benchSink) Write(p []byte) *Error { s.buf = append(s.buf, p...); return nil }
func (s *benchSink) Finish(Trailer) *Error {
	s.h.finished <- len(s.buf)
	s.buf = s.buf[:0]
	return nil
}
func (s *benchSink) Abort(error) { s.h.finished <- -1 }

func benchOurs(b *testing.B, kind string, size int) {
	h := &benchHandler{waiting: make(chan *Waiter, 1), finished: make(chan int, 1)}
	h.sink.h = h
	l := benchListen(b)
	s := New(Config{Handler: h})
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	stop := benchRuntime(b, l.Addr().String(), kind, size)
	event := benchEvent(size)
	b.ReportAllocs()
	for b.Loop() {
		if err := (<-h.waiting).Deliver(event); err != nil {
			b.Fatal(err)
		}
		if n := <-h.finished; n != size {
			b.Fatal("response of", n)
		}
	}
	_ = l.Close()
	_ = s.Close()
	stop()
	<-served
}

func benchNetHTTP(b *testing.B, kind string, size int) {
	events, finished := make(chan *Event), make(chan int, 1)
	buf := make([]byte, 0, 2<<20)
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+nextPath, func(w http.ResponseWriter, r *http.Request) {
		select {
		case e := <-events:
			h := w.Header()
			h.Set("Content-Type", "application/json")
			h.Set("Lambda-Runtime-Aws-Request-Id", e.RequestID)
			h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(e.DeadlineMs, 10))
			h.Set("Lambda-Runtime-Invoked-Function-Arn", e.InvokedARN)
			h.Set("Lambda-Runtime-Trace-Id", e.TraceID)
			h.Set("Content-Length", strconv.Itoa(len(e.Body)))
			h["Date"] = nil // as we do without
			_, _ = w.Write(e.Body)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		into := bytes.NewBuffer(buf[:0])
		n, _ := io.Copy(into, r.Body)
		_ = r.PathValue("id")
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", "16")
		h["Date"] = nil
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, okBody)
		finished <- int(n)
	})
	l := benchListen(b)
	s := &http.Server{Handler: mux}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	stop := benchRuntime(b, l.Addr().String(), kind, size)
	event := benchEvent(size)
	b.ReportAllocs()
	for b.Loop() {
		events <- event
		if n := <-finished; n != size {
			b.Fatal("response of", n)
		}
	}
	_ = s.Close()
	stop()
	_ = s.Shutdown(context.Background())
	<-served
}

func benchListen(b *testing.B) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// benchRuntime loops over next and response until the server closes; the
// function it returns waits for that.
func benchRuntime(b *testing.B, addr, kind string, size int) (wait func()) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	body := strings.Repeat("y", size)
	request := "POST /2018-06-01/runtime/invocation/" + benchID + "/response HTTP/1.1\r\nHost: " + addr +
		"\r\nUser-Agent: bench/1\r\nContent-Type: application/json\r\n"
	if kind == "length" {
		request += "Content-Length: " + strconv.Itoa(size) + "\r\n\r\n" + body
	} else {
		request += "Transfer-Encoding: chunked\r\nTrailer: Lambda-Runtime-Function-Error-Type,Lambda-Runtime-Function-Error-Body\r\n\r\n"
		for len(body) > 0 {
			n := min(len(body), 32<<10)
			request += chunkSizeLine(n) + body[:n] + "\r\n"
			body = body[n:]
		}
		request += "0\r\n\r\n"
	}
	next, post := []byte(get(nextPath)), []byte(request)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer nc.Close()
		buf := make([]byte, 256<<10)
		for {
			if _, err := nc.Write(next); err != nil || !skimAnswer(nc, buf) {
				return
			}
			if _, err := nc.Write(post); err != nil || !skimAnswer(nc, buf) {
				return
			}
		}
	}()
	return func() { <-done }
}

// skimAnswer reads one answer, by its Content-Length.
func skimAnswer(nc net.Conn, buf []byte) bool {
	n := 0
	for {
		m, err := nc.Read(buf[n:])
		if err != nil {
			return false
		}
		n += m
		end := bytes.Index(buf[:n], []byte("\r\n\r\n"))
		if end < 0 {
			continue
		}
		i := bytes.Index(buf[:end], []byte("Content-Length: "))
		length := 0
		for _, c := range buf[i+len("Content-Length: ") : end] {
			if c < '0' || c > '9' {
				break
			}
			length = length*10 + int(c-'0')
		}
		for left := length - (n - end - 4); left > 0; {
			m, err := nc.Read(buf[:min(left, len(buf))])
			if err != nil {
				return false
			}
			left -= m
		}
		return true
	}
}
