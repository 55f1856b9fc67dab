package envapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

const (
	jsonType = "application/json"
	textType = "text/plain; charset=utf-8"
	okBody   = `{"status":"OK"}` + "\n"
)

// accepted is the whole usual answer to a POST.
var accepted = []byte("HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n" + okBody)

// answerOptions is what an answer must know of its request.
type answerOptions struct {
	http10    bool
	keepAlive bool
	head      bool // HEAD: no body follows
}

func appendStatus(b []byte, status int, http10 bool) []byte {
	if http10 {
		b = append(b, "HTTP/1.0 "...)
	} else {
		b = append(b, "HTTP/1.1 "...)
	}
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(status)...)
	return append(b, "\r\n"...)
}

// appendHeader appends a header unless its value is empty. Control
// characters become spaces: values come from callers (a client context may be
// JSON over several lines) and must not begin another header.
func appendHeader(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, name...)
	b = append(b, ": "...)
	start := len(b)
	b = append(b, value...)
	for i := start; i < len(b); i++ {
		if !isValueByte(b[i]) {
			b[i] = ' '
		}
	}
	return append(b, "\r\n"...)
}

// appendEnd appends the last headers and the empty line.
func appendEnd(b []byte, length int, http10, keepAlive bool) []byte {
	switch {
	case !keepAlive:
		b = append(b, "Connection: close\r\n"...)
	case http10:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(length), 10)
	return append(b, "\r\n\r\n"...)
}

// appendAnswer appends a whole answer. allow is the Allow header's value.
func appendAnswer(b []byte, status int, contentType, allow string, body []byte, o answerOptions) []byte {
	b = appendStatus(b, status, o.http10)
	b = appendHeader(b, "Content-Type", contentType)
	b = appendHeader(b, "Allow", allow)
	b = appendEnd(b, len(body), o.http10, o.keepAlive)
	if o.head {
		return b
	}
	return append(b, body...)
}

// appendError appends an error in the API's form. encoding/json's escaping of
// <, > and & is AWS's too.
func appendError(b []byte, e *Error, o answerOptions) []byte {
	var body bytes.Buffer
	_ = json.NewEncoder(&body).Encode(struct { // two strings into memory cannot fail
		Message string `json:"errorMessage"`
		Type    string `json:"errorType"`
	}{e.Message, e.Type})
	return appendAnswer(b, e.Status, jsonType, "", body.Bytes(), o)
}
