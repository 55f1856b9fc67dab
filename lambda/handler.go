package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"sync"
)

// Handler takes events as they come, without decoding them.
//
// payload is valid until Invoke returns; the result may share memory with it.
// On managed instances several calls run at once.
type Handler interface {
	Invoke(ctx context.Context, payload []byte) ([]byte, error)
}

// BytesFunc is a function as a Handler. (A plain func([]byte) ([]byte, error)
// gets and gives JSON like all other types, which for bytes is a string in
// base64.)
type BytesFunc func(ctx context.Context, payload []byte) ([]byte, error)

// Invoke calls f.
func (f BytesFunc) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return f(ctx, payload)
}

// NewHandler makes a Handler of any function that Start takes: for middleware,
// which calls it and is itself given to Start. A function that Start would
// refuse gives a Handler that returns the reason with every call.
func NewHandler(handler any) Handler { return NewHandlerWithOptions(handler) }

// NewHandlerWithOptions is NewHandler with options. When the result itself is
// given to Start, its options hold, and not Start's.
func NewHandlerWithOptions(handler any, opts ...Option) Handler { return bind(handler, opts) }

// function is a handler in the one form that events are served with: it leaves
// its answer in r.
type function func(ctx context.Context, payload []byte, r *result) error

// bound is a handler with its options.
type bound struct {
	*options
	call    function
	invalid error     // why the handler cannot be called
	results sync.Pool // of *result, for Invoke
}

// bind resolves a handler's shape, once.
func bind(handler any, opts []Option) *bound {
	if b, ok := handler.(*bound); ok {
		return b
	}
	b := &bound{options: newOptions(opts)}
	b.call, b.invalid = resolve(handler, b.codec)
	if b.invalid != nil {
		b.call = func(context.Context, []byte, *result) error { return b.invalid }
	}
	return b
}

// Invoke makes bound a Handler.
func (b *bound) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	r, ok := b.results.Get().(*result)
	if !ok {
		r = newResult(b.codec)
	}
	defer b.results.Put(r)
	defer r.release()
	var streamed bytes.Buffer
	r.stream.open = func(string) (sink, error) { return collector{&streamed}, nil }
	if err := b.call(ctx, payload, r); err != nil {
		return nil, err
	}
	switch {
	case r.streamed:
		return streamed.Bytes(), nil
	case r.reader != nil:
		return io.ReadAll(r.reader)
	}
	return bytes.Clone(r.body), nil
}

// collector gathers a streamed answer.
type collector struct{ *bytes.Buffer }

func (collector) Close() error        { return nil }
func (collector) Fail(*failure) error { return nil } // Invoke returns the error
func (collector) Abort()              {}

// result is where a handler leaves its answer: a body, a reader, or what it
// has written to the stream. One result serves one event after the other.
type result struct {
	body        []byte
	contentType string
	reader      io.Reader
	streamed    bool
	stream      ResponseStream

	buffer  bytes.Buffer
	encoder *json.Encoder // into buffer
}

func newResult(c *codec) *result {
	r := &result{}
	r.encoder = c.newEncoder(&r.buffer)
	return r
}

const (
	contentTypeJSON  = "application/json"
	contentTypeBytes = "application/octet-stream"
	// largestKept is how much of a buffer stays from one event to the next, in
	// bytes: all that an answer can need.
	largestKept = 8 << 20
)

// release ends what the last event left, and closes its reader.
func (r *result) release() {
	if closer, ok := r.reader.(io.Closer); ok {
		_ = closer.Close() // the answer has been sent
	}
	r.body, r.contentType, r.reader, r.streamed = nil, "", nil, false
	r.stream = ResponseStream{}
	if r.buffer.Cap() > largestKept {
		r.buffer = bytes.Buffer{}
	}
}

// setReader makes the answer what a reader gives.
func (r *result) setReader(reader io.Reader) {
	r.reader, r.contentType = reader, contentTypeBytes
	if typed, ok := reader.(interface{ ContentType() string }); ok {
		r.contentType = typed.ContentType()
	}
}
