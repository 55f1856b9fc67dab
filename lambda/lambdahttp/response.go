package lambdahttp

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/lambhq/lamb/lambda"
)

// Response is an answer in the form that its caller's service takes.
type Response struct {
	StatusCode        int                 `json:"statusCode"`
	StatusDescription string              `json:"statusDescription,omitempty"` // load balancers want it
	Headers           map[string]string   `json:"headers,omitempty"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders,omitempty"`
	Cookies           []string            `json:"cookies,omitempty"`
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

// buffered is the http.ResponseWriter of an answer in one piece.
type buffered struct {
	header http.Header // the handler's, which may go on changing it
	sent   http.Header // as it was with the first byte
	status int
	body   bytes.Buffer
}

func (w *buffered) Header() http.Header { return w.header }

// WriteHeader sets the status, once; those below 200 say nothing to a caller.
func (w *buffered) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status, w.sent = status, w.header.Clone()
	}
}

func (w *buffered) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.body.Len() == 0 {
		detect(w.sent, p)
	}
	return w.body.Write(p)
}

// Flush has the header sent, as far as that is possible.
func (w *buffered) Flush() { w.WriteHeader(http.StatusOK) }

// detect sets the type of a body by its beginning, as net/http's server does.
func detect(h http.Header, body []byte) {
	if _, known := h["Content-Type"]; !known && h.Get("Content-Encoding") == "" && len(body) > 0 {
		h.Set("Content-Type", http.DetectContentType(body))
	}
}

// respond is what was written, as an answer to e.
func (e *event) respond(w *buffered) *Response {
	w.WriteHeader(http.StatusOK)
	r := &Response{StatusCode: w.status, Body: w.body.String()}
	if w.sent.Get("Content-Encoding") != "" || !utf8.Valid(w.body.Bytes()) {
		r.Body, r.IsBase64Encoded = base64.StdEncoding.EncodeToString(w.body.Bytes()), true
	}
	if e.isELB() {
		r.StatusDescription = strings.TrimSpace(fmt.Sprint(w.status, " ", http.StatusText(w.status)))
	}
	switch {
	case e.isV2():
		r.Headers, r.Cookies = split(w.sent)
	case e.isELB() && e.MultiValueHeaders == nil:
		// It takes one value of each; of cookies, that is the last.
		r.Headers, r.Cookies = split(w.sent)
		if n := len(r.Cookies); n > 0 {
			r.Headers["Set-Cookie"], r.Cookies = r.Cookies[n-1], nil
		}
	default:
		r.MultiValueHeaders = w.sent
	}
	return r
}

// split takes the cookies out of a header, and joins what is there more than
// once.
func split(h http.Header) (headers map[string]string, cookies []string) {
	headers = map[string]string{}
	for name, values := range h {
		if name == "Set-Cookie" {
			cookies = values
			continue
		}
		headers[name] = strings.Join(values, ",")
	}
	return headers, cookies
}

// streamBuffer is how much comes together before it is sent, in bytes.
const streamBuffer = 4 << 10

// streamed is the http.ResponseWriter of an answer that is streamed.
type streamed struct {
	header http.Header // the handler's, which may go on changing it
	sent   http.Header // as it was with WriteHeader
	status int
	stream *lambda.ResponseStream
	out    *bufio.Writer // into stream
	begun  bool          // the prelude has been sent
	err    error         // of the prelude
}

func newStreamed(s *lambda.ResponseStream) *streamed {
	return &streamed{header: http.Header{}, stream: s, out: bufio.NewWriterSize(s, streamBuffer)}
}

func (w *streamed) Header() http.Header { return w.header }

// WriteHeader sets the status, once. It is sent with the beginning of the body,
// which tells the type.
func (w *streamed) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status, w.sent = status, w.header.Clone()
	}
}

// begin sends the prelude, once. body is what comes first.
func (w *streamed) begin(body []byte) error {
	if w.begun {
		return w.err
	}
	w.begun = true
	w.WriteHeader(http.StatusOK)
	detect(w.sent, body)
	headers, cookies := split(w.sent)
	w.err = w.stream.WritePrelude(lambda.Prelude{StatusCode: w.status, Headers: headers, Cookies: cookies})
	return w.err
}

func (w *streamed) Write(p []byte) (int, error) {
	if err := w.begin(p); err != nil {
		return 0, err
	}
	return w.out.Write(p)
}

// Flush sends what has been written.
func (w *streamed) Flush() { _ = w.FlushError() } // the next Write has the error, too

// FlushError is Flush for http.ResponseController.
func (w *streamed) FlushError() error {
	if err := w.begin(nil); err != nil {
		return err
	}
	return w.out.Flush()
}

// finish sends the rest.
func (w *streamed) finish() error { return w.FlushError() }
