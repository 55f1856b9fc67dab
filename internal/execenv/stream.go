package execenv

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lambhq/lamb/internal/envapi"
)

// MaxStream is the largest response of a stream, in bytes: 200 MB.
const MaxStream = 200 << 20

const (
	// streamBuffer is how much of a response lies between the runtime and the
	// caller. A runtime that is further ahead waits.
	streamBuffer = 64 << 10
	// maxPieces is how many pieces are told apart in there; further ones grow
	// the last.
	maxPieces = 64
)

// Stream is a Responder whose response is read while the runtime writes it. It
// is for one invocation. One goroutine writes, the connection's that brings
// the response, and another one reads, the caller's: neither holds up more
// than the other one. A runtime that writes faster than is read waits for the
// reader, until the invocation has its outcome.
type Stream struct {
	// more and room have a token when the reader, or the writer, should look
	// again.
	more, room chan struct{}

	throttled atomic.Int64 // nanoseconds

	mu     sync.Mutex
	header envapi.Header
	begun  bool
	ring   *[]byte       // nil before the response begins and after the last read
	start  int           // of the unread bytes in ring
	size   int           // of the unread bytes
	taken  int64         // bytes that the runtime has sent
	took   time.Duration // from the first to the last of them
	pieces []int         // sizes of the unread pieces
	over   bool          // the invocation has its outcome: nothing more is taken
	left   bool          // nobody reads any more: what comes is dropped
}

// NewStream makes a Stream.
func NewStream() *Stream {
	return &Stream{more: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// Begin implements Responder.
func (s *Stream) Begin(h envapi.Header) Body {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.header, s.begun = h, true
	if !s.left {
		s.ring = newBuffer(streamBuffer)
	}
	wake(s.more)
	return streamBody{s}
}

// Settled implements Responder: the reader gets what is there and then the
// end, and a writer that waits goes on.
func (s *Stream) Settled() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	wake(s.more)
	wake(s.room)
}

// Begun waits until the response has begun, and gives its headers, or until
// the invocation has its outcome without one, or done is closed.
func (s *Stream) Begun(done <-chan struct{}) (h envapi.Header, ok bool) {
	for {
		s.mu.Lock()
		h, ok, over := s.header, s.begun, s.over
		s.mu.Unlock()
		if ok || over {
			return h, ok
		}
		select {
		case <-s.more:
		case <-done:
			return h, false
		}
	}
}

// Peek waits for the next piece of the response, which is valid until Advance.
// A piece is what the runtime sent at once, as far as it has come and there was
// room for it. The error is io.EOF at the end, whatever the outcome, and
// io.ErrClosedPipe when done was closed first.
func (s *Stream) Peek(done <-chan struct{}) ([]byte, error) {
	for {
		s.mu.Lock()
		p := s.pieceLocked()
		over := s.over
		s.mu.Unlock()
		switch {
		case len(p) > 0:
			return p, nil
		case over:
			return nil, io.EOF
		}
		select {
		case <-s.more:
		case <-done:
			return nil, io.ErrClosedPipe
		}
	}
}

// Unread is the size of the piece that Peek would give without waiting.
func (s *Stream) Unread() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pieceLocked())
}

func (s *Stream) pieceLocked() []byte {
	if s.size == 0 || s.ring == nil {
		return nil
	}
	b := (*s.ring)[:cap(*s.ring)]
	return b[s.start:min(s.start+s.pieces[0], len(b))]
}

// Advance says that the first n bytes of the piece have been read.
func (s *Stream) Advance(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start = (s.start + n) % cap(*s.ring)
	s.size -= n
	if s.pieces[0] -= n; s.pieces[0] == 0 {
		s.pieces = append(s.pieces[:0], s.pieces[1:]...)
	}
	if s.size == 0 {
		s.start = 0
	}
	wake(s.room)
}

// Leave says that nobody reads any more, be it that all has been read; the
// runtime does not notice. Peek must not be called after it, and what it gave
// not be used.
func (s *Stream) Leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = true
	s.size, s.pieces = 0, nil
	if s.ring != nil {
		recycle(s.ring)
		s.ring = nil
	}
	wake(s.room)
}

// Taken is how many bytes the runtime has sent so far.
func (s *Stream) Taken() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

// ended says how long the runtime has taken from its first byte to the last.
func (s *Stream) ended(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took = took
}

// Throughput is the bytes a second of a response that has come to its end,
// otherwise zero.
func (s *Stream) Throughput() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.took <= 0 {
		return 0
	}
	return float64(s.taken) / s.took.Seconds()
}

// AddThrottled counts time for which the reader waited to keep a bandwidth.
func (s *Stream) AddThrottled(d time.Duration) { s.throttled.Add(int64(d)) }

// Throttled is the time that AddThrottled has counted.
func (s *Stream) Throttled() time.Duration { return time.Duration(s.throttled.Load()) }

// streamBody is the writer's side.
type streamBody struct{ s *Stream }

func (b streamBody) Limit() int64 { return MaxStream }

func (b streamBody) Write(p []byte) *envapi.Error {
	s := b.s
	s.mu.Lock()
	allowed := p[:min(int64(len(p)), MaxStream-s.taken)]
	s.taken += int64(len(allowed))
	s.mu.Unlock()
	for rest := allowed; len(rest) > 0; {
		n := s.put(rest, len(rest) < len(allowed))
		if rest = rest[n:]; len(rest) > 0 {
			<-s.room
		}
	}
	if len(allowed) < len(p) {
		return errStreamTooLarge
	}
	return nil
}

// put takes what there is room for, and everything when nobody wants it. What
// goes on with a piece is put with it, as long as that is unread.
func (s *Stream) put(p []byte, goesOn bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.left {
		return len(p)
	}
	b := (*s.ring)[:cap(*s.ring)]
	n := min(len(p), len(b)-s.size)
	if n == 0 {
		return 0
	}
	at := (s.start + s.size) % len(b)
	copy(b, p[copy(b[at:], p[:n]):n])
	if last := len(s.pieces) - 1; last >= 0 && (goesOn || len(s.pieces) == maxPieces) {
		s.pieces[last] += n
	} else {
		s.pieces = append(s.pieces, n)
	}
	s.size += n
	wake(s.more)
	return n
}

func (b streamBody) Commit(t envapi.Trailer) Outcome {
	if t.ErrorType != "" {
		return trailerError(t)
	}
	return Outcome{ContentType: b.s.header.ContentType}
}

// Discard has nothing to forget: what was written is the reader's.
func (b streamBody) Discard() {}

var errStreamTooLarge = &envapi.Error{
	Status: envapi.ErrPayloadTooLarge.Status, Type: envapi.ErrPayloadTooLarge.Type,
	Message: fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", MaxStream),
}

// wake puts a token into a channel that has room for one.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
