package envapi

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// Why an event was not delivered. In every case the runtime did not get it.
var (
	// ErrGone: the connection closed before the event was written.
	ErrGone = errors.New("envapi: the runtime's waiting connection is gone")
	// ErrAnswered: the waiter has been answered before.
	ErrAnswered = errors.New("envapi: the waiting connection has already been answered")
)

// maxOneWrite is the largest event that is copied behind its headers and sent
// with one write; larger ones go out by writev, uncopied.
const maxOneWrite = 16 << 10

type waiterState uint8

// waiting ──Deliver, Fail──▶ answered
//
//	│ └────write failed───▶ gone
//	└──────peer closed────▶ gone
const (
	waiting waiterState = iota
	answered
	gone
)

// Waiter is one runtime's open next call. It is used for one answer only:
// every next call has a Waiter of its own, so that a late call cannot reach
// the connection's next one.
type Waiter struct {
	c         *conn
	http10    bool
	keepAlive bool

	// mu is held while the answer is written: the connection's goroutine,
	// which takes it after every read, cannot go on to the next request
	// before the answer is out.
	mu        sync.Mutex
	state     waiterState   // guarded by mu
	pipelined bool          // guarded by mu: bytes of a further request are buffered
	kicked    bool          // guarded by mu: the blocked read was interrupted
	id        string        // guarded by mu: the delivered request id
	onGone    func()        // guarded by mu
	goneCh    chan struct{} // guarded by mu; made when asked for, closed when gone
}

// Client is what the request says of its sender: User-Agent and
// Lambda-Runtime-Features. It is for Handler.Next, before that returns.
func (w *Waiter) Client() (userAgent, features string) {
	return string(w.c.req.userAgent), string(w.c.req.features)
}

// Deliver writes the event into the waiting connection, on the caller's
// goroutine. An error means that the event was not taken: ErrGone (wrapped,
// when a write failed or a runtime that does not read timed out; the
// connection is then closed) or ErrAnswered. It may block while the runtime
// reads a large event slowly; closing the server or ending the process makes
// it return. The runtime can be so quick that its response reaches the
// handler before Deliver returns.
func (w *Waiter) Deliver(e *Event) error {
	return w.answer(e.RequestID, func() error { return w.writeEvent(e) })
}

// answer writes an answer, once; id is what the next request may repeat.
func (w *Waiter) answer(id string, write func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.usable(); err != nil {
		return err
	}
	if err := write(); err != nil {
		return w.failed(err)
	}
	w.id = id
	w.done()
	return nil
}

func (w *Waiter) writeEvent(e *Event) error {
	pool := w.c.s.cfg.Buffers
	size := e.headSize() + len(e.Body)
	if size > maxOneWrite {
		buf := pool.get(smallBuffer)
		defer pool.put(buf)
		return w.c.writeBoth(appendEvent(buf.b[:0], w, e), e.Body)
	}
	buf := pool.get(size)
	defer pool.put(buf)
	return w.c.write(append(appendEvent(buf.b[:0], w, e), e.Body...))
}

// Fail answers the next call with an error instead of an event. Nothing
// happens if the connection is gone or was answered.
func (w *Waiter) Fail(e *Error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.usable() != nil {
		return
	}
	if err := w.c.write(appendError(nil, e, answerOptions{http10: w.http10, keepAlive: w.keepAlive})); err != nil {
		_ = w.failed(err)
		return
	}
	w.done()
}

// Gone returns a channel that is closed when the connection has gone away
// unanswered, be it that Deliver found out.
func (w *Waiter) Gone() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.goneCh == nil {
		w.goneCh = make(chan struct{})
		if w.state == gone {
			close(w.goneCh)
		}
	}
	return w.goneCh
}

// OnGone has f called when the connection goes away before Deliver or Fail
// was called: at most once, on the connection's goroutine, without locks held.
// Register it in Handler.Next: f cannot run before Next has returned, so that
// the handler may hold its own lock there. It costs less than Gone, whose
// channel somebody has to wait on.
func (w *Waiter) OnGone(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onGone = f
}

// refused ends the waiter of a next call that the handler did not take; it
// reports whether the refusal can be answered, which it cannot if the handler
// answered it all the same.
func (w *Waiter) refused() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state != waiting {
		return false
	}
	w.lost()
	return true
}

func (w *Waiter) usable() error {
	switch w.state {
	case answered:
		return ErrAnswered
	case gone:
		return ErrGone
	}
	return nil
}

// lost makes the waiter gone. The lock is held.
func (w *Waiter) lost() {
	w.state = gone
	if w.goneCh != nil {
		close(w.goneCh)
	}
}

// failed ends the connection after an unsuccessful write: how much of the
// answer went out is unknown, so nothing may follow it.
func (w *Waiter) failed(err error) error {
	w.lost()
	_ = w.c.nc.Close()
	return fmt.Errorf("%w: %w", ErrGone, err)
}

// done marks the answer as written. The connection's goroutine is blocked in
// a read; it needs a push if there is something to do before more bytes come.
func (w *Waiter) done() {
	w.state = answered
	if w.pipelined || !w.keepAlive {
		w.kicked = true
		w.c.setReadDeadline(longAgo)
	}
}

// arrived is told what a read during the wait brought. It reports whether the
// wait is over, and if so whether the connection can go on.
func (w *Waiter) arrived(err error) (over, alive bool) {
	w.mu.Lock()
	switch {
	case w.state == answered:
		kicked := w.kicked
		w.mu.Unlock()
		// The deadline that interrupted the read ends with the next head.
		return true, err == nil || kicked && isTimeout(err)
	case w.state == gone: // a failed write; the one who wrote knows
		w.mu.Unlock()
		return true, false
	case err == nil:
		w.pipelined = true
		w.mu.Unlock()
		return false, true
	}
	w.lost()
	f := w.onGone
	w.mu.Unlock()
	if f != nil {
		f()
	}
	return true, false
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// headSize is an upper bound of what appendEvent appends.
func (e *Event) headSize() int {
	const names = 512 // the status line, all names, two numbers
	return names + len(e.RequestID) + len(e.InvokedARN) + len(e.TraceID) + len(e.ClientContext) +
		len(e.CognitoIdentity) + len(e.TenantID) + len(e.ContentType)
}

// appendEvent appends the status line and headers of an event.
func appendEvent(b []byte, w *Waiter, e *Event) []byte {
	b = appendStatus(b, 200, w.http10)
	ct := e.ContentType
	if ct == "" {
		ct = jsonType
	}
	b = appendHeader(b, "Content-Type", ct)
	b = appendHeader(b, "Lambda-Runtime-Aws-Request-Id", e.RequestID)
	if e.DeadlineMs != 0 {
		b = append(b, "Lambda-Runtime-Deadline-Ms: "...)
		b = strconv.AppendInt(b, e.DeadlineMs, 10)
		b = append(b, "\r\n"...)
	}
	b = appendHeader(b, "Lambda-Runtime-Invoked-Function-Arn", e.InvokedARN)
	b = appendHeader(b, "Lambda-Runtime-Trace-Id", e.TraceID)
	b = appendHeader(b, "Lambda-Runtime-Client-Context", e.ClientContext)
	b = appendHeader(b, "Lambda-Runtime-Cognito-Identity", e.CognitoIdentity)
	b = appendHeader(b, "Lambda-Runtime-Aws-Tenant-Id", e.TenantID)
	return appendEnd(b, len(e.Body), w.http10, w.keepAlive)
}
