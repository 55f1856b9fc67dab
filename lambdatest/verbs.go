package lambdatest

import (
	"time"

	"github.com/lambhq/lamb/internal/execenv"
)

// Why an environment did not do something; see errors.Is.
var (
	ErrClosed             = execenv.ErrClosed
	ErrBusy               = execenv.ErrBusy
	ErrIllegalMove        = execenv.ErrIllegalMove
	ErrReserved           = execenv.ErrReserved
	ErrUnknownReservation = execenv.ErrUnknownReservation
	ErrReservationExpired = execenv.ErrReservationExpired
	ErrWrongInvokeID      = execenv.ErrWrongInvokeID
	ErrRestoreHook        = execenv.ErrRestoreHook
	ErrRestoreHookTimeout = execenv.ErrRestoreHookTimeout
)

// Reason is why processes are ended, as extensions are told.
type Reason string

// The reasons.
const (
	Spindown Reason = execenv.ReasonSpindown
	Timeout  Reason = execenv.ReasonTimeout
	Failure  Reason = execenv.ReasonFailure
)

// Reservation is the right to run one invocation.
type Reservation = execenv.Reservation

// ResetResult is what a reset brought.
type ResetResult = execenv.ResetResult

// ShutdownResult is what a shutdown brought.
type ShutdownResult = execenv.ShutdownResult

// Reserve keeps the environment for the invocation with a request id, for a
// while or, if that is zero, the function's timeout: others are ErrReserved
// until then. Init comes first.
func (e *Environment) Reserve(requestID string, validFor time.Duration) (Reservation, error) {
	return e.engine.Reserve(requestID, validFor)
}

// Clear gives up a reservation that was not used.
func (e *Environment) Clear() error { return e.engine.Clear() }

// Reset ends every process for a reason, Timeout or Failure, as the platform
// does after those: an invocation in flight fails, and the next one runs the
// init again. It ends the test if the environment's phase does not allow it.
func (e *Environment) Reset(reason Reason) ResetResult {
	e.t.Helper()
	var r ResetResult
	var err error
	e.during("the reset", func() {
		r, err = e.engine.Reset(execenv.ResetRequest{Reason: string(reason), Deadline: e.shutdownDeadline()})
	})
	if err != nil {
		e.t.Fatalf("lambdatest: reset: %v", err)
	}
	return r
}

// shutdownDeadline is when processes are killed that are asked to end now.
func (e *Environment) shutdownDeadline() time.Time {
	if e.cfg.ShutdownTimeout == 0 {
		return time.Time{} // AWS's
	}
	return e.cfg.engineClock().Now().Add(e.cfg.ShutdownTimeout)
}

// during waits for something that the engine does.
func (e *Environment) during(what string, do func()) {
	e.t.Helper()
	done := make(chan struct{})
	e.wg.Go(func() {
		defer close(done)
		do()
	})
	e.await(what, done)
}

// Restore resumes an environment with Config.SnapStart after its init: it lets
// the runtime go on from restore/next and waits for the end of its hooks, for at
// most hookTimeout or, if that is zero, AWS's 10 s. The errors are ErrRestoreHook
// and ErrRestoreHookTimeout, after which the environment is of no use, and
// ErrIllegalMove.
func (e *Environment) Restore(hookTimeout time.Duration) (took time.Duration, err error) {
	e.t.Helper()
	e.Init()
	e.during("the restore", func() {
		var r execenv.RestoreResult
		r, err = e.engine.Restore(execenv.RestoreRequest{
			Credentials: execenv.Credentials{AccessKeyID: "test", SecretAccessKey: "test", SessionToken: "test"},
			HookTimeout: hookTimeout,
		})
		took = r.Duration
	})
	return took, err
}

// Shutdown ends the environment as Lambda does: SIGTERM for the runtime and
// SHUTDOWN for the extensions, with the reason spindown and AWS's time, where
// there are extensions; and closes it. An extension that is a Go program may
// also ask for its next event to say that it has ended.
func (e *Environment) Shutdown() ShutdownResult {
	e.t.Helper()
	var r ShutdownResult
	var err error
	e.during("the shutdown", func() { r, err = e.engine.Shutdown(e.shutdownDeadline()) })
	if err != nil {
		e.t.Fatalf("lambdatest: shutdown: %v", err)
	}
	return r
}

// ShutdownFor is Shutdown with another reason, as it comes before a reset.
func (e *Environment) ShutdownFor(reason Reason) ShutdownResult {
	e.t.Helper()
	if reason == Spindown {
		return e.Shutdown()
	}
	r := e.Reset(reason)
	e.Close()
	return ShutdownResult{Took: r.Took, ErrorType: r.ErrorType}
}

// Freeze stops the environment's processes, as Lambda does between invocations;
// an invocation thaws them. It ends the test if the environment is not idle.
func (e *Environment) Freeze() {
	e.t.Helper()
	if err := e.engine.Freeze(); err != nil {
		e.t.Fatalf("lambdatest: freeze: %v", err)
	}
}

// Thaw lets the processes of a frozen environment go on.
func (e *Environment) Thaw() {
	e.t.Helper()
	if err := e.engine.Thaw(); err != nil {
		e.t.Fatalf("lambdatest: thaw: %v", err)
	}
}
