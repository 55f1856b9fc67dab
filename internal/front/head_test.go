package front

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const plain = "POST /2015-03-31/functions/f/invocations?Qualifier=1 HTTP/1.1\r\nHost: 127.0.0.1:3001\r\n" +
	"Authorization: AWS4-HMAC-SHA256 x=y\r\nX-Amz-Date: 20261122T000000Z\r\nContent-Length: 7\r\n\r\n"

// with puts a header line into the plain head.
func with(line string) string { return strings.Replace(plain, "Host:", line+"\r\nHost:", 1) }

func TestParse(t *testing.T) {
	tests := map[string]struct {
		head string
		hot  bool
	}{
		"plain":                 {plain, true},
		"twice the same header": {with("X-A: 1\r\nx-a: 2"), true},
		"empty value":           {with("X-A:"), true},
		"spaces":                {with("X-A: \t v \t"), true},
		"another method":        {strings.Replace(plain, "POST", "GET", 1), false},
		"HTTP/1.0":              {strings.Replace(plain, "HTTP/1.1", "HTTP/1.0", 1), false},
		"absolute form":         {strings.Replace(plain, "POST /", "POST http://h/", 1), false},
		"no host":               {strings.Replace(plain, "Host", "Most", 1), false},
		"two hosts":             {with("Host: b"), false},
		"odd host":              {strings.Replace(plain, "127.0.0.1:3001", "a/b", 1), false},
		"no length":             {strings.Replace(plain, "Content-Length", "Content-Lengths", 1), false},
		"two lengths":           {with("Content-Length: 7"), false},
		"negative length":       {strings.Replace(plain, ": 7", ": -7", 1), false},
		"signed length":         {strings.Replace(plain, ": 7", ": +7", 1), false},
		"empty length":          {strings.Replace(plain, ": 7", ":", 1), false},
		"length of words":       {strings.Replace(plain, ": 7", ": seven", 1), false},
		"chunked":               {with("Transfer-Encoding: chunked"), false},
		"close":                 {with("connection: close"), false},
		"expect":                {with("Expect: 100-continue"), false},
		"upgrade":               {with("Upgrade: h2c"), false},
		"folded line":           {with("X-A: 1\r\n 2"), false},
		"space before colon":    {with("X-A : 1"), false},
		"no colon":              {with("X-A"), false},
		"control character":     {with("X-A: a\x01b"), false},
		"line feed alone":       {with("X-A: a\nX-B: b"), false},
		"not ASCII":             {with("X-A: ü"), false},
		"bad escape":            {strings.Replace(plain, "/f/", "/%zz/", 1), false},
		"many":                  {with(strings.Repeat("X-A: 1\r\n", 70) + "X-B: 1"), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := parse([]byte(tt.head)) != nil; got != tt.hot {
				t.Errorf("hot: %t, want %t", got, tt.hot)
			}
			sameAsNetHTTP(t, []byte(tt.head))
		})
	}
}

// sameAsNetHTTP compares what parse makes of a head, if it takes it, with what
// net/http does.
func sameAsNetHTTP(t *testing.T, head []byte) {
	t.Helper()
	got := parse(head)
	if got == nil {
		return
	}
	want, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		t.Fatalf("taken, while net/http says %v", err)
	}
	type part struct {
		Method, URI, Path, Query, Proto, Host string
		Length                                int64
		Close                                 bool
		Encoding                              int
		Header                                http.Header
	}
	of := func(r *http.Request) part {
		return part{
			r.Method, r.RequestURI, r.URL.EscapedPath(), r.URL.RawQuery, r.Proto, r.Host,
			r.ContentLength, r.Close, len(r.TransferEncoding), r.Header,
		}
	}
	if diff := cmp.Diff(of(want), of(got)); diff != "" {
		t.Errorf("net/http -, front +:\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(plain))
	f.Add([]byte(with("X-A: 1\r\nx-a: \t2 ")))
	f.Add([]byte(with("Transfer-Encoding: chunked")))
	f.Add([]byte("POST /%41?a=%zz#x HTTP/1.1\r\nHost: [::1]:1\r\nContent-Length: 007\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if head := wholeHead(b); head != nil {
			sameAsNetHTTP(t, head)
		}
	})
}
