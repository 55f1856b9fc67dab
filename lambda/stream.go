package lambda

import (
	"encoding/json"
	"errors"
	"io"
)

// Prelude is what a streamed answer to an HTTP request begins with.
type Prelude struct {
	// StatusCode is the HTTP status; 0 means 200.
	StatusCode int `json:"statusCode"`
	// Headers of the answer, by name.
	Headers map[string]string `json:"headers,omitempty"`
	// Cookies are values of Set-Cookie, one each.
	Cookies []string `json:"cookies,omitempty"`
}

// contentTypeHTTP announces a prelude, which eight zeros end.
const contentTypeHTTP = "application/vnd.awslambda.http-integration-response"

// ErrStarted is the answer to a SetContentType or WritePrelude that comes
// after the first Write.
var ErrStarted = errors.New("the answer has begun")

// ResponseStream is an answer that callers get while the handler writes it: up
// to 200 MB, of which the first 6 MB go at full speed and the rest at 2 MB/s.
// Each Write goes out at once; a handler that writes little at a time puts a
// bufio.Writer around it.
//
// It belongs to the handler until that returns. A handler that returns an
// error after its first Write has the stream end with it: callers get what was
// written, and are told.
type ResponseStream struct {
	open        func(contentType string) (sink, error)
	sink        sink // nil before the first Write
	contentType string
	err         error // why it could not be opened
}

// sink is where a streamed answer goes.
type sink interface {
	io.Writer
	Close() error
	Fail(*failure) error
	Abort()
}

// SetContentType sets the type of what is written; without it, it is
// application/octet-stream.
func (s *ResponseStream) SetContentType(contentType string) error {
	if s.sink != nil {
		return ErrStarted
	}
	s.contentType = contentType
	return nil
}

// WritePrelude begins an answer to an HTTP request: of a function URL with
// InvokeMode RESPONSE_STREAM, or an API Gateway that streams. What is written
// afterwards is the body.
func (s *ResponseStream) WritePrelude(p Prelude) error {
	if s.sink != nil {
		return ErrStarted
	}
	if p.StatusCode == 0 {
		p.StatusCode = 200
	}
	head, err := json.Marshal(p)
	if err != nil {
		return err
	}
	s.contentType = contentTypeHTTP
	_, err = s.Write(append(head, 0, 0, 0, 0, 0, 0, 0, 0))
	return err
}

// Write sends p to the caller.
func (s *ResponseStream) Write(p []byte) (int, error) {
	if err := s.begin(); err != nil {
		return 0, err
	}
	return s.sink.Write(p)
}

// begin opens the stream, once.
func (s *ResponseStream) begin() error {
	if s.sink != nil || s.err != nil {
		return s.err
	}
	if s.contentType == "" {
		s.contentType = contentTypeBytes
	}
	s.sink, s.err = s.open(s.contentType)
	return s.err
}

// copyBuffer is how much of a reader is sent at a time, in bytes.
const copyBuffer = 32 << 10

// send writes all that a reader gives. Its error is told from the stream's
// own: the former is the handler's.
func (s *ResponseStream) send(reader io.Reader, buffer []byte) (handlerErr, err error) {
	for {
		n, readErr := reader.Read(buffer)
		if n > 0 {
			if _, err := s.Write(buffer[:n]); err != nil {
				return nil, err
			}
		}
		if readErr == io.EOF {
			return nil, nil
		}
		if readErr != nil {
			return readErr, nil
		}
	}
}
