package envapi

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// scripted is a connection whose peer has sent everything at once (or in
// pieces) and then half closed.
type scripted struct {
	in       io.Reader
	atEnd    func() // if set, called before the end is reported
	out      bytes.Buffer
	writeErr error // if set, what writes get
	once     sync.Once
	closed   chan struct{}
}

func newScripted(in []byte, piece int) *scripted {
	r := bytes.NewReader(in)
	return &scripted{in: readerFunc(func(b []byte) (int, error) {
		return r.Read(b[:min(piece, len(b))])
	}), closed: make(chan struct{})}
}

func (c *scripted) Read(b []byte) (int, error) {
	n, err := c.in.Read(b)
	if err != nil && c.atEnd != nil {
		c.atEnd()
	}
	return n, err
}

func (c *scripted) Write(b []byte) (int, error) {
	if c.writeErr != nil {
		return 0, c.writeErr
	}
	return c.out.Write(b)
}

func (c *scripted) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}
func (*scripted) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*scripted) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*scripted) SetDeadline(time.Time) error      { return nil }
func (*scripted) SetReadDeadline(time.Time) error  { return nil }
func (*scripted) SetWriteDeadline(time.Time) error { return nil }

// heard is what a server understood of one request.
type heard struct {
	Method, Target, Path, Body string
	Length                     int64
	ContentType, UserAgent     string
	ErrorType, Cause, Mode     string
	HasMode                    bool
	ExtName, ExtFeatures       string
	ExtID, ExtErrorType        string
	Trailer                    Trailer
	Cut                        bool // the body was not accepted
}

// ourReading is what this package understands of a connection's bytes.
func ourReading(in []byte, piece int) (all []heard) {
	s := New(Config{Handler: newFake()})
	s.cfg.Buffers.poison = true
	nc := newScripted(in, piece)
	c := newConn(s, nc)
	for c.readHead() {
		q := &c.req
		path, err := url.PathUnescape(string(q.path))
		if err != nil {
			panic("accepted a path that cannot be decoded: " + string(q.path))
		}
		h := heard{
			Method: string(q.method), Target: string(q.target), Path: path, Length: q.contentLength,
			ContentType: string(q.contentType), UserAgent: string(q.userAgent), ErrorType: string(q.errorType),
			Cause: string(q.cause), Mode: string(q.mode), HasMode: q.hasMode,
			ExtName: string(q.extName), ExtFeatures: string(q.extFeatures), ExtID: string(q.extID), ExtErrorType: string(q.extErrorType),
		}
		keep := q.keepAlive
		for {
			p, err := c.readBody()
			h.Body += string(p)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				h.Cut = true
				break
			}
			if len(p) == 0 {
				panic("an empty read")
			}
		}
		h.Trailer = c.body.trailer
		all = append(all, h)
		if h.Cut || !keep {
			break
		}
		c.shrink()
	}
	return all
}

// oneConn is a listener with a single connection.
type oneConn struct{ c chan net.Conn }

func (l *oneConn) Accept() (net.Conn, error) {
	nc, ok := <-l.c
	if !ok {
		return nil, net.ErrClosed
	}
	return nc, nil
}
func (*oneConn) Close() error   { return nil }
func (*oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// netHTTPReading is what net/http's server understands of them.
func netHTTPReading(in []byte) (all []heard) {
	nc := newScripted(in, 1<<20)
	l := &oneConn{c: make(chan net.Conn, 1)}
	l.c <- nc
	srv := &http.Server{
		ErrorLog:       log.New(io.Discard, "", 0),
		MaxHeaderBytes: 2 << 20,
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			h := heard{
				Method: r.Method, Target: r.RequestURI, Path: r.URL.Path, Length: r.ContentLength,
				ContentType: r.Header.Get("Content-Type"), UserAgent: r.Header.Get("User-Agent"),
				ErrorType: r.Header.Get("Lambda-Runtime-Function-Error-Type"),
				Cause:     r.Header.Get("Lambda-Runtime-Function-Xray-Error-Cause"),
				Mode:      r.Header.Get("Lambda-Runtime-Function-Response-Mode"),
				HasMode:   r.Header["Lambda-Runtime-Function-Response-Mode"] != nil,

				ExtName:      r.Header.Get("Lambda-Extension-Name"),
				ExtFeatures:  r.Header.Get("Lambda-Extension-Accept-Feature"),
				ExtID:        r.Header.Get("Lambda-Extension-Identifier"),
				ExtErrorType: r.Header.Get("Lambda-Extension-Function-Error-Type"),
			}
			b, err := io.ReadAll(r.Body)
			h.Body, h.Cut = string(b), err != nil
			h.Trailer = Trailer{r.Trailer.Get("Lambda-Runtime-Function-Error-Type"), r.Trailer.Get("Lambda-Runtime-Function-Error-Body")}
			all = append(all, h)
		}),
	}
	go func() {
		<-nc.closed
		close(l.c)
	}()
	_ = srv.Serve(l) // ends when the connection has been closed
	return all
}

// FuzzAgainstNetHTTP gives the same bytes to both servers. Ours may refuse
// what net/http takes, never the other way round, and what both take they
// must understand alike.
func FuzzAgainstNetHTTP(f *testing.F) {
	for _, s := range []string{
		get("/2018-06-01/ping") + get(nextPath),
		head("POST", responsePath) + "Content-Length: 3\r\n\r\nabc" + get("/a%2Fb?q"),
		chunkedHead + "3;x=y\r\nabc\r\n0\r\nLambda-Runtime-Function-Error-Type: T\r\nLambda-Runtime-Function-Error-Body: e30=\r\n\r\n" + get("/"),
		head("POST", errorPath) + "Trailer: a\r\nExpect: 100-continue\r\nContent-Type: a\r\nUser-Agent: b\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST http://h:1/x HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nxGET / HTTP/1.0\r\n\r\n",
		"GET / HTTP/1.1\nHost: a\n\n",
		head("POST", "/") + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
		head("POST", "/") + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
		head("POST", "/") + "Transfer-Encoding:\tchunked \r\nA: b\r\n c\r\n\r\n1 \r\nx\r\n0\r\n\r\n",
		head("POST", extensionAPI+"/register") + "Lambda-Extension-Name: agent.sh\r\nlambda-extension-accept-feature: accountId ,x\r\nContent-Length: 13\r\n\r\n{\"events\":[]}" + get(extensionAPI+"/event/next"),
		head("POST", extensionAPI+"/exit/error") + "Lambda-Extension-Identifier:a\r\nLAMBDA-EXTENSION-FUNCTION-ERROR-TYPE: Extension.A\r\nLambda-Extension-Identifier: b\r\nContent-Length: 0\r\n\r\n",
		head("PUT", "/2022-07-01/telemetry") + "Lambda-Extension-Identifier: 00000000-0000-4000-8000-000000000000\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		head("GET", "/") + "Lambda-Runtime-Function-Response-Mode:\r\nLambda-Runtime-Function-XRay-Error-Cause: {}\r\nConnection: close, x\r\n\r\n" + get("/"),
	} {
		f.Add([]byte(s), uint8(0))
		f.Add([]byte(s), uint8(7))
	}
	f.Fuzz(func(t *testing.T, in []byte, piece uint8) {
		if len(in) > 4000 {
			t.Skip("net/http bounds a trailer section to 4 KiB, we do not")
		}
		pieces := int(piece)
		if pieces == 0 {
			pieces = 1 << 20
		}
		compare(t, in, pieces)
	})
}

// compare fails the test if we are laxer than net/http on a connection's
// bytes, or understand them differently. It returns how many whole requests
// both have taken.
func compare(t *testing.T, in []byte, piece int) (both int) {
	t.Helper()
	ours, theirs := ourReading(in, piece), netHTTPReading(in)
	for i, h := range ours {
		if i >= len(theirs) {
			t.Fatalf("request %d of %q is refused by net/http: %+v", i, in, h)
		}
		if h.Cut {
			// What was there before the fault may differ; nothing follows.
			h.Body, h.Trailer, h.Cut = theirs[i].Body, theirs[i].Trailer, theirs[i].Cut
			both--
		}
		if d := cmp.Diff(theirs[i], h); d != "" {
			t.Fatalf("request %d of %q (-net/http +ours):\n%s", i, in, d)
		}
		both++
	}
	return both
}

// TestAgainstNetHTTP makes connections of fragments that parsers are known to
// disagree on: what mutation of bytes seldom puts together.
func TestAgainstNetHTTP(t *testing.T) {
	lines := []string{
		"POST /a HTTP/1.1", "POST http://h:1/a HTTP/1.1", "GET /%41?b HTTP/1.1", "POST /a HTTP/1.0", "GET http://h:1/a HTTP/1.1",
		"GET http://h HTTP/1.1", "get /a HTTP/1.1", "POST  /a HTTP/1.1", "POST /a  HTTP/1.1", "POST /a HTTP/1.1 ", "POST\t/a HTTP/1.1", " POST /a HTTP/1.1",
		"POST /a HTTP/1.2", "POST /a HTTP/2.0", "POST /a http/1.1", "POST /a", "CONNECT h:1 HTTP/1.1", "OPTIONS * HTTP/1.1",
		"GET //h/a HTTP/1.1", "GET /a#b HTTP/1.1", "GET /%4 HTTP/1.1", "GET a HTTP/1.1", "GET http://[::1]/a HTTP/1.1", "GET http://[::1/a HTTP/1.1",
		"GET http://h:x/a HTTP/1.1", "GET http://u@h/a HTTP/1.1", "GET /\x00 HTTP/1.1", "GET /\xff HTTP/1.1", "G(T /a HTTP/1.1", "PRI * HTTP/2.0",
	}
	headers := []string{
		"A: b", "Content-Length: 3", "Transfer-Encoding: chunked", "Host: h", "host:", "Host: a b", "Host: [::1]:1", "content-length:3\t", "Content-Length: 0",
		"Content-Length: 03", "Content-Length: +3", "Content-Length: -1", "Content-Length: 3, 3", "Content-Length: 0x3", "Content-Length:", "Content-Length: 3 3",
		"Content-Length: 18446744073709551619", "Content-Length : 3", "Content-Length\t: 3", " Content-Length: 3", "Content-Length: 3\r",
		"Transfer-Encoding: CHUNKED", "transfer-encoding:\tchunked ", "Transfer-Encoding: identity",
		"Transfer-Encoding: chunked, chunked", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: \"chunked\"", "Transfer-Encoding:", "Transfer-Encoding: \x0bchunked",
		"Transfer_Encoding: chunked", "Transfer-Encoding : chunked", "Connection: close", "Connection: keep-alive", "Connection: x, Close", "Connection: Upgrade",
		"Expect: 100-continue", "Expect: x", "Upgrade: h2c", "Trailer: Content-Length", "Trailer: x", "Trailer: Transfer-Encoding",
		"Lambda-Runtime-Function-Response-Mode: streaming", "Lambda-Runtime-Function-Error-Type: a\xff", "lambda-runtime-function-xray-error-cause: {\t}",
		"Lambda-Extension-Name: a", "lambda-extension-name:  b ", "Lambda-Extension-Identifier: \t", "Lambda-Extension-Accept-Feature: a,b", "Lambda-Extension-Function-Error-Type: \xff",
		"User-Agent: a", "USER-AGENT: b", "Content-Type: a;b", ": x", "x", "A: \x00", "A: \x7f", "A\x00: b", "\u00fc: b", "A: b\r\n c", "",
	}
	bodies := []string{
		"", "abc", "3\r\nabc\r\n0\r\n\r\n", "abcd", "3;a=\"\r\nabc\r\n0\r\nLambda-Runtime-Function-Error-Type: T\r\n\r\n", "3 \r\nabc\r\n0\r\n\r\n", "03\r\nabc\r\n00\r\n\r\n",
		"3\nabc\n0\n\n", "3\r\nabc0\r\n\r\n", "3\r\nabc\r\n0\r\n", "0\r\nContent-Length: 5\r\n\r\n", "0\r\nA : b\r\n\r\n", "0\r\n A: b\r\n\r\n", "0\r\n\n", "0x3\r\nabc\r\n0\r\n\r\n", "3;\n\r\nabc\r\n0\r\n\r\n", "\r\n",
	}
	ends := []string{"\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\r\n"}
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(from []string) string { // the first are good, and come more often
		if rnd.IntN(3) > 0 {
			return from[rnd.IntN(3)]
		}
		return from[rnd.IntN(len(from))]
	}
	both, whole := 0, 0
	for range 8000 {
		var in strings.Builder
		for range 1 + rnd.IntN(3) {
			in.WriteString(pick(lines) + pick(ends))
			if rnd.IntN(8) > 0 {
				in.WriteString("Host: h\r\n")
			}
			for range rnd.IntN(3) {
				in.WriteString(pick(headers) + pick(ends))
			}
			in.WriteString("\r\n" + pick(bodies))
		}
		n := compare(t, []byte(in.String()), 1+rnd.IntN(200))
		both += n
		if n > 1 {
			whole++
		}
	}
	t.Logf("%d requests understood alike, %d connections with several", both, whole)
	if both < 2000 || whole < 200 {
		t.Errorf("only %d requests were accepted, %d after another: nothing is proven", both, whole)
	}
}

// FuzzChunked compares the chunk reader with net/http's on the bytes of a
// body, fed in pieces, and checks that one's own encoding is always read.
func FuzzChunked(f *testing.F) {
	for _, s := range []string{
		"3\r\nabc\r\n0\r\n\r\n", "5;a=\"b\"\r\nhello\r\n00\r\nA: b\r\n\r\n", "0\r\n\r\n", "3\nabc\n0\n\n",
		"ffffffffffffffff\r\n", "3\r\nab", "1\r\nx\r\n0\r\nA:b", "A\r\n0123456789\r\n000a\r\n0123456789\r\n0\r\n\r\n",
	} {
		f.Add([]byte(s), uint8(1))
		f.Add([]byte(s), uint8(200))
	}
	f.Fuzz(func(t *testing.T, in []byte, piece uint8) {
		pieces := max(int(piece), 1)
		read := func(body []byte) (string, bool) {
			all := ourReading(append([]byte(chunkedHead), body...), pieces)
			if len(all) == 0 {
				t.Fatal("the head was refused")
			}
			return all[0].Body, !all[0].Cut
		}
		if got, ok := read(in); ok {
			r := httputil.NewChunkedReader(bufio.NewReader(bytes.NewReader(in)))
			want, err := io.ReadAll(r)
			if err != nil || got != string(want) {
				t.Fatalf("accepted as %q; net/http has %q, %v", got, want, err)
			}
		}
		var enc strings.Builder
		for rest := in; len(rest) > 0; {
			n := min(len(rest), pieces)
			fmt.Fprintf(&enc, "%X;n=%d\r\n%s\r\n", n, n, rest[:n])
			rest = rest[n:]
		}
		enc.WriteString("0\r\n\r\n")
		if enc.Len() > maxChunkExtra {
			return // its extensions alone may be too much
		}
		if got, ok := read([]byte(enc.String())); !ok || got != string(in) {
			t.Fatalf("own encoding of %q came back as %q, %v", in, got, ok)
		}
	})
}
