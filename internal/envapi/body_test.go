package envapi

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/poison"
)

const chunkedHead = "POST " + responsePath + " HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: Chunked\r\n\r\n"

func TestChunked(t *testing.T) {
	long := strings.Repeat("e", 200_000)
	tests := []struct {
		name, body, want string
		trailer          Trailer
		bad              bool
	}{
		{name: "empty", body: "0\r\n\r\n"},
		{name: "chunks", body: "3\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\n", want: "abc0123456789"},
		{name: "extensions", body: "3;a=b;c=\"d\"\r\nabc\r\n0;x\r\n\r\n", want: "abc"},
		{name: "trailers", body: "1\r\nx\r\n0\r\nOther: y\r\nlambda-runtime-function-error-TYPE:  Runtime.Oops \r\nLambda-Runtime-Function-Error-Body: e30=\r\n\r\n", want: "x", trailer: Trailer{ErrorType: "Runtime.Oops", ErrorBody: "e30="}},
		{name: "empty trailers", body: "1\r\nx\r\n0\r\nLambda-Runtime-Function-Error-Type:\r\nLambda-Runtime-Function-Error-Body: \r\n\r\n", want: "x"},
		{name: "long trailer", body: "0\r\nLambda-Runtime-Function-Error-Body: " + long + "\r\n\r\n", trailer: Trailer{ErrorBody: long}},
		{name: "no size", body: "\r\n\r\n", bad: true},
		{name: "no hex", body: "x\r\n\r\n", bad: true},
		{name: "sign", body: "+3\r\nabc\r\n0\r\n\r\n", bad: true},
		{name: "prefix", body: "0x3\r\nabc\r\n0\r\n\r\n", bad: true},
		{name: "space", body: "3 \r\nabc\r\n0\r\n\r\n", bad: true},
		{name: "LF", body: "3\nabc\r\n0\r\n\r\n", bad: true},
		{name: "LF behind data", body: "3\r\nabc\n0\r\n\r\n", bad: true, want: "abc"},
		{name: "CR in extension", body: "3;\rabc\r\nabc\r\n0\r\n\r\n", bad: true},
		{name: "too long data", body: "3\r\nabcd\r\n0\r\n\r\n", bad: true, want: "abc"},
		{name: "huge size", body: "fffffffffffffff0\r\nabc", bad: true},
		{name: "long size line", body: "3;" + strings.Repeat("x", maxChunkLine) + "\r\nabc\r\n0\r\n\r\n", bad: true},
		{name: "many extensions", body: strings.Repeat("1;"+strings.Repeat("x", 1000)+"\r\na\r\n", 17) + "0\r\n\r\n", bad: true, want: strings.Repeat("a", 16)},
		{name: "folded trailer", body: "0\r\nA: b\r\n c\r\n\r\n", bad: true},
		{name: "long trailers", body: "0\r\n" + strings.Repeat("A: "+long+"\r\n", 2) + "\r\n", bad: true},
		{name: "many trailers", body: "0\r\n" + strings.Repeat("A: b\r\n", maxTrailers+1) + "\r\n", bad: true},
		{name: "trailer without CR", body: "0\r\nA: b\n\r\n", bad: true},
	}
	for _, tt := range tests {
		for _, piece := range []int{1 << 20, 1} {
			t.Run(tt.name, func(t *testing.T) {
				if piece == 1 && len(tt.body) > 1000 {
					t.Skip("one byte at a time is for short ones")
				}
				f := newFake()
				_, addr := serve(t, Config{Handler: f})
				p := dial(t, addr)
				p.send(chunkedHead)
				for rest := tt.body; rest != ""; {
					n := min(piece, len(rest))
					if _, err := p.Write([]byte(rest[:n])); err != nil {
						break // refused already
					}
					rest = rest[n:]
				}
				got := receive(t, f.posts)
				r, body := p.answer("POST")
				if tt.bad {
					if !errors.Is(got.abort, errBadChunk) || r.StatusCode != 400 || !strings.Contains(body, "TruncatedHTTPRequest") {
						t.Fatalf("abort %v, status %d %q; want a malformed body, 400", got.abort, r.StatusCode, body)
					}
					p.expectEnd()
				} else if got.abort != nil || r.StatusCode != 202 {
					t.Fatalf("abort %v, status %d; want 202", got.abort, r.StatusCode)
				}
				if got.body != tt.want || got.trailer != tt.trailer {
					t.Errorf("got %q, %v; want %q, %v", got.body, got.trailer, tt.want, tt.trailer)
				}
			})
		}
	}
}

// TestStreams: the sink has each chunk before the next is sent.
func TestStreams(t *testing.T) {
	f := newFake()
	writes := make(chan string)
	f.response = func(id string, h Header) (Sink, *Error) {
		return &fakeSink{f: f, writes: writes}, nil
	}
	_, addr := serve(t, Config{Handler: f})
	p := dial(t, addr)
	p.send(chunkedHead)
	for _, s := range []string{"a", "bc", "def"} {
		p.send("00" + string(rune('0'+len(s))) + "\r\n" + s) // not even its CRLF
		if got := receive(t, writes); got != s {
			t.Fatalf("sink got %q, want %q", got, s)
		}
		p.send("\r\n")
	}
	p.send("0\r\n\r\n")
	if got := receive(t, f.posts).body; got != "abcdef" {
		t.Errorf("body %q", got)
	}
	p.answer("POST")
}

// TestTruncated: bodies that end early, by the client's doing or by time.
func TestTruncated(t *testing.T) {
	truncated := "{\"errorMessage\":\"HTTP request detected as truncated\",\"errorType\":\"TruncatedHTTPRequest\"}\n"
	bodies := map[string]string{
		"length":  head("POST", responsePath) + "Content-Length: 5\r\n\r\nabc",
		"chunk":   chunkedHead + "5\r\nabc",
		"size":    chunkedHead + "3\r\nabc\r\n1",
		"trailer": chunkedHead + "3\r\nabc\r\n0\r\nA: b\r\n",
	}
	for name, request := range bodies {
		for _, how := range []string{"half closed", "closed", "timed out", "server closed"} {
			t.Run(name+" "+how, func(t *testing.T) {
				t.Parallel()
				f := newFake()
				f.response = func(string, Header) (Sink, *Error) {
					return &fakeSink{f: f, writes: nil}, nil
				}
				cfg := Config{Handler: f}
				if how == "timed out" {
					cfg.BodyTimeout = 20 * time.Millisecond
				}
				s, addr := serve(t, cfg)
				p := dial(t, addr)
				p.send(request)
				want := error(io.ErrUnexpectedEOF)
				switch how {
				case "half closed":
					_ = p.Conn.(*net.TCPConn).CloseWrite()
				case "closed":
					_ = p.Close()
				case "timed out":
					want = os.ErrDeadlineExceeded
				case "server closed":
					go func() { _ = s.Close() }()
					want = nil
				}
				if how == "server closed" {
					// Whether the request was read before is open; if so it
					// must have been aborted by the time Close returns.
					_ = s.Close()
					select {
					case got := <-f.posts:
						if got.abort == nil {
							t.Error("a cut body was not aborted")
						}
					default:
					}
					return
				}
				got := receive(t, f.posts)
				if !errors.Is(got.abort, want) || got.body != "abc" {
					t.Errorf("aborted with %v after %q, want %v", got.abort, got.body, want)
				}
				if how != "closed" {
					r, body := p.answer("POST")
					if r.StatusCode != 400 || !r.Close || body != truncated {
						t.Errorf("answer %d, close %v, %q", r.StatusCode, r.Close, body)
					}
					p.expectEnd()
				}
			})
		}
	}
}

func TestGathered(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("0123456789abcdef", MaxPayload/16+1)[:MaxPayload]
	tooLarge := "{\"errorMessage\":\"Exceeded maximum allowed payload size (6291556 bytes).\",\"errorType\":\"RequestEntityTooLarge\"}\n"
	chunk := func(s string) string {
		var b strings.Builder
		for len(s) > 0 {
			n := min(len(s), 0x8000)
			b.WriteString(chunkSizeLine(n) + s[:n] + "\r\n")
			s = s[n:]
		}
		return b.String() + "0\r\n\r\n"
	}
	tests := []struct {
		name, request, want string
		status              int
		limit               int // Config.MaxError
	}{
		{"largest", "Content-Length: 6291556\r\n\r\n" + big, big, 202, 0},
		{"largest chunked", "Transfer-Encoding: chunked\r\n\r\n" + chunk(big), big, 202, 0},
		{"too large", "Content-Length: 6291557\r\n\r\n" + big + "x", "", 413, 0},
		{"too large chunked", "Transfer-Encoding: chunked\r\n\r\n" + chunk(big+"x"), "", 413, 0},
		{"largest of less", "Content-Length: 1048576\r\n\r\n" + big[:1<<20], big[:1<<20], 202, 1 << 20},
		{"too large of less", "Content-Length: 1048577\r\n\r\n" + big[:1<<20+1], "", 413, 1 << 20},
		{"too large of less chunked", "Transfer-Encoding: chunked\r\n\r\n" + chunk(big[:1<<20+1]), "", 413, 1 << 20},
	}
	for _, tt := range tests {
		for i, path := range []string{errorPath, "/2018-06-01/runtime/init/error"} {
			if i == 1 && tt.status == 202 {
				continue // the same code; megabytes take their time
			}
			t.Run(tt.name+path, func(t *testing.T) {
				f := newFake()
				_, addr := serve(t, Config{Handler: f, MaxError: tt.limit})
				p := dial(t, addr)
				p.send(head("POST", path) + tt.request)
				r, body := p.answer("POST")
				if r.StatusCode != tt.status || tt.status == 413 && body != tooLarge {
					t.Fatalf("answer %d %q, want %d", r.StatusCode, body, tt.status)
				}
				if tt.status == 202 && receive(t, f.posts).body != tt.want {
					t.Error("the body was damaged")
				}
				p.send(get("/2018-06-01/ping"))
				if _, body := p.answer("GET"); body != "pong" {
					t.Errorf("the connection did not go on: %q", body)
				}
			})
		}
	}
}

func chunkSizeLine(n int) string {
	const hex = "0123456789abcdef"
	var b []byte
	for ; n > 0; n >>= 4 {
		b = append([]byte{hex[n&15]}, b...)
	}
	return string(b) + "\r\n"
}

// TestRefusedBody: a client that writes all of its body before it reads gets
// to see the answer that was given early, and can go on where the rest of the
// body is known and small enough.
func TestRefusedBody(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		accept int // bytes before the sink refuses; -1: Response does
		size   int
		keep   bool
		close  bool
	}{
		{"at once", -1, 8 << 20, true, false},
		{"in the midst", 1 << 20, 8 << 20, true, false},
		{"client closes after", 1 << 20, 8 << 20, false, true},
		{"beyond draining", -1, maxDrain + 1<<10, false, false},
		{"chunked beyond draining", -1, -(maxDrain + 1<<20), true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake()
			f.response = func(string, Header) (Sink, *Error) {
				if tt.accept < 0 {
					return nil, ErrPayloadTooLarge
				}
				return &limitedSink{left: tt.accept}, nil
			}
			_, addr := serve(t, Config{Handler: f})
			p := dial(t, addr)
			h := head("POST", responsePath)
			if tt.close {
				h += "Connection: close\r\n"
			}
			if tt.size < 0 { // announces nothing, so the answer cannot say that it ends
				p.send(h + "Transfer-Encoding: chunked\r\n\r\n")
				chunk := []byte(chunkSizeLine(1<<20) + strings.Repeat("x", 1<<20) + "\r\n")
				for n := 0; n <= -tt.size; n += 1 << 20 {
					if _, err := p.Write(chunk); err != nil {
						return // ended without the answer being read: allowed beyond the bound
					}
				}
				p.answer("POST")
				p.expectEnd()
				return
			}
			p.send(h + "Content-Length: " + strconv.Itoa(tt.size) + "\r\n\r\n")
			_, err := p.Write(make([]byte, tt.size))
			if err != nil && tt.size <= maxDrain {
				t.Fatalf("write: %v", err)
			}
			r, _ := p.answer("POST")
			if r.StatusCode != 413 || r.Close == tt.keep {
				t.Fatalf("status %d, close %v", r.StatusCode, r.Close)
			}
			if !tt.keep {
				return
			}
			p.send(get("/2018-06-01/ping"))
			if _, body := p.answer("GET"); body != "pong" {
				t.Errorf("after it: %q", body)
			}
		})
	}
}

type limitedSink struct{ left int }

func (s *limitedSink) Write(p []byte) *Error {
	if s.left < 0 {
		panic("Write after an error")
	}
	if s.left -= len(p); s.left < 0 {
		return ErrPayloadTooLarge
	}
	return nil
}
func (*limitedSink) Finish(Trailer) *Error { panic("Finish after an error") }
func (*limitedSink) Abort(error)           { panic("Abort after an error") }

// TestFinishError: the handler can still say no when the body is complete.
func TestFinishError(t *testing.T) {
	f := newFake()
	f.response = func(string, Header) (Sink, *Error) { return finishError{}, nil }
	_, addr := serve(t, Config{Handler: f})
	p := dial(t, addr)
	p.send(chunkedHead + "0\r\n\r\n" + get("/2018-06-01/ping"))
	if r, _ := p.answer("POST"); r.StatusCode != 500 {
		t.Errorf("status %d, want 500", r.StatusCode)
	}
	p.answer("GET")
}

type finishError struct{}

func (finishError) Write([]byte) *Error   { return nil }
func (finishError) Finish(Trailer) *Error { return ErrInternal }
func (finishError) Abort(error)           {}

func TestExpectContinue(t *testing.T) {
	const want100 = "HTTP/1.1 100 Continue\r\n\r\n"
	t.Run("wanted", func(t *testing.T) {
		f := newFake()
		_, addr := serve(t, Config{Handler: f})
		p := dial(t, addr)
		p.send(head("POST", responsePath) + "Expect: 100-Continue\r\nContent-Length: 3\r\n\r\n")
		got := make([]byte, len(want100))
		if _, err := io.ReadFull(p.r, got); err != nil || string(got) != want100 {
			t.Fatalf("%q, %v", got, err)
		}
		p.send("abc")
		if r, _ := p.answer("POST"); r.StatusCode != 202 {
			t.Errorf("status %d", r.StatusCode)
		}
		if got := receive(t, f.posts).body; got != "abc" {
			t.Errorf("body %q", got)
		}
	})
	t.Run("body did not wait", func(t *testing.T) {
		_, addr := serve(t, Config{Handler: newFake()})
		p := dial(t, addr)
		p.send(head("POST", responsePath) + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc" + get("/2018-06-01/ping"))
		if r, _ := p.answer("POST"); r.StatusCode != 202 {
			t.Errorf("status %d", r.StatusCode)
		}
		p.answer("GET")
	})
	t.Run("refused", func(t *testing.T) {
		f := newFake()
		f.response = func(string, Header) (Sink, *Error) { return nil, ErrInvalidRequestID }
		_, addr := serve(t, Config{Handler: f})
		p := dial(t, addr)
		p.send(head("POST", responsePath) + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
		if r, _ := p.answer("POST"); r.StatusCode != 400 || !r.Close {
			t.Errorf("status %d, close %v", r.StatusCode, r.Close)
		}
		p.expectEnd()
	})
	t.Run("not in 1.0", func(t *testing.T) {
		_, addr := serve(t, Config{Handler: newFake()})
		p := dial(t, addr)
		p.send("POST " + responsePath + " HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
		p.send("abc")
		if r, _ := p.answer("POST"); r.StatusCode != 202 {
			t.Errorf("status %d", r.StatusCode)
		}
	})
}

// TestPoison proves the poisoning that the other tests run under: what a
// handler keeps against the contract is overwritten, so a slice that reached
// another request would have shown there.
func TestPoison(t *testing.T) {
	f := newFake()
	var kept []byte
	f.inits = func(_ Header, body []byte) *Error { kept = body; return nil }
	s, addr := serve(t, Config{Handler: f})
	p := dial(t, addr)
	secret := strings.Repeat("s", 100_000)
	p.send(head("POST", "/2018-06-01/runtime/init/error") + "Content-Length: 100000\r\n\r\n" + secret)
	p.answer("POST")
	_ = s.Close()
	if d := cmp.Diff(bytes.Repeat([]byte{poison.Byte}, len(kept)), kept); d != "" || len(kept) != len(secret) {
		t.Errorf("kept bytes (%d):\n%s", len(kept), d)
	}
	for _, size := range []int{smallBuffer, largeBuffer} {
		for range 20 {
			b := s.cfg.Buffers.get(size)
			if bytes.Contains(b.b, []byte("sss")) {
				t.Fatal("a pooled buffer still holds a payload")
			}
		}
	}
}
