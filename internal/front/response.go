package front

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// maxGather is how much of an answer is kept to be sent with its head, or to
// learn its length when the handler has not said it.
const maxGather = 16 << 10

// keptBuffer is the largest buffer that a connection keeps between requests.
const keptBuffer = 32 << 10

// response is the answer of one request; the next request's is the same
// variable. It implements http.ResponseWriter and what
// http.ResponseController asks for.
type response struct {
	c      *conn
	header http.Header
	out    []byte // not sent yet: the body's beginning, or the head and that
	status int    // 0: not yet said
	headed bool   // out began with the head, or it is sent
	length int64  // Content-Length as the handler said it; -1: it did not
	body   int64  // bytes of the body so far
	close  bool   // the connection ends with this answer
	err    error  // of a write
	// tryOnce makes send leave what would have to wait in rest.
	tryOnce bool
	rest    []byte
}

func (w *response) reset() {
	clear(w.header)
	out := w.out[:0]
	if cap(out) > keptBuffer {
		out = nil
	}
	*w = response{c: w.c, header: w.header, out: out}
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. Informational answers are not sent.
func (w *response) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return
	}
	w.status, w.length = status, -1
	if n, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		w.length = n
	}
	w.close = w.header.Get("Connection") == "close"
	if w.length >= 0 || !w.hasBody() {
		w.head()
	}
}

// hasBody reports whether an answer of this status has one.
func (w *response) hasBody() bool {
	return w.status != http.StatusNoContent && w.status != http.StatusNotModified
}

// head puts the head before what is gathered.
func (w *response) head() {
	body := w.out
	w.headed = true
	if !w.hasBody() {
		w.header.Del("Content-Length")
	} else if w.length >= 0 {
		w.header.Set("Content-Length", strconv.FormatInt(w.length, 10))
	}
	w.header["Date"] = w.c.s.date.header()
	if len(body) > 0 {
		w.out = make([]byte, 0, len(body)+1<<10)
	}
	w.out = append(w.out, "HTTP/1.1 "...)
	w.out = strconv.AppendInt(w.out, int64(w.status), 10)
	w.out = append(w.out, ' ')
	w.out = append(w.out, http.StatusText(w.status)...)
	w.out = append(w.out, "\r\n"...)
	_ = w.header.Write((*appender)(&w.out)) // never fails
	w.out = append(w.out, "\r\n"...)
	w.out = append(w.out, body...)
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	switch {
	case w.err != nil:
		return 0, w.err
	case !w.hasBody():
		return 0, http.ErrBodyNotAllowed
	case w.length >= 0 && w.body+int64(len(p)) > w.length:
		return 0, http.ErrContentLength
	}
	w.body += int64(len(p))
	if len(w.out)+len(p) <= maxGather {
		w.out = append(w.out, p...)
		return len(p), nil
	}
	if !w.headed { // of a length that nobody knows: the connection's end tells
		w.close = true
		w.header.Set("Connection", "close")
		w.head()
	}
	if w.err = w.c.writeBoth(w.out, p); w.err != nil {
		return 0, w.err
	}
	w.out = w.out[:0]
	return len(p), nil
}

func (w *response) send(p []byte) {
	switch {
	case w.err != nil || len(p) == 0:
	case w.tryOnce:
		var n int
		n, w.err = w.c.tryWrite(p)
		w.rest = p[n:]
	default:
		w.err = w.c.write(p)
	}
}

// finish sends what is left. An error means that the connection has to end.
func (w *response) finish() error {
	w.WriteHeader(http.StatusOK)
	if !w.headed {
		w.length = w.body
		w.head()
	}
	w.send(w.out)
	w.out = w.out[:0]
	if w.err == nil && w.length >= 0 && w.hasBody() && w.body < w.length {
		w.err = errors.New("the handler wrote less than it said")
	}
	return w.err
}

// FlushError implements what http.ResponseController.Flush asks for.
func (w *response) FlushError() error {
	w.WriteHeader(http.StatusOK)
	if !w.headed { // its length is not known, and will not be
		w.close = true
		w.header.Set("Connection", "close")
		w.head()
	}
	w.send(w.out)
	w.out = w.out[:0]
	return w.err
}

// Detach lets the handler return before it has answered. The answer may then be
// written from any goroutine, up to the call of finish, which must come. The
// request's body has been read to its end.
func (w *response) Detach() (finish func()) {
	w.c.detached = true
	return w.c.finishDetached
}

// EnableFullDuplex says that the body may be read after the answer has begun:
// here it always may.
func (w *response) EnableFullDuplex() error { return nil }

// SetReadDeadline sets the deadline of the reads of the body to come.
func (w *response) SetReadDeadline(t time.Time) error {
	w.c.in.want = t
	return nil
}

// SetWriteDeadline sets the deadline of writing the answer.
func (w *response) SetWriteDeadline(t time.Time) error { return w.c.setWriteDeadline(t) }

// appender is a slice that header lines are written to.
type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

func (a *appender) WriteString(s string) (int, error) {
	*a = append(*a, s...)
	return len(s), nil
}
