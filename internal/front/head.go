package front

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

// headEnd ends a request's head.
var headEnd = []byte("\r\n\r\n")

// wholeHead is the request head that b begins with, or nil when its end has
// not been read yet.
func wholeHead(b []byte) []byte {
	i := bytes.Index(b, headEnd)
	if i < 0 {
		return nil
	}
	return b[:i+len(headEnd)]
}

// headIsKnown reports whether more bytes would change nothing about how a
// request is served: its head is there, be it with bare line feeds, or it does
// not begin as a hot one does.
func headIsKnown(b []byte) bool {
	const begin = "POST /"
	n := min(len(b), len(begin))
	return string(b[:n]) != begin[:n] || bytes.Contains(b, []byte("\n\r\n")) || bytes.Contains(b, []byte("\n\n"))
}

// target is what a head asks for if it is a POST in HTTP/1.1, else nil.
func target(head []byte) []byte {
	line, _, _ := bytes.Cut(head, []byte("\r\n"))
	line, isPost := bytes.CutPrefix(line, []byte("POST "))
	line, is11 := bytes.CutSuffix(line, []byte(" HTTP/1.1"))
	if !isPost || !is11 || len(line) == 0 || line[0] != '/' {
		return nil
	}
	return line
}

// maxFields is the most header fields of a request that the loop serves.
const maxFields = 64

// parse makes a request of a head, without a body, as http.ReadRequest would.
// It is nil for a head that is not plain: anything but a POST in HTTP/1.1 to
// one host, with a body of a stated length, made of visible ASCII, and without
// a header that changes how the message or the connection goes on. Such a head
// is net/http's to accept or to refuse. FuzzParse holds the two together.
func parse(head []byte) *http.Request {
	path := target(head)
	if path == nil {
		return nil
	}
	text := string(head) // the one copy, of which all strings are parts
	at := len("POST ")
	req := &http.Request{
		Method: http.MethodPost, RequestURI: text[at : at+len(path)],
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header, 16), ContentLength: -1,
	}
	for _, c := range []byte(req.RequestURI) {
		if c <= ' ' || c > '~' {
			return nil
		}
	}
	var err error
	if req.URL, err = url.ParseRequestURI(req.RequestURI); err != nil {
		return nil
	}
	_, lines, _ := strings.Cut(text, "\r\n")
	if !parseFields(req, lines) || req.Host == "" || req.ContentLength < 0 {
		return nil
	}
	return req
}

// parseFields reads the header lines, up to the empty one.
func parseFields(req *http.Request, lines string) bool {
	values := make([]string, 0, maxFields/4) // one allocation for most requests
	for len(lines) > len("\r\n") {
		var line string
		line, lines, _ = strings.Cut(lines, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		if !ok || !isToken(name) || !isPrintable(value) {
			return false
		}
		value = strings.Trim(value, " \t")
		name = textproto.CanonicalMIMEHeaderKey(name)
		switch name {
		case "Connection", "Transfer-Encoding", "Expect", "Upgrade", "Trailer", "Te", "Proxy-Connection", "Pragma":
			return false
		case "Host":
			if req.Host != "" || !isHost(value) {
				return false
			}
			req.Host = value
			continue
		case "Content-Length":
			n, err := strconv.ParseUint(value, 10, 63)
			if err != nil || value[0] == '+' || req.ContentLength >= 0 {
				return false
			}
			req.ContentLength = int64(n)
		}
		if len(values) == maxFields {
			return false
		}
		values = append(values, value)
		if before := req.Header[name]; before != nil {
			req.Header[name] = append(before, value)
		} else {
			req.Header[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	return true
}

// isHost reports whether a Host is a plain name or address with a port.
func isHost(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			c == '-', c == '_', c == '.', c == ':', c == '[', c == ']':
		default:
			return false
		}
	}
	return len(s) > 0
}

// isToken reports whether b may be a header's name: letters, digits, hyphens
// and underscores do for all that is known.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return len(s) > 0
}

// isPrintable reports whether b is of visible ASCII characters, spaces and tabs.
func isPrintable(s string) bool {
	for _, c := range []byte(s) {
		if (c < ' ' || c > '~') && c != '\t' {
			return false
		}
	}
	return true
}
