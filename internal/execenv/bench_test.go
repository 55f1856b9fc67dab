package execenv

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"testing"

	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/sandbox"
)

// rawEcho is a runtime on one connection that allocates nothing for an event,
// so that a benchmark's figures are lamb's: it answers every event with
// itself.
func rawEcho(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
	c := rt.dial()
	context.AfterFunc(ctx, func() { c.Close() })
	r := bufio.NewReaderSize(c, 64<<10)
	next := []byte(rawNext)
	var out, id, body []byte
	for {
		if _, err := c.Write(next); err != nil {
			return sandbox.Exit{}
		}
		var ok bool
		if id, body, ok = readEvent(r, id[:0], body[:0]); !ok {
			return sandbox.Exit{}
		}
		out = append(append(append(out[:0], "POST /2018-06-01/runtime/invocation/"...), id...), "/response HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"...)
		out = strconv.AppendInt(append(out, "Content-Length: "...), int64(len(body)), 10)
		out = append(append(out, "\r\n\r\n"...), body...)
		if _, err := c.Write(out); err != nil {
			return sandbox.Exit{}
		}
		if _, _, ok := readEvent(r, nil, body[:0]); !ok { // the 202
			return sandbox.Exit{}
		}
	}
}

// readEvent reads one answer and appends its request id and body.
func readEvent(r *bufio.Reader, id, body []byte) (_, _ []byte, ok bool) {
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return nil, nil, false
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if v, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			for _, d := range v {
				length = length*10 + int(d-'0')
			}
		}
		if v, found := bytes.CutPrefix(line, []byte("Lambda-Runtime-Aws-Request-Id: ")); found {
			id = append(id, v...)
		}
	}
	if cap(body) < length {
		body = make([]byte, length)
	}
	body = body[:length]
	_, err := io.ReadFull(r, body)
	return id, body, err == nil
}

// BenchmarkInvoke is a warm invocation from Invoke to the moment at which the
// environment is free again, with a runtime that costs next to nothing.
func BenchmarkInvoke(b *testing.B) {
	for _, size := range []int{128, 64 << 10} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			box := &fakeSandbox{t: b, listener: l, lives: []script{rawEcho}, running: make(map[*fakeProc]struct{})}
			released := make(chan struct{}, 1)
			e := New(Config{
				ID: "bench", Sandbox: box, Released: func(*Environment) { released <- struct{}{} },
				Version: &function.Version{Version: function.Latest, Config: function.Config{TimeoutSecs: 3, MemoryMB: 128}},
			})
			defer e.Close()
			if _, err := e.Init(); err != nil {
				b.Fatal(err)
			}
			event := envapi.Event{RequestID: "5f84c7a2-aaaa-bbbb-cccc-0123456789ab", InvokedARN: "arn:aws:lambda:us-east-1:000000000000:function:f",
				TraceID: "Root=1-5f84c7a2-aaaaaaaaaaaaaaaaaaaaaaaa;Parent=bbbbbbbbbbbbbbbb;Sampled=0", Body: bytes.Repeat([]byte{'7'}, size)}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				inv := NewInvocation(event, nil)
				if err := e.Invoke(inv); err != nil {
					b.Fatal(err)
				}
				<-inv.Answered()
				inv.Retire()
				o := inv.Outcome()
				if len(o.Payload) != size {
					b.Fatalf("got %d bytes", len(o.Payload))
				}
				o.Release()
				<-released
				e.Freed()
			}
		})
	}
}
