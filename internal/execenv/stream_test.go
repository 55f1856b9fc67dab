package execenv

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/clock/clocktest"
	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/sandbox"
)

// beginStream starts an invocation whose response is streamed.
func (h *harness) beginStream(id string) (*Stream, *Invocation) {
	h.t.Helper()
	s := NewStream()
	inv := NewInvocation(testEvent(id, "{}"), s)
	if err := h.Environment.Invoke(inv); err != nil {
		h.t.Fatalf("Invoke: %v", err)
	}
	return s, inv
}

// buffered is how much of the response waits for the reader.
func (s *Stream) buffered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// readAll reads a stream to its end.
func readAll(t *testing.T, s *Stream) string {
	t.Helper()
	var all bytes.Buffer
	for {
		p, err := s.Peek(nil)
		if err == io.EOF {
			return all.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		all.Write(p)
		s.Advance(len(p))
	}
}

// streamResponse posts a chunked response that write writes, and trailers.
func (rt *fakeRuntime) streamResponse(id string, trailer http.Header, write func(w io.Writer)) answer {
	r, w := io.Pipe()
	req, err := http.NewRequestWithContext(rt.ctx, http.MethodPost, rt.base+"invocation/"+id+"/response", r)
	if err != nil {
		rt.t.Error(err)
		return answer{}
	}
	req.Header.Set("Lambda-Runtime-Function-Response-Mode", "streaming")
	req.Header.Set("Content-Type", "text/x-stream")
	req.Trailer = trailer
	go func() {
		write(w)
		w.Close()
	}()
	resp, err := rt.client.Do(req)
	if err != nil {
		w.CloseWithError(err)
		return answer{}
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, string(b), resp.Header}
}

// TestStream: every piece reaches the reader before the runtime sends the next.
func TestStream(t *testing.T) {
	goOn := make(chan struct{})
	h := newHarness(t, nil, serve(func(rt *fakeRuntime, id, _ string) {
		a := rt.streamResponse(id, nil, func(w io.Writer) {
			for i := range 5 {
				fmt.Fprintf(w, "piece %d", i)
				<-goOn
			}
		})
		if a.status != http.StatusAccepted {
			t.Errorf("the runtime got %d %s", a.status, a.body)
		}
	})).init()
	for range 2 {
		s, inv := h.beginStream("id-1")
		if header, ok := s.Begun(nil); !ok || header.ContentType != "text/x-stream" {
			t.Errorf("headers %+v, %v", header, ok)
		}
		for i := range 5 {
			p, err := s.Peek(nil)
			if want := fmt.Sprintf("piece %d", i); err != nil || string(p) != want {
				t.Fatalf("read %q, %v, want %q", p, err, want)
			}
			s.Advance(len(p))
			goOn <- struct{}{}
		}
		if _, err := s.Peek(nil); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
		s.Leave()
		if o := inv.Outcome(); o.FunctionError != "" || o.Code() != "" || len(o.Payload) != 0 {
			t.Errorf("outcome %+v", o)
		}
		<-inv.Finished()
		<-h.released
	}
}

// TestStreamPieces: pieces that wait stay apart, and long ones, and many, go
// through the buffer whole.
func TestStreamPieces(t *testing.T) {
	s := NewStream()
	b := s.Begin(envapi.Header{})
	var want []byte
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 300 {
			p := bytes.Repeat([]byte{byte(i)}, 1+i*i*7%100_000)
			want = append(want, p...)
			if err := b.Write(p); err != nil {
				t.Error(err)
			}
		}
		s.Settled()
	}()
	got := readAll(t, s)
	s.Leave()
	<-done
	if got != string(want) {
		t.Errorf("got %d bytes, want %d, or other ones", len(got), len(want))
	}

	s = NewStream()
	b = s.Begin(envapi.Header{})
	b.Write([]byte("one"))
	b.Write([]byte("two"))
	for _, want := range []string{"one", "two"} {
		p, err := s.Peek(nil)
		if string(p) != want || err != nil {
			t.Errorf("piece %q, %v, want %q", p, err, want)
		}
		s.Advance(len(p))
	}
	for range 10 * maxPieces { // more than are told apart
		b.Write([]byte("x"))
	}
	s.Settled()
	if got := readAll(t, s); got != strings.Repeat("x", 10*maxPieces) {
		t.Errorf("many pieces became %q", got)
	}
	s.Leave()
}

// TestStreamBackpressure: a runtime does not get further ahead of the reader
// than the buffer, and goes on when the reader leaves.
func TestStreamBackpressure(t *testing.T) {
	s := NewStream()
	b := s.Begin(envapi.Header{})
	written := make(chan struct{})
	go func() {
		b.Write(make([]byte, 3*streamBuffer))
		close(written)
	}()
	p, err := s.Peek(nil)
	if err != nil || len(p) > streamBuffer {
		t.Fatalf("%d bytes are buffered (%v)", len(p), err)
	}
	select {
	case <-written:
		t.Error("the writer did not wait for the reader")
	default:
	}
	s.Leave()
	<-written
	if n := s.Taken(); n != 3*streamBuffer {
		t.Errorf("%d bytes counted", n)
	}
}

// TestStreamLimit: 200 MB and no byte more.
func TestStreamLimit(t *testing.T) {
	s := NewStream()
	s.Leave()
	b := s.Begin(envapi.Header{})
	megabyte := make([]byte, 1<<20)
	for range MaxStream >> 20 {
		if err := b.Write(megabyte); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Write([]byte("x")); err != errStreamTooLarge || s.Taken() != MaxStream {
		t.Errorf("over the limit: %v, %d bytes", err, s.Taken())
	}
}

// TestStreamFailures: how streams end that do not end well. The environment is
// of use afterwards.
func TestStreamFailures(t *testing.T) {
	body := base64.StdEncoding.EncodeToString([]byte(`{"errorMessage":"m","errorType":"Function.Mine"}`))
	trailers := func(errType, errBody string) http.Header {
		return http.Header{"Lambda-Runtime-Function-Error-Type": {errType}, "Lambda-Runtime-Function-Error-Body": {errBody}}
	}
	half := func(w io.Writer) { io.WriteString(w, "half") }
	tests := []struct {
		name           string
		run            func(rt *fakeRuntime, id string)
		read           string
		code, contains string
	}{
		{"trailers", func(rt *fakeRuntime, id string) {
			if a := rt.streamResponse(id, trailers("Function.Mine", body), half); a.status != http.StatusAccepted {
				t.Errorf("trailers: the runtime got %d", a.status)
			}
		}, "half", "Function.Mine", `{"errorMessage":"m","errorType":"Function.Mine"}`},
		{"malformed trailer", func(rt *fakeRuntime, id string) {
			rt.streamResponse(id, trailers("Function.Mine", "!!!"), half)
		}, "half", "Function.Mine", "Unknown application error occurred"},
		{"no error in the trailers", func(rt *fakeRuntime, id string) {
			rt.streamResponse(id, trailers("", ""), half)
		}, "half", "", ""},
		{"looks like an error", func(rt *fakeRuntime, id string) {
			rt.streamResponse(id, nil, func(w io.Writer) { io.WriteString(w, `{"errorMessage":"m","errorType":"t"}`) })
		}, `{"errorMessage":"m","errorType":"t"}`, "", ""},
		{"error instead of a response", func(rt *fakeRuntime, id string) {
			rt.fail(id, `{"errorMessage":"m"}`, "Lambda-Runtime-Function-Error-Type", "Function.Mine")
		}, "", Unhandled, `{"errorMessage":"m"}`},
		{"bad mode", func(rt *fakeRuntime, id string) {
			if a := rt.respond(id, "x", "Lambda-Runtime-Function-Response-Mode", "fast"); a.status != 400 || !strings.Contains(a.body, "InvalidFunctionResponseMode") {
				t.Errorf("bad mode: the runtime got %d %s", a.status, a.body)
			}
		}, "", "Runtime.InvalidResponseModeHeader", "Invalid function response mode"},
		{"cut", func(rt *fakeRuntime, id string) {
			c := rt.dial()
			fmt.Fprintf(c, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", id)
			c.(interface{ CloseWrite() error }).CloseWrite()
			if b, _ := io.ReadAll(c); !strings.Contains(string(b), "TruncatedHTTPRequest") {
				t.Errorf("cut: the runtime got %s", b)
			}
			c.Close()
		}, "half", "Runtime.TruncatedResponse", "truncated"},
		{"not streamed", func(rt *fakeRuntime, id string) { rt.respond(id, `{"whole":1}`) }, `{"whole":1}`, "", ""},
	}
	run := make(chan func(*fakeRuntime, string), 1)
	h := newHarness(t, nil, serve(func(rt *fakeRuntime, id, _ string) { (<-run)(rt, id) })).init()
	for i, tt := range tests {
		run <- tt.run
		s, inv := h.beginStream(fmt.Sprintf("id-%d", i))
		got := readAll(t, s)
		s.Leave()
		o := inv.Outcome()
		if got != tt.read || o.Code() != tt.code || !strings.Contains(string(o.Payload), tt.contains) {
			t.Errorf("%s: read %q, code %q, details %s", tt.name, got, o.Code(), o.Payload)
		}
		<-inv.Finished()
		<-h.released
	}
	if n := h.sandbox.started(); n != 1 {
		t.Errorf("the runtime was started %d times", n)
	}
}

// TestStreamEnds: timeouts, the end of the runtime and Close end a stream after
// what had come, be it that the runtime waits for the reader.
func TestStreamEnds(t *testing.T) {
	tests := []struct {
		name, code string
		end        func(h *harness, c *clocktest.Fake, exit chan struct{})
	}{
		{"timeout", "Sandbox.Timedout", func(_ *harness, c *clocktest.Fake, _ chan struct{}) { c.Advance(3 * time.Second) }},
		{"exit", "Runtime.ExitError", func(_ *harness, _ *clocktest.Fake, exit chan struct{}) { close(exit) }},
		{"closed", "Sandbox.Failure", func(h *harness, _ *clocktest.Fake, _ chan struct{}) { go h.Environment.Close() }},
	}
	for _, tt := range tests {
		for _, size := range []int{4, 10 * streamBuffer} {
			c, exit := clocktest.New(start), make(chan struct{})
			first := true
			h := newHarness(t, c, func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
				id, _, ok := rt.next()
				if !ok {
					return sandbox.Exit{}
				}
				if !first {
					rt.respond(id, "again")
					rt.next()
					return sandbox.Exit{}
				}
				first = false
				go rt.streamResponse(id, nil, func(w io.Writer) {
					w.Write(bytes.Repeat([]byte("h"), size))
					<-ctx.Done()
				})
				select {
				case <-exit:
				case <-ctx.Done():
				}
				return sandbox.Exit{Code: 1}
			}).init()
			s, inv := h.beginStream("id-1")
			if _, err := s.Peek(nil); err != nil {
				t.Fatal(err)
			}
			if size > streamBuffer {
				for s.buffered() < streamBuffer { // until there is no room left
					<-s.more
				}
			}
			tt.end(h, c, exit)
			got := readAll(t, s)
			s.Leave()
			if o := inv.Outcome(); o.Code() != tt.code || len(got) < min(size, streamBuffer) {
				t.Errorf("%s: code %q after %d bytes", tt.name, o.Code(), len(got))
			}
			<-inv.Finished()
			if tt.name == "closed" {
				continue
			}
			<-h.released
			s, inv = h.beginStream("id-2")
			if got := readAll(t, s); got != "again" {
				t.Errorf("%s: afterwards %q, %s", tt.name, got, inv.Outcome().Payload)
			}
			s.Leave()
			<-inv.Finished()
			<-h.released
		}
	}
}

// TestKeepEvent: a caller who has gone takes the event's buffer along, and a
// runtime that asks again gets the event nevertheless.
func TestKeepEvent(t *testing.T) {
	asked, changed := make(chan string), make(chan struct{})
	h := newHarness(t, nil, serve(func(rt *fakeRuntime, id, event string) {
		asked <- event
		<-changed
		_, event, _ = rt.next()
		asked <- event
		rt.respond(id, "{}")
	})).init()
	s := NewStream()
	buffer := []byte("the event")
	inv := NewInvocation(testEvent("id-1", ""), s)
	inv.Event.Body = buffer
	if err := h.Environment.Invoke(inv); err != nil {
		t.Fatal(err)
	}
	<-asked
	s.Leave()
	inv.KeepEvent()
	copy(buffer, "XXXXXXXXX")
	close(changed)
	if event := <-asked; event != "the event" {
		t.Errorf("asked again, the runtime got %q", event)
	}
	<-inv.Finished()
}

// TestStreamFigures: a stream's figures are in the events about its end.
func TestStreamFigures(t *testing.T) {
	c := clocktest.New(start)
	half := make(chan struct{})
	h := newHarness(t, c, serve(func(rt *fakeRuntime, id, _ string) {
		rt.streamResponse(id, nil, func(w io.Writer) {
			io.WriteString(w, "some")
			<-half
			io.WriteString(w, "more")
		})
	})).init()
	s, inv := h.beginStream("id-1")
	if _, err := s.Peek(nil); err != nil {
		t.Fatal(err)
	}
	s.AddThrottled(time.Second)
	c.Advance(2 * time.Second)
	close(half)
	readAll(t, s)
	<-inv.Finished()
	m := inv.sink.measured.stream
	if m == nil || m.ProducedBytes != 8 || m.ThroughputBps != 4 || m.TimeThrottled != time.Second {
		t.Errorf("figures %+v", m)
	}
}
