package execenv

import (
	"fmt"
	"time"

	"github.com/lambhq/lamb/internal/telemetry"
)

// InitResult is how an init ended.
type InitResult struct {
	Duration time.Duration
	// Err is nil, or why it failed: a *FailureError. The first invocation runs
	// the init again.
	Err error
	// Payload is what the runtime itself has told of the failure, if it did.
	Payload []byte
	// Extensions are the names of those that have registered, RuntimeRelease
	// names the runtime's client of the Runtime API, and Subscriptions counts
	// what extensions asked of the Telemetry and Logs APIs.
	Extensions     []string
	RuntimeRelease string
	Subscriptions  Subscriptions
}

// initResult describes an init that is over.
func (l *life) initResult(took time.Duration) InitResult {
	s := l.summary()
	r := InitResult{Duration: took, Extensions: s.extensions, RuntimeRelease: s.release, Subscriptions: s.subscriptions}
	if f := l.failure; f.errType != "" {
		r.Err, r.Payload = f.err(), f.body
	}
	return r
}

// err is the failure as a Go error.
func (f failure) err() error {
	return &FailureError{Type: f.errType, Message: f.cause}
}

// The reasons of a reset, or of a shutdown, as extensions see them.
const (
	ReasonSpindown = "spindown"
	ReasonTimeout  = "timeout"
	ReasonFailure  = "failure"
)

// ending is how the processes of a life are to end.
type ending struct {
	reason string
	// deadline is when they are killed; zero gives them what AWS does.
	deadline time.Time
}

// ResetRequest asks for a reset.
type ResetRequest struct {
	// Reason is ReasonTimeout or ReasonFailure; empty is ReasonFailure.
	Reason string
	// Deadline is when processes are killed that have not ended by themselves,
	// by the environment's clock. When zero they have what AWS gives them:
	// nothing without extensions, 500 ms with internal ones only, and 2 s with
	// external ones.
	Deadline time.Time
}

// ResetResult is what a reset brought.
type ResetResult struct {
	// Took is how long the processes took to end.
	Took time.Duration
	// ErrorType is the first fatal error of the life that was ended, or
	// Sandbox.Timedout or Sandbox.Failure after the reason.
	ErrorType string
	// Record is that of the invocation that was cut off, or nil.
	Record *Record
}

// Reset ends every process and leaves the environment in need of an init; /tmp
// is kept. An invocation in flight is answered with Sandbox.Timedout or
// Sandbox.Failure. Errors: ErrIllegalMove (before or in an init outside of an
// invocation), ErrClosed, and ErrPlatform when the sandbox could not be reset,
// which is then good for Close only.
func (e *Environment) Reset(r ResetRequest) (ResetResult, error) {
	end := ending{reason: r.Reason, deadline: r.Deadline}
	if end.reason == "" {
		end.reason = ReasonFailure
	}
	f := failure{errType: errTypeSandboxFailure, cause: "reset"}
	if end.reason == ReasonTimeout {
		f = failure{errType: errTypeTimeout, cause: "reset after a timeout"}
	}
	e.mu.Lock()
	e.awaitIdleResetLocked()
	result := ResetResult{ErrorType: f.errType}
	if e.fatal != "" {
		result.ErrorType = e.fatal
	}
	began := e.cfg.Clock.Now()
	switch {
	case e.many != nil: // it is replaced, not reset
		defer e.mu.Unlock()
		return ResetResult{}, e.phase.illegal("Reset")
	case e.phase == phaseNeedsInit:
		e.mu.Unlock()
		return result, nil
	case e.phase == phaseInvoking:
		inv := e.inv
		e.cutLocked(inv, f, end)
		<-inv.Finished() // Close may have been quicker
		record := inv.Record()
		result.Record, result.Took = &record, record.ExtensionsReset
	case e.phase == phaseReady:
		e.resetIdleLocked(end)
		e.mu.Unlock()
		result.Took = e.cfg.Clock.Now().Sub(began)
	default:
		defer e.mu.Unlock()
		return ResetResult{}, e.phase.illegal("Reset")
	}
	if e.State().Phase == phaseBroken.String() {
		return result, fmt.Errorf("%w: the sandbox could not be reset", ErrPlatform)
	}
	return result, nil
}

// cutLocked ends an invocation in flight with a failure, and resets. It unlocks
// mu.
func (e *Environment) cutLocked(inv *Invocation, f failure, end ending) {
	e.phase = phaseResetting
	e.failedLocked(f.errType)
	e.wg.Add(1) // phase is not Closed, so Close has yet to wait
	l := e.life
	initialising := l != nil && !l.ended
	if initialising {
		e.endInitLocked(l, f)
	}
	e.mu.Unlock()
	defer e.wg.Done()

	inv.settle(platformFailure(inv.Event.RequestID, f.errType, f.cause))
	if initialising {
		e.tellInitEnd(l, min(e.cfg.Clock.Now().Sub(inv.started), e.timeout(inv)))
	}
	e.tellFault(inv, f)
	e.measure()
	e.resetAndFinish(inv, end, report{status: f.status(), errType: f.reportedType()})
}

// reportedType is the failure's type as reports have it, which a timeout has
// not: the status says it.
func (f failure) reportedType() string {
	if f.status() == telemetry.StatusTimeout {
		return ""
	}
	return f.errType
}

// ShutdownResult is what a shutdown brought.
type ShutdownResult struct {
	// Took is how long the processes took to end.
	Took time.Duration
	// ErrorType is the first fatal error of the life that was ended, or empty.
	ErrorType string
}

// Shutdown ends every process, waits for all that the environment does, and
// closes it. Extensions get the reason spindown, and until the deadline, by the
// environment's clock; when that is zero, what AWS gives them (see
// ResetRequest). An invocation in flight is answered with Sandbox.Failure. Only
// the first call, of Shutdown and Close, does anything; the others wait for it
// and have its result.
func (e *Environment) Shutdown(deadline time.Time) (ShutdownResult, error) {
	e.closeOnce.Do(func() {
		e.closeErr = e.close(ending{reason: ReasonSpindown, deadline: deadline})
	})
	return e.closed, e.closeErr
}

// Close is Shutdown with AWS's time.
func (e *Environment) Close() error {
	_, err := e.Shutdown(time.Time{})
	return err
}
