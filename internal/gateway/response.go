package gateway

import (
	"net/http"
	"time"
)

const (
	// freeBytes are what a connection's buffers take without the client
	// reading: below that, a write is not worth a deadline.
	freeBytes = 64 << 10
	// minRate is the slowest pace, in bytes a second, at which bodies may come
	// and answers may go, after a grace period.
	minRate = 16 << 10
)

// response notes what was answered, for the log and the metrics, and keeps a
// client that does not read its answer from holding the request for ever.
type response struct {
	http.ResponseWriter
	control   *http.ResponseController
	grace     time.Duration
	operation string
	status    int // 0 until the header is written
	bytes     int64
	deadline  bool // a write deadline is set
	leave     func() (done func())
}

// Later lets the handler return before it has answered, if done is not nil:
// the answer is then complete when done is called. Nothing that belongs to the
// request may be used after that.
func (w *response) Later() (done func()) { return w.leave() }

func newResponse(w http.ResponseWriter, grace time.Duration) *response {
	return &response{ResponseWriter: w, control: http.NewResponseController(w), grace: grace}
}

// Unwrap lets http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= 200 { // 1xx are not yet the answer
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.bytes+int64(len(p)) > freeBytes {
		w.setDeadline(len(p))
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// setDeadline gives the next n bytes their time. It is the client's pace that
// is bounded, not the answer's: a handler may pause between writes.
func (w *response) setDeadline(n int) {
	w.deadline = true
	// A writer without deadlines is a test's recorder, which never blocks.
	_ = w.control.SetWriteDeadline(time.Now().Add(w.grace + paced(int64(n))))
}

// finish makes the connection fit for its next request.
func (w *response) finish() {
	if w.deadline {
		_ = w.control.SetWriteDeadline(time.Time{})
	}
}

// paced is the time that n bytes take at minRate.
func paced(n int64) time.Duration { return time.Duration(n) * time.Second / minRate }
