package runtimeapi

import (
	"encoding/base64"

	"github.com/lambhq/lamb/internal/wire"
)

// Stream is an answer that is sent while it comes into being. Every Write goes
// out at once. It ends with Close or Fail; the Client cannot do anything else
// before.
type Stream struct {
	c *Client
	s wire.Stream
}

// StreamMode says how an answer in pieces is announced to the service.
type StreamMode bool

const (
	// Announced streams carry Lambda-Runtime-Function-Response-Mode: streaming,
	// as the documentation of custom runtimes asks for.
	Announced StreamMode = true
	// Unannounced streams do not, as those of aws-lambda-go.
	Unannounced StreamMode = false
)

// PostStream begins an answer of unknown length, at most 200 MB. Nothing is
// sent before the first Write.
func (c *Client) PostStream(inv *Invocation, contentType string, mode StreamMode) (*Stream, error) {
	c.startFor(inv, "/response")
	c.conn.Header("Content-Type", contentType)
	if mode == Announced {
		c.conn.Header("Lambda-Runtime-Function-Response-Mode", "streaming")
	}
	c.conn.Header("Trailer", headerErrorType+", "+headerErrorBody)
	s, err := c.conn.Stream()
	if err != nil {
		return nil, &Error{Operation: "response", Err: err}
	}
	return &Stream{c, s}, nil
}

// Write sends p.
func (s *Stream) Write(p []byte) (int, error) {
	n, err := s.s.Write(p)
	if err != nil {
		err = &Error{Operation: "response", Err: err}
	}
	return n, err
}

// Close ends the answer and waits until the service has taken it.
func (s *Stream) Close() error { return s.finish(nil) }

// Fail ends the answer with an error: the caller has what was written and is
// told that it is not whole.
func (s *Stream) Fail(f *Failure) error {
	return s.finish(func(conn *wire.Conn) {
		conn.Header(headerErrorType, f.Type)
		conn.Header(headerErrorBody, base64.StdEncoding.EncodeToString(f.Body))
	})
}

func (s *Stream) finish(trailer func(*wire.Conn)) error {
	if err := s.s.Finish(trailer, &s.c.answer); err != nil {
		return &Error{Operation: "response", Err: err}
	}
	return accepted("response", &s.c.answer)
}

// Abort closes the connection in the middle of the answer, which the service
// takes for a runtime that has broken off.
func (s *Stream) Abort() { s.s.Abort() }
