package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/api"
)

const invokePath = "/2015-03-31/functions/f/invocations"

// letters gives n bytes of JSON string content without holding them.
type letters struct{ n int64 }

var page = strings.Repeat("A", 32<<10)

func (l *letters) Read(p []byte) (int, error) {
	if l.n == 0 {
		return 0, io.EOF
	}
	n := copy(p, page[:min(int64(len(page)), l.n)])
	l.n -= int64(n)
	return n, nil
}

// TestLargeCreate sends a function of almost the largest size, and sees that
// neither its body nor its archive is ever in memory.
func TestLargeCreate(t *testing.T) {
	d := open(t, nil)
	var peak, size uint64
	d.service.create = func(_ context.Context, in *api.CreateFunctionRequest) (*api.FunctionConfiguration, error) {
		size = uint64(in.Code.ZipFile.Size())
		peak = heap()
		return &api.FunctionConfiguration{FunctionName: in.FunctionName}, nil
	}
	const head, tail = `{"FunctionName":"f","Role":"arn:aws:iam::000000000000:role/r","Runtime":"python3.12","Handler":"a.b","Code":{"ZipFile":"`, `"}}`
	for _, tt := range []struct {
		name    string
		zip     int64 // in base64
		chunked bool
	}{{"largest archive", largestZip, false}, {"chunked", 6 << 20, true}} {
		t.Run(tt.name, func(t *testing.T) {
			before := heap()
			r := d.request(t, "POST", "/2015-03-31/functions", io.MultiReader(strings.NewReader(head), &letters{tt.zip}, strings.NewReader(tail)))
			if r.ContentLength = int64(len(head)+len(tail)) + tt.zip; tt.chunked {
				r.ContentLength = -1
			}
			if a := d.do(t, r); a.status != 201 {
				t.Fatalf("answer is %d %s", a.status, a.body)
			}
			if want := uint64(tt.zip / 4 * 3); size != want {
				t.Errorf("archive has %d bytes, want %d", size, want)
			}
			if grown := int64(peak) - int64(before); grown > 4<<20 {
				t.Errorf("heap grew by %d bytes", grown)
			}
			if left, err := os.ReadDir(d.spool); err != nil || len(left) != 0 {
				t.Errorf("spool has %v, %v", left, err)
			}
		})
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestTooLarge(t *testing.T) {
	d := open(t, nil)
	const create, invoke = 70167211, 6291456
	tests := []struct {
		name, path   string
		size, length int64
		header       map[string]string
		typ, text    string
	}{
		{"create", "/2015-03-31/functions", create + 1, create + 1, nil,
			"RequestEntityTooLargeException", "Request must be smaller than 70167211 bytes for the CreateFunction operation"},
		{"create, chunked", "/2015-03-31/functions", create + 1, -1, nil,
			"RequestEntityTooLargeException", "Request must be smaller than 70167211 bytes for the CreateFunction operation"},
		{"create, not waiting for 100", "/2015-03-31/functions", create + 1, create + 1, map[string]string{"Expect": "100-continue"},
			"RequestEntityTooLargeException", "Request must be smaller than 70167211 bytes for the CreateFunction operation"},
		{"invoke, chunked, not waiting for 100", invokePath, invoke + 1, -1, map[string]string{"Expect": "100-continue"},
			"RequestTooLargeException", "6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)"},
		{"invoke", invokePath, invoke + 1, invoke + 1, nil,
			"RequestTooLargeException", "6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)"},
		{"invoke, chunked", invokePath, invoke + 1, -1, nil,
			"RequestTooLargeException", "6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)"},
		{"event", invokePath, 1048577, 1048577, map[string]string{"X-Amz-Invocation-Type": "Event"},
			"RequestTooLargeException", "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)"},
		{"event, chunked", invokePath, 1048577, -1, map[string]string{"X-Amz-Invocation-Type": "Event"},
			"RequestTooLargeException", "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)"},
		{"another operation", "/2017-03-31/tags/arn:aws:lambda:us-east-1:000000000000:function:f", 2 << 20, 2 << 20, nil,
			"RequestEntityTooLargeException", "TagResource"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := d.request(t, "POST", tt.path, &letters{tt.size})
			r.ContentLength = tt.length
			for k, v := range tt.header {
				r.Header.Set(k, v)
			}
			d.do(t, r).wantError(t, 413, tt.typ, tt.text)
		})
	}
}

// TestPayloads sends payloads of sizes around every boundary and sees them
// come back, known length and chunked, one after the other on a connection.
func TestPayloads(t *testing.T) {
	d := open(t, nil)
	for _, size := range []int{0, 1, 4095, 4096, 4097, firstBuffer - 1, firstBuffer, firstBuffer + 1, memoryBody, memoryBody + 1, 6291456} {
		for _, chunked := range []bool{false, true} {
			sent := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
			r := d.request(t, "POST", invokePath, bytes.NewReader(sent))
			if chunked {
				r.ContentLength = -1
			}
			if a := d.do(t, r); a.status != 200 || a.body != string(sent) {
				t.Errorf("size %d, chunked %v: answer is %d with %d bytes", size, chunked, a.status, len(a.body))
			}
		}
	}
}

// TestBodySpooled: what is over memory goes to a file, whichever way its
// length becomes known, and is whole there.
func TestBodySpooled(t *testing.T) {
	const limit = 8 << 20
	tests := []struct {
		name         string
		size, length int64
		spooled      bool
	}{
		{"largest in memory", memoryBody, memoryBody, false},
		{"smallest in a file", memoryBody + 1, memoryBody + 1, true},
		{"chunked", memoryBody - 1, -1, false},
		{"chunked, in a file", 5 << 20, -1, true},
		{"at the limit", limit, -1, true},
	}
	source := &bodySource{dir: t.TempDir(), grace: time.Minute, buffers: newBufferPool(), slots: make(chan struct{}, 1)}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := http.NewRequest("POST", "http://localhost/", &letters{tt.size})
			r.ContentLength = tt.length
			b, err := source.read(newResponse(nil, time.Minute), r, limit, memoryBody, true)
			if err != nil {
				t.Fatal(err)
			}
			if (b.file != nil) != tt.spooled || b.forAPI().Size() != tt.size {
				t.Errorf("spooled %v with %d bytes", b.file != nil, b.forAPI().Size())
			}
			sum := sha256.New()
			if _, err := io.Copy(sum, io.NewSectionReader(b.forAPI(), 0, tt.size)); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%x", sum.Sum(nil)); got != b.sum {
				t.Errorf("sum is %s, want %s", b.sum, got)
			}
			b.close()
			if len(source.slots) != 0 {
				t.Error("slot is not given back")
			}
		})
	}
}

// TestSpoolsBounded: more large bodies than there are slots wait, and leave
// when their client does.
func TestSpoolsBounded(t *testing.T) {
	source := &bodySource{dir: t.TempDir(), grace: time.Minute, buffers: newBufferPool(), slots: make(chan struct{}, 1)}
	source.slots <- struct{}{}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r, _ := http.NewRequestWithContext(ctx, "POST", "http://localhost/", &letters{2 << 20})
	r.ContentLength = 2 << 20
	if _, err := source.read(newResponse(nil, time.Minute), r, 8<<20, memoryBody, false); err == nil {
		t.Error("body got a slot that is taken")
	}
}

// TestSlowBody: a client that stops sending is answered and cut off, whether
// its body is read or not.
func TestSlowBody(t *testing.T) {
	d := open(t, func(c *Config) { c.Grace = 50 * time.Millisecond })
	signed := d.request(t, "POST", invokePath, nil).Header
	header := fmt.Sprintf("Host: localhost\r\nAuthorization: %s\r\nX-Amz-Date: %s\r\n", signed.Get("Authorization"), signed.Get("X-Amz-Date"))
	tests := []struct{ name, raw, typ string }{
		{"nothing of it", "POST " + invokePath + " HTTP/1.1\r\n" + header + "Content-Length: 10\r\n\r\n", "InvalidRequestContentException"},
		{"half of it", "POST " + invokePath + " HTTP/1.1\r\n" + header + "Content-Length: 10\r\n\r\n12345", "InvalidRequestContentException"},
		{"chunked", "POST " + invokePath + " HTTP/1.1\r\n" + header + "Transfer-Encoding: chunked\r\n\r\n3\r\n123\r\n", "InvalidRequestContentException"},
		{"large", "POST /2015-03-31/functions HTTP/1.1\r\n" + header + "Content-Length: 60000000\r\n\r\n{", "InvalidRequestContentException"},
		{"too large", "POST " + invokePath + " HTTP/1.1\r\n" + header + "Content-Length: 60000000\r\n\r\n{", "RequestTooLargeException"},
		{"unsigned", "POST " + invokePath + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n", "MissingAuthenticationTokenException"},
		{"web page", "POST " + invokePath + " HTTP/1.1\r\nHost: evil\r\nContent-Length: 10\r\n\r\n", "AccessDeniedException"},
		{"health", "GET /_lamb/health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", d.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, tt.raw); err != nil {
				t.Fatal(err)
			}
			if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(conn)
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := read(t, res).header.Get("X-Amzn-Errortype"); got != tt.typ {
				t.Errorf("answer is %q, want %q", got, tt.typ)
			}
			if _, err := in.ReadByte(); err != io.EOF {
				t.Errorf("connection is still there: %v", err)
			}
		})
	}
}

// TestBodyDeadlineEnds: the deadline of a body is gone when the function runs.
func TestBodyDeadlineEnds(t *testing.T) {
	const grace = 150 * time.Millisecond
	d := open(t, func(c *Config) {
		c.Grace = grace
		c.Raw["Invoke"] = func(w http.ResponseWriter, r *http.Request, in any) {
			select {
			case <-r.Context().Done():
			case <-time.After(2 * grace): // the function's own time
				payloads(w, r, in)
			}
		}
	})
	for range 2 { // the second is on a connection that has seen deadlines
		if a := d.do(t, d.request(t, "POST", invokePath, strings.NewReader(`"x"`))); a.status != 200 || a.body != `"x"` {
			t.Errorf("answer is %d %s", a.status, a.body)
		}
	}
}

// TestCutBody: a body that ends early is not run.
func TestCutBody(t *testing.T) {
	ran := make(chan struct{}, 1)
	d := open(t, func(c *Config) {
		c.Raw["Invoke"] = func(http.ResponseWriter, *http.Request, any) { ran <- struct{}{} }
	})
	signed := d.request(t, "POST", invokePath, nil).Header
	conn, err := net.Dial("tcp", d.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nX-Amz-Date: %s\r\nContent-Length: 10\r\n\r\n12345",
		invokePath, signed.Get("Authorization"), signed.Get("X-Amz-Date"))
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	read(t, res).wantError(t, 400, "InvalidRequestContentException", "completely")
	if len(ran) != 0 {
		t.Error("the operation ran")
	}
}

// TestContinue: a body that is good is asked for, one that is not is refused
// before it is sent.
func TestContinue(t *testing.T) {
	d := open(t, nil)
	signed := d.request(t, "POST", invokePath, nil).Header
	for _, tt := range []struct {
		length int
		first  string
	}{{3, "HTTP/1.1 100 Continue\r\n"}, {6291457, "HTTP/1.1 413 Request Entity Too Large\r\n"}} {
		conn, err := net.Dial("tcp", d.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nX-Amz-Date: %s\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n",
			invokePath, signed.Get("Authorization"), signed.Get("X-Amz-Date"), tt.length)
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || line != tt.first {
			t.Errorf("length %d: first line is %q, %v", tt.length, line, err)
		}
	}
}

// TestSlowReader: a client that does not read its answer does not hold the
// request for ever.
func TestSlowReader(t *testing.T) {
	done := make(chan error, 1)
	d := open(t, func(c *Config) {
		c.Grace = 50 * time.Millisecond
		c.Raw["Invoke"] = func(w http.ResponseWriter, _ *http.Request, _ any) {
			// More than any socket buffer takes, in writes that minRate gives
			// little time.
			chunk := make([]byte, 1<<10)
			for range 64 << 10 {
				if _, err := w.Write(chunk); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}
	})
	conn, err := net.Dial("tcp", d.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	signed := d.request(t, "POST", invokePath, nil).Header
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nX-Amz-Date: %s\r\nContent-Length: 0\r\n\r\n",
		invokePath, signed.Get("Authorization"), signed.Get("X-Amz-Date"))
	select {
	case err := <-done:
		if err == nil {
			t.Error("64 MB went to a client that reads nothing")
		}
	case <-time.After(10 * time.Second):
		t.Error("the handler is still writing")
	}
}
