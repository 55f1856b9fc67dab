package execenv

import (
	"sync"

	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/poison"
)

// Responder makes what takes a response body. Buffered is one; a live
// stream to the caller is another.
type Responder interface {
	// Begin is called when the runtime begins a response.
	Begin(h envapi.Header) Body
}

// Body takes one response. Its methods are called by one goroutine: any
// number of Write, then exactly one of Commit and Discard.
type Body interface {
	// Write takes the next bytes, which it does not keep. An error ends the
	// body: it is the answer to the runtime, and Discard follows.
	Write(p []byte) *envapi.Error
	// Commit ends a complete body and gives the outcome, which may yet be
	// released unused when the invocation has been settled otherwise.
	Commit(t envapi.Trailer) Outcome
	// Discard forgets the body.
	Discard()
}

// Buffered holds the whole response, up to envapi.MaxPayload: status,
// function error and size are known before the caller gets its first byte.
type Buffered struct{}

// Begin implements Responder.
func (Buffered) Begin(h envapi.Header) Body {
	b := &bufferedBody{contentType: h.ContentType, buf: bufferPool.Get().(*[]byte)}
	if h.ContentLength > int64(cap(*b.buf)) && h.ContentLength <= envapi.MaxPayload {
		*b.buf = make([]byte, 0, h.ContentLength)
	}
	return b
}

// bufferPool holds response buffers. A buffer belongs to exactly one body,
// then to the outcome that it became, and returns here when that is released.
var bufferPool = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

// maxPooled bounds what an idle buffer may keep: larger ones are left to the
// garbage collector, so a burst of 6 MB answers does not stay in memory.
const maxPooled = 256 << 10

type bufferedBody struct {
	contentType string
	buf         *[]byte
}

func (b *bufferedBody) Write(p []byte) *envapi.Error {
	if len(*b.buf)+len(p) > envapi.MaxPayload {
		return envapi.ErrPayloadTooLarge
	}
	*b.buf = append(*b.buf, p...)
	return nil
}

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

func recycle(buf *[]byte) {
	if poisoned {
		poison.Fill((*buf)[:cap(*buf)])
	}
	if cap(*buf) > maxPooled {
		return
	}
	*buf = (*buf)[:0]
	bufferPool.Put(buf)
}

// poisoned: every buffer is overwritten when it is released, so that a test
// sees any use after that. Tests switch it on before they start anything.
var poisoned = poison.Always
