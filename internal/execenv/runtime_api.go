package execenv

import (
	"slices"
	"time"

	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/telemetry"
)

// maxWaiters bounds what is remembered of connections that wait in next: a
// server has no more of them open than that, so some of so many have gone.
const maxWaiters = envapi.DefaultMaxConns

// Next implements envapi.Handler: the runtime is ready for an event.
func (e *Environment) Next(w *envapi.Waiter) *envapi.Error {
	if e.many != nil {
		return e.nextConcurrently(w)
	}
	e.mu.Lock()
	if e.life == nil {
		e.mu.Unlock()
		return envapi.ErrInternal // between two lives: whoever asks is not the runtime
	}
	if e.runtime == runtimeRunning {
		inv := e.inv
		if inv == nil {
			e.mu.Unlock()
			return envapi.ErrInternal
		}
		inv.handed++
		e.mu.Unlock()
		// Asked again while it runs: the same event once more. A connection
		// that is gone by now will ask again.
		_ = inv.deliverTo(w)
		return nil
	}
	if err := e.runtime.move(runtimeReady); err != nil {
		e.mu.Unlock()
		return err
	}
	if l := e.life; e.runtime == runtimeStarted && (l.unregistered > 0 || len(l.extensions) > 0 && !l.flushed) {
		early := l.unregistered > 0
		l.flushed = !early
		e.mu.Unlock()
		if early {
			l.awaitExtensions()
		} else {
			e.book.flush(e.cfg.Sandbox) // its first lines come before the end of its init
		}
		return e.Next(w)
	}
	if len(e.waiters) >= maxWaiters {
		e.waiters = slices.DeleteFunc(e.waiters, isGone)
	}
	before := e.runtime
	e.runtime = runtimeReady
	e.waiters = append(e.waiters, w)
	inv, undelivered := e.inv, e.undelivered
	switch before {
	case runtimeStarted, runtimeRestoring:
		e.life.runtimeIn, e.life.registrationClosed = true, true
		e.life.release = runtimeRelease(w.Client())
		e.life.endRestoreLocked(failure{})
		e.tellInitRuntimeDone(e.life, failure{})
		e.checkInitLocked(e.life)
	case runtimeResponseSent:
		// The phase stays Invoking until the invocation is reported.
		if inv != nil {
			inv.runtimeDone = true
		}
	}
	busy := e.life.busy()
	e.mu.Unlock()

	switch {
	case inv == nil:
	case before == runtimeResponseSent && busy:
		e.runtimeDone(inv) // the last extension's next ends the invocation
	case before == runtimeResponseSent:
		e.invocationDone(inv)
	case undelivered:
		e.deliver(inv)
	}
	return nil
}

func isGone(w *envapi.Waiter) bool {
	select {
	case <-w.Gone():
		return true
	default:
		return false
	}
}

// runtimeDone is called when the runtime has done with inv and extensions have
// not.
func (e *Environment) runtimeDone(inv *Invocation) {
	now := e.cfg.Clock.Now()
	if e.hub.Wants(telemetry.Function) {
		e.book.flush(e.cfg.Sandbox) // its lines come before
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.inv == inv && e.phase == phaseInvoking {
		e.tellRuntimeDoneLocked(inv, now, inv.reportStatus())
	}
}

// invocationDone is called when the runtime asks for the next event after it
// has answered inv.
func (e *Environment) invocationDone(inv *Invocation) {
	now := e.cfg.Clock.Now()
	e.book.flush(e.cfg.Sandbox)
	e.measureIfDue(inv, now)
	e.mu.Lock()
	if e.inv != inv || e.phase != phaseInvoking {
		e.mu.Unlock()
		return // it timed out just now
	}
	e.phase = phaseReady
	e.mu.Unlock()
	e.finish(inv, now, inv.reportStatus())
}

// answeredLocked moves the runtime to a state in which it answers the
// invocation with this id, which it returns, or the API's answer.
func (e *Environment) answeredLocked(id string, to runtimeState) (*Invocation, *envapi.Error) {
	if e.many != nil {
		return e.answeringLocked(id)
	}
	inv, apiErr := e.currentLocked(id)
	if apiErr == nil {
		apiErr = e.runtime.move(to)
	}
	if apiErr != nil {
		return nil, apiErr
	}
	e.runtime = to
	return inv, nil
}

// current returns the invocation with this id, or the API's answer.
func (e *Environment) currentLocked(id string) (*Invocation, *envapi.Error) {
	if e.inv == nil || e.undelivered || e.inv.Event.RequestID != id {
		return nil, envapi.ErrInvalidRequestID
	}
	return e.inv, nil
}

// Response implements envapi.Handler: the runtime begins to answer.
func (e *Environment) Response(id string, h envapi.Header) (envapi.Sink, *envapi.Error) {
	began := e.cfg.Clock.Now() // before the state says so
	e.mu.Lock()
	inv, apiErr := e.answeredLocked(id, runtimeResponding)
	if apiErr != nil {
		e.mu.Unlock()
		return nil, apiErr
	}
	mode, err := ParseFunctionResponseMode(h.ResponseMode, h.HasResponseMode)
	if err != nil {
		// The emulator leaves the runtime stuck here; ours may go on.
		e.mu.Unlock()
		e.answer(inv, platformFailure(id, errTypeResponseMode, "Invalid function response mode"))
		return nil, envapi.ErrInvalidResponseMode
	}
	e.mu.Unlock()
	inv.sink = responseSink{inv: inv, body: inv.Responder.Begin(h), streamed: mode == ResponseStreaming, measured: responseFigures{began: began}}
	return &inv.sink, nil
}

// InvocationError implements envapi.Handler: the function failed.
func (e *Environment) InvocationError(id string, h envapi.Header, body []byte) *envapi.Error {
	e.mu.Lock()
	inv, apiErr := e.answeredLocked(id, runtimeErrorPosted)
	if apiErr != nil {
		e.mu.Unlock()
		return apiErr
	}
	e.mu.Unlock()
	e.answer(inv, reportedError(h, body))
	return nil
}

// InitError implements envapi.Handler: the runtime or the function's
// initialisation failed.
func (e *Environment) InitError(h envapi.Header, body []byte) *envapi.Error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.life == nil {
		return envapi.ErrInternal
	}
	if e.runtime == runtimeRestoring {
		e.restoreFailedLocked(h, body)
		return nil
	}
	if err := e.runtime.move(runtimeInitError); err != nil {
		return err
	}
	e.runtime = runtimeInitError
	e.endInitLocked(e.life, reportedInitError(h, body))
	return nil
}

// answer makes o the outcome and then, if inv is still the one in flight,
// lets the runtime ask for its next event: who sees RuntimeResponseSentState
// also sees the outcome.
func (e *Environment) answer(inv *Invocation, o Outcome) {
	e.answerWith(inv, o, false)
}

// answerWith is answer; whole says that a complete response has been measured.
func (e *Environment) answerWith(inv *Invocation, o Outcome, whole bool) {
	if e.many != nil {
		r := report{status: telemetry.StatusSuccess}
		if o.FunctionError != "" {
			r = report{status: telemetry.StatusError, errType: o.ErrorType}
		}
		e.endConcurrent(inv, o, r, whole)
		return
	}
	inv.settle(o)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.inv == inv && (e.runtime == runtimeResponding || e.runtime == runtimeErrorPosted) {
		e.runtime = runtimeResponseSent
		inv.responded = whole
	}
}

// responseFigures are a response's times and size.
type responseFigures struct {
	began, over time.Time
	bytes       int64
	stream      *telemetry.StreamMetrics // nil but for a stream
}

// responseSink carries a response body to the invocation's responder.
type responseSink struct {
	inv      *Invocation
	body     Body
	streamed bool // the runtime said so

	measured responseFigures
}

func (s *responseSink) Write(p []byte) *envapi.Error {
	s.measured.bytes += int64(len(p))
	err := s.body.Write(p)
	if err == nil {
		return nil
	}
	s.body.Discard()
	o := tooLarge(s.body.Limit())
	if err == envapi.ErrInternal {
		o = platformFailure(s.inv.Event.RequestID, errTypeSandboxFailure, err.Message)
	}
	s.inv.life.env.answer(s.inv, o)
	return err
}

// Room implements envapi.Roomy, for a body that does.
func (s *responseSink) Room() []byte {
	if b, ok := s.body.(envapi.Roomy); ok {
		return b.Room()
	}
	return nil
}

// Filled implements envapi.Roomy.
func (s *responseSink) Filled(n int) {
	s.measured.bytes += int64(n)
	s.body.(envapi.Roomy).Filled(n) // it gave the room
}

func (s *responseSink) Finish(t envapi.Trailer) *envapi.Error {
	s.measured.over = s.inv.life.env.cfg.Clock.Now()
	if stream, ok := s.inv.Responder.(*Stream); ok {
		stream.ended(s.measured.over.Sub(s.measured.began))
		s.measured.stream = &telemetry.StreamMetrics{
			ProducedBytes: s.measured.bytes, ThroughputBps: int64(stream.Throughput()), TimeThrottled: stream.Throttled(),
		}
	}
	s.inv.life.env.answerWith(s.inv, s.body.Commit(t), true)
	return nil
}

func (s *responseSink) Abort(cause error) {
	s.body.Discard()
	grace := s.inv.life.env.cfg.Clock.NewTimer(s.inv.life.env.exitGrace)
	select {
	case <-s.inv.Answered():
		grace.Stop()
	case <-grace.C():
	}
	s.inv.life.env.cfg.Log.Debug("response was cut", "request", s.inv.Event.RequestID, "err", cause)
	s.inv.life.env.answer(s.inv, platformFailure(s.inv.Event.RequestID, errTypeTruncated, "HTTP request detected as truncated"))
}
