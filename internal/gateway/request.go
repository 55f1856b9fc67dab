package gateway

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/auth"
)

const (
	// discardedByServer is the rest of a body that net/http itself reads after
	// an answer to keep the connection.
	discardedByServer = 256 << 10
	// drainBytes and drainTime bound what is read, for nothing, of the body of
	// a refused request.
	drainBytes = 128 << 20
	drainTime  = 5 * time.Second
)

// request is one request on its way through the gateway.
type request struct {
	g     *Gateway
	w     *response
	r     *http.Request
	id    string
	start time.Time
	quiet bool // health and metrics: neither counted nor worth a log line
	body  *body
	// read is when the body had been read.
	read time.Time
	// counted says that the request is one of those in flight.
	counted bool
	// left says that the handler has returned and the answer comes later; it is
	// the handler's goroutine's own.
	left bool
}

// end is the last that is done for a request, when it has been answered.
func (rq *request) end() {
	if rq.body != nil {
		rq.body.close()
	}
	rq.account()
	rq.w.finish()
	if rq.counted {
		rq.g.metrics.inFlight.Dec()
	}
}

// leave makes the request one that is answered after its handler has returned,
// if the connection can do that.
func (rq *request) leave() (done func()) {
	d, ok := rq.w.ResponseWriter.(detacher)
	if !ok {
		return nil
	}
	rq.left = true
	finish := d.Detach()
	return func() {
		rq.end()
		finish()
	}
}

// detacher is what package front's connections can do.
type detacher interface{ Detach() (finish func()) }

// fail answers with err. What is not an error of the API is answered as a
// ServiceException, and logged. When the answer has begun, all that is left is
// to end the connection, so that nobody takes the answer for whole.
func (rq *request) fail(err error) {
	if refused := (*auth.Error)(nil); errors.As(err, &refused) {
		err = authError(refused)
	}
	begun := rq.w.status != 0
	if e := api.Error(nil); !errors.As(err, &e) && rq.r.Context().Err() == nil {
		level := slog.LevelError
		if begun {
			level = slog.LevelWarn // most likely a client that stopped reading
		}
		rq.g.cfg.Log.LogAttrs(rq.r.Context(), level, "request failed",
			slog.String("operation", rq.w.operation), slog.String("requestId", rq.id), slog.Any("error", err))
	}
	if begun {
		panic(http.ErrAbortHandler)
	}
	if rq.w.operation == logsOperation {
		writeLogsError(rq.w, err)
		return
	}
	api.WriteError(rq.w, rq.id, err)
}

// failUnread answers with err when (some of) the body has not been read. A
// client that is still sending sees the answer only if somebody goes on
// reading: closing now would reset the connection under it. One that waits
// for "100 Continue" has the answer instead, and hangs up.
func (rq *request) failUnread(err error) { rq.unread(func() { rq.fail(err) }) }

// unread is failUnread with any answer.
func (rq *request) unread(answer func()) {
	size := rq.r.ContentLength
	if size >= 0 && size <= discardedByServer {
		answer()
		return
	}
	// Without it, net/http reads from the body itself before it answers.
	fullDuplex := rq.w.control.EnableFullDuplex()
	rq.w.Header().Set("Connection", "close")
	answer()
	if fullDuplex != nil || rq.w.control.Flush() != nil {
		return
	}
	_ = rq.w.control.SetReadDeadline(time.Now().Add(min(drainTime, rq.g.cfg.Grace)))
	// However it ends, the connection is closed.
	_, _ = io.CopyN(io.Discard, rq.r.Body, drainBytes)
}

// closeInput removes what an input had spooled. The operation is over: its
// answer does not depend on it.
func (rq *request) closeInput(in io.Closer) {
	if err := in.Close(); err != nil {
		rq.g.cfg.Log.LogAttrs(rq.r.Context(), slog.LevelWarn, "spooled upload not removed",
			slog.String("operation", rq.w.operation), slog.String("requestId", rq.id), slog.Any("error", err))
	}
}

// recover turns a panic of a handler into a 500 or, when its answer has begun,
// into an end of the connection.
func (rq *request) recover() {
	cause := recover()
	if cause == nil {
		return
	}
	if cause != http.ErrAbortHandler {
		rq.g.cfg.Log.LogAttrs(rq.r.Context(), slog.LevelError, "handler panicked",
			slog.String("operation", rq.w.operation), slog.String("requestId", rq.id),
			slog.String("panic", fmt.Sprint(cause)), slog.String("stack", string(debug.Stack())))
		if rq.w.status == 0 {
			api.WriteError(rq.w, rq.id, api.NewService("An internal error occurred."))
			return
		}
	}
	panic(http.ErrAbortHandler)
}

// account counts and logs the answered request. Nothing of its headers or
// bodies is logged: they hold secrets.
func (rq *request) account() {
	status := rq.w.status
	if status == 0 {
		status = http.StatusOK // what net/http sends for a handler that wrote nothing
	}
	took := time.Since(rq.start)
	level := slog.LevelInfo
	if rq.quiet {
		level = slog.LevelDebug
	} else {
		rq.g.metrics.done(rq.w.operation, status, took)
	}
	if !rq.g.cfg.Log.Enabled(rq.r.Context(), level) {
		return
	}
	rq.g.cfg.Log.LogAttrs(rq.r.Context(), level, "request",
		slog.String("operation", rq.w.operation), slog.Int("status", status),
		slog.Int64("bytes", rq.w.bytes), slog.Duration("duration", took), slog.String("requestId", rq.id))
}

// authError is a refusal of package auth as an error of the API.
func authError(e *auth.Error) error {
	switch e.Type {
	case "MissingAuthenticationTokenException":
		return api.NewMissingAuthenticationToken("%s", e.Message)
	case "IncompleteSignatureException":
		return api.NewIncompleteSignature("%s", e.Message)
	case "InvalidSignatureException":
		return api.NewInvalidSignature("%s", e.Message)
	case "UnrecognizedClientException":
		return api.NewUnrecognizedClient("%s", e.Message)
	}
	return api.NewAccessDenied("%s", e.Message)
}
