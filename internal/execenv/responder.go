package execenv

import (
	"github.com/lambhq/lamb/internal/envapi"
)

// Responder makes what takes a response body: Buffered keeps it, a Stream
// hands it on while it comes.
type Responder interface {
	// Begin is called when the runtime begins a response.
	Begin(h envapi.Header) Body
	// Settled is called when the invocation has its outcome, with or without a
	// response, and before anybody is told. A body may still be written to.
	Settled()
}

// Body takes one response. Its methods are called by one goroutine: any
// number of Write, then exactly one of Commit and Discard.
type Body interface {
	// Write takes the next bytes, which it does not keep. An error ends the
	// body: it is the answer to the runtime, and Discard follows. It says that
	// they are more than Limit, or is envapi.ErrInternal: the body is lost.
	Write(p []byte) *envapi.Error
	// Limit is the most bytes that the body may have.
	Limit() int64
	// Commit ends a complete body and gives the outcome, which may yet be
	// released unused when the invocation has been settled otherwise.
	Commit(t envapi.Trailer) Outcome
	// Discard forgets the body.
	Discard()
}

// Buffered holds the whole response: status, function error and size are known
// before the caller gets its first byte.
type Buffered struct {
	// MaxPayload is the most bytes that a response may have: envapi.MaxPayload
	// when zero, which is also the most that it can be.
	MaxPayload int
}

// limit is MaxPayload with its default.
func (b Buffered) limit() int {
	if b.MaxPayload == 0 {
		return envapi.MaxPayload
	}
	return b.MaxPayload
}

// check refuses a limit that cannot be kept.
func (b Buffered) check() error {
	if b.MaxPayload < 0 || b.MaxPayload > envapi.MaxPayload {
		return ErrInvalidPayloadLimit
	}
	return nil
}

// Begin implements Responder.
func (b Buffered) Begin(h envapi.Header) Body {
	size, limit := 0, b.limit()
	if h.ContentLength > 0 && h.ContentLength <= int64(limit) {
		size = int(h.ContentLength)
	}
	return &bufferedBody{contentType: h.ContentType, buf: newBuffer(size), limit: limit}
}

// Settled implements Responder.
func (Buffered) Settled() {}

type bufferedBody struct {
	contentType string
	buf         *[]byte
	limit       int
}

func (b *bufferedBody) Limit() int64 { return int64(b.limit) }

func (b *bufferedBody) Write(p []byte) *envapi.Error {
	if len(*b.buf)+len(p) > b.limit {
		if b.limit == envapi.MaxPayload {
			return envapi.ErrPayloadTooLarge
		}
		return envapi.PayloadTooLarge(int64(b.limit))
	}
	if len(*b.buf)+len(p) > cap(*b.buf) {
		bigger := newBuffer(len(*b.buf) + len(p))
		*bigger = append(*bigger, *b.buf...)
		recycle(b.buf)
		b.buf = bigger
	}
	*b.buf = append(*b.buf, p...)
	return nil
}

// Room implements envapi.Roomy. What is over the limit comes by Write.
func (b *bufferedBody) Room() []byte { return (*b.buf)[len(*b.buf):min(cap(*b.buf), b.limit)] }

// Filled implements envapi.Roomy.
func (b *bufferedBody) Filled(n int) { *b.buf = (*b.buf)[:len(*b.buf)+n] }

func (b *bufferedBody) Commit(t envapi.Trailer) Outcome {
	if t.ErrorType != "" {
		b.Discard()
		return trailerError(t)
	}
	buf := b.buf
	b.buf = nil
	return Outcome{Payload: *buf, ContentType: b.contentType, pooled: buf}
}

func (b *bufferedBody) Discard() {
	recycle(b.buf)
	b.buf = nil
}
