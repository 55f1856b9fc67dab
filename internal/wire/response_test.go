package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// sources are ways in which the same bytes can arrive.
var sources = map[string]func(string) io.Reader{
	"at once":      func(s string) io.Reader { return strings.NewReader(s) },
	"byte by byte": func(s string) io.Reader { return iotest.OneByteReader(strings.NewReader(s)) },
	"end with data": func(s string) io.Reader {
		return iotest.DataErrReader(strings.NewReader(s))
	},
}

func TestRead(t *testing.T) {
	long := strings.Repeat("x", 3*firstBuffer)
	for name, c := range map[string]struct {
		answer string
		status int
		body   string
		close  bool
	}{
		"length":              {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false},
		"no reason":           {"HTTP/1.1 202\r\ncontent-length:0\r\n\r\n", 202, "", false},
		"long":                {"HTTP/1.1 200 OK\r\nContent-Length: " + fmt.Sprint(len(long)) + "\r\n\r\n" + long, 200, long, false},
		"no body":             {"HTTP/1.1 204 No Content\r\n\r\n", 204, "", false},
		"close":               {"HTTP/1.1 202 Accepted\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nok", 202, "ok", true},
		"HTTP/1.0":            {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", true},
		"until the end":       {"HTTP/1.1 200 OK\r\n\r\nall of it", 200, "all of it", true},
		"surplus":             {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokmore", 200, "ok", true},
		"interim":             {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false},
		"chunks":              {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA \r\n, you all!\r\n0\r\nTrailer: 1\r\n\r\n", 200, "hello, you all!", false},
		"chunks with surplus": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nHTTP", 200, "x", true},
		"many chunks":         {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1;"+strings.Repeat("y", 100)+"\r\nx\r\n", len(long)) + "0\r\n\r\n", 200, long, false},
		"a long chunk":        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x", len(long)) + "\r\n" + long + "\r\n1\r\n!\r\n0\r\n\r\n", 200, long + "!", false},
	} {
		for how, source := range sources {
			var r Response
			for range 2 { // the second time into used buffers
				r.reset()
				if err := r.read(source(c.answer)); err != nil {
					t.Fatalf("%s, %s: %v", name, how, err)
				}
				// What comes after the answer may not have been read yet.
				closes := r.Close || strings.Contains(name, "surplus") && how == "byte by byte"
				if r.Status != c.status || string(r.Body) != c.body || closes != c.close {
					t.Errorf("%s, %s: status %d, body %.40q, close %t; want %d, %.40q, %t", name, how, r.Status, r.Body, r.Close, c.status, c.body, c.close)
				}
			}
		}
	}
}

func TestReadFails(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		want   error
	}{
		"nothing":               {"", io.ErrUnexpectedEOF},
		"half a head":           {"HTTP/1.1 200 OK\r\nContent-", io.ErrUnexpectedEOF},
		"half a body":           {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", io.ErrUnexpectedEOF},
		"not HTTP":              {"SSH-2.0-OpenSSH_9.2\r\n\r\n", errHead},
		"HTTP/2":                {"HTTP/2.0 200 OK\r\n\r\n", errHead},
		"no status":             {"HTTP/1.1 2x0 OK\r\n\r\n", errHead},
		"a field without colon": {"HTTP/1.1 200 OK\r\nField\r\n\r\n", errHead},
		"a name with a space":   {"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx", errHead},
		"a folded field":        {"HTTP/1.1 200 OK\r\nA: b\r\n c: d\r\n\r\n", errHead},
		"a broken status line":  {"HTTP/1.1 200 \nA: b\r\n\r\n", errHead},
		"a bare line feed":      {"HTTP/1.1 200 OK\r\nA: b\nContent-Length: 4\r\n\r\n", errHead},
		"too many fields":       {"HTTP/1.1 200 OK\r\n" + strings.Repeat("a: b\r\n", maxFields+1) + "\r\n", errHead},
		"an endless head":       {"HTTP/1.1 200 OK\r\na: " + strings.Repeat("b", maxHead+firstBuffer), errHead},
		"a signed length":       {"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx", errLength},
		"a huge length":         {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx", errBig},
		"an unknown encoding":   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", errEncoding},
		"chunks of HTTP/1.0":    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", errEncoding},
		"a chunk without size":  {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", errChunk},
		"a chunk without end":   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz", errChunk},
		"half a chunk":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", io.ErrUnexpectedEOF},
		"a huge chunk":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n", errBig},
		"an endless chunk line": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 2*maxChunkLine), errChunk},
		"endless trailers":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("a: b\r\n", maxFields+1) + "\r\n", errChunk},
	} {
		for how, source := range sources {
			var r Response
			if err := r.read(source(c.answer)); !errors.Is(err, c.want) {
				t.Errorf("%s, %s: error %v, want %v", name, how, err, c.want)
			}
		}
	}
}

func TestHeader(t *testing.T) {
	var r Response
	answer := "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: \t1-2 \r\nEmpty:\r\nA@b: 1\r\nContent-Length: 0\r\n\r\n"
	if err := r.read(strings.NewReader(strings.Replace(answer, "A@b", "A^b", 1))); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"lambda-runtime-aws-request-ID": "1-2",
		"EMPTY":                         "",
		"a^B":                           "1",
		"a~B":                           "", // ^ and ~ differ in the bit that is the case of letters
	} {
		if got := string(r.Header(name)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// FuzzResponse reads what the standard library reads, alike; what the
// standard library refuses may be refused here, too. It never reads more from
// a length than there can be.
func FuzzResponse(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nLambda-Runtime-Aws-Request-Id: 1\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nTrailer: 1\r\n\r\n",
		"HTTP/1.1 202 Accepted\r\nConnection: close\r\n\r\n{\"status\":\"OK\"}\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.0 500 \r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		var r Response
		err := r.read(bytes.NewReader(answer))
		var slow Response
		if slowErr := slow.read(iotest.OneByteReader(bytes.NewReader(answer))); (err == nil) != (slowErr == nil) || err == nil && !bytes.Equal(r.Body, slow.Body) {
			t.Fatalf("at once: %q, %v; byte by byte: %q, %v", r.Body, err, slow.Body, slowErr)
		}
		if err != nil {
			return
		}
		in := bufio.NewReader(bytes.NewReader(answer))
		for {
			theirs, theirErr := http.ReadResponse(in, nil)
			if theirErr != nil {
				return // stricter than we are
			}
			if theirs.StatusCode < 200 {
				continue
			}
			body, theirErr := io.ReadAll(theirs.Body)
			if theirErr != nil {
				return
			}
			if theirs.StatusCode != r.Status || !bytes.Equal(body, r.Body) {
				t.Fatalf("status %d, body %q; net/http reads %d, %q", r.Status, r.Body, theirs.StatusCode, body)
			}
			const name = "Lambda-Runtime-Aws-Request-Id"
			if got := string(r.Header(name)); got != theirs.Header.Get(name) {
				t.Fatalf("%s: %q; net/http reads %q", name, got, theirs.Header.Get(name))
			}
			return
		}
	})
}
