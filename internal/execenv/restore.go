package execenv

import (
	"errors"
	"fmt"
	"time"

	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/telemetry"
)

// DefaultRestoreHookTimeout is how long the after-restore hooks may take.
// https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
const DefaultRestoreHookTimeout = 10 * time.Second

var (
	// ErrRestoreHookTimeout: the after-restore hooks took too long.
	ErrRestoreHookTimeout = errors.New("after-restore hooks timed out")
	// ErrRestoreHook: an after-restore hook failed, or the runtime ended in it.
	ErrRestoreHook = errors.New("after-restore hook failed")
	// ErrMissingRestoreCredentials: there are no credentials to resume with.
	ErrMissingRestoreCredentials = errors.New("restore without credentials")
)

// RestoreHookError is what a failed restore says of itself. It is an
// ErrRestoreHook, or ErrRestoreHookTimeout.
type RestoreHookError struct {
	// Type is Runtime.RestoreHookUserError, Runtime.RestoreHookUserTimeout, or
	// the platform's type for a runtime that ended.
	Type string
	// Payload is what the runtime reported, or else the platform's JSON.
	Payload []byte
}

func (e *RestoreHookError) Error() string { return fmt.Sprintf("%s: %s", e.Type, e.Payload) }

// Is tells a timeout from other failures.
func (e *RestoreHookError) Is(target error) bool {
	if e.Type == errTypeRestoreTimeout {
		return target == ErrRestoreHookTimeout
	}
	return target == ErrRestoreHook
}

// RestoreRequest is what an environment is resumed with.
type RestoreRequest struct {
	// Credentials replace those that the environment was made with. Required,
	// all of them.
	Credentials Credentials
	// HookTimeout is DefaultRestoreHookTimeout when zero.
	HookTimeout time.Duration
}

// RestoreResult is what a restore took.
type RestoreResult struct {
	Duration time.Duration
}

// restoring is the state of one restore.
type restoring struct {
	waiter  *envapi.Waiter // the runtime's open call of restore/next
	done    chan struct{}  // closed when the hooks are over
	ended   bool           // done is closed
	failure failure        // valid then; without an errType they succeeded
}

// Restore resumes an environment whose init has come to its end and that waits
// for it (Initialization SnapStart): the credentials are replaced, the runtime
// is released from restore/next, and its hooks run until it asks for its first
// event. A runtime that never asked for restore/next has no hooks. After an
// init that failed there is nothing to resume, which is no error: the first
// invocation runs it again.
//
// Errors: ErrMissingRestoreCredentials, ErrIllegalMove, ErrClosed, and after
// ErrRestoreHook or ErrRestoreHookTimeout (*RestoreHookError) the environment
// is good for Close only.
func (e *Environment) Restore(r RestoreRequest) (RestoreResult, error) {
	if !r.Credentials.complete() {
		return RestoreResult{}, ErrMissingRestoreCredentials
	}
	if r.HookTimeout == 0 {
		r.HookTimeout = DefaultRestoreHookTimeout
	}
	e.mu.Lock()
	e.awaitIdleResetLocked()
	switch {
	case e.cfg.Initialization == SnapStart && e.phase == phaseNeedsInit:
		e.credentials = r.Credentials
		e.mu.Unlock()
		return RestoreResult{}, nil
	case e.phase != phaseRestoreReady:
		defer e.mu.Unlock()
		return RestoreResult{}, e.phase.illegal("Restore")
	}
	e.phase, e.credentials = phaseRestoring, r.Credentials
	l := e.life
	began := e.cfg.Clock.Now()
	e.wg.Add(1) // phase is not Closed, so Close has yet to wait
	e.mu.Unlock()
	defer e.wg.Done()

	e.tellRestoreStart(began)
	f := e.runHooks(l, r.HookTimeout)
	took := e.cfg.Clock.Now().Sub(began)
	e.tellRestoreEnd(l, f, took)
	if f.errType == "" {
		e.limitCPU(true)
	}

	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.phase != phaseRestoring:
		return RestoreResult{}, ErrClosed
	case f.errType != "":
		e.phase = phaseBroken
		e.failedLocked(f.errType)
		return RestoreResult{Duration: took}, &RestoreHookError{Type: f.errType, Payload: f.outcome("").Payload}
	}
	e.phase = phaseReady
	e.restoreDuration, e.reportRestore = took, true
	e.idleLocked(e.cfg.Clock.Now())
	e.wg.Go(e.measure)
	return RestoreResult{Duration: took}, nil
}

// runHooks lets the runtime run its after-restore hooks and waits for them.
func (e *Environment) runHooks(l *life, timeout time.Duration) failure {
	e.mu.Lock()
	w := l.restore.waiter
	if w == nil { // it has no hooks: it waits for an event already
		e.mu.Unlock()
		return failure{}
	}
	l.restore.waiter = nil
	e.runtime = runtimeRestoring
	e.mu.Unlock()
	limit := e.cfg.Clock.AfterFunc(timeout, func() {
		e.endRestore(l, failure{errType: errTypeRestoreTimeout, cause: fmt.Sprintf("after-restore hooks timed out after %.2f seconds", timeout.Seconds())})
	})
	defer limit.Stop()
	if err := w.DeliverRestored(); err != nil {
		e.endRestore(l, failure{errType: errTypeExit, cause: "Runtime exited without providing a reason"})
	}
	<-l.restore.done
	return l.restore.failure
}

func (e *Environment) endRestore(l *life, f failure) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l.endRestoreLocked(f)
}

func (l *life) endRestoreLocked(f failure) {
	if r := &l.restore; !r.ended {
		r.ended, r.failure = true, f
		close(r.done)
	}
}

// RestoreNext implements envapi.RestoreHandler: the runtime's init is over, and
// it can be stopped and resumed.
func (e *Environment) RestoreNext(w *envapi.Waiter) *envapi.Error {
	e.mu.Lock()
	l := e.life
	if l == nil {
		e.mu.Unlock()
		return envapi.ErrInternal
	}
	if err := e.runtime.move(runtimeRestoreReady); err != nil {
		e.mu.Unlock()
		return err
	}
	l.registrationClosed = true
	l.release = runtimeRelease(w.Client())
	if l.phase == telemetry.PhaseInvoke {
		// An init within an invocation is not stopped, so it is resumed at once.
		e.runtime = runtimeRestoring
		e.mu.Unlock()
		_ = w.DeliverRestored() // a runtime that has gone is noticed otherwise
		return nil
	}
	e.runtime = runtimeRestoreReady
	l.restore.waiter, l.runtimeIn = w, true
	e.tellInitRuntimeDone(l, failure{})
	e.checkInitLocked(l)
	e.mu.Unlock()
	return nil
}

// RestoreError implements envapi.RestoreHandler: an after-restore hook failed.
func (e *Environment) RestoreError(h envapi.Header, body []byte) *envapi.Error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.life == nil {
		return envapi.ErrInternal
	}
	if err := e.runtime.move(runtimeRestoreError); err != nil {
		return err
	}
	e.restoreFailedLocked(h, body)
	return nil
}

// restoreFailedLocked ends a restore by the runtime's own account.
func (e *Environment) restoreFailedLocked(h envapi.Header, body []byte) {
	e.runtime = runtimeRestoreError
	f := reportedInitError(h, body)
	f.errType = errTypeRestoreError
	if e.life.phase == telemetry.PhaseInvoke {
		e.endInitLocked(e.life, f)
		return
	}
	e.life.endRestoreLocked(f)
}

// Credentials implements envapi.CredentialsHandler.
func (e *Environment) Credentials(token string) ([]byte, bool) {
	if token == "" || token != e.cfg.CredentialsToken {
		return nil, false
	}
	e.refreshCredentials()
	e.mu.Lock()
	c := e.credentials
	e.mu.Unlock()
	return c.json(e.cfg.Clock.Now()), true
}

// refreshCredentials asks whoever makes the credentials for those of now. What
// cannot be had leaves the old ones.
func (e *Environment) refreshCredentials() {
	if e.cfg.Refresh == nil {
		return
	}
	c, err := e.cfg.Refresh(e.ctx)
	if err != nil {
		e.cfg.Log.Warn("credentials could not be renewed", "err", err)
		return
	}
	e.mu.Lock()
	e.credentials = c
	e.mu.Unlock()
}

func (e *Environment) tellRestoreStart(at time.Time) {
	v := e.cfg.Version
	e.tell.RestoreStart(at, telemetry.RestoreStart{
		FunctionName: v.Key.Name, FunctionVersion: v.Version,
		RuntimeVersion: e.run.Runtime, RuntimeVersionARN: e.run.RuntimeVersionARN,
		InstanceID: e.cfg.LogStream, InstanceMaxMemory: int64(e.run.MemoryMB) << 20,
	})
}

// tellRestoreEnd tells of a restore that is over, and of the init before it,
// which AWS reports together with it.
func (e *Environment) tellRestoreEnd(l *life, f failure, took time.Duration) {
	e.book.flush(e.cfg.Sandbox) // what the hooks have said comes before
	at := e.cfg.Clock.Now()
	e.tell.RestoreRuntimeDone(at, telemetry.RestoreRuntimeDone{Status: f.status(), ErrorType: f.reportedType()})
	e.tell.RestoreReport(at, telemetry.RestoreReport{Status: f.status(), ErrorType: f.reportedType(), Duration: took})
	e.tellInitReport(at, l, l.initTook)
	e.hub.CloseSubscriptions()
}

var (
	_ envapi.RestoreHandler     = (*Environment)(nil)
	_ envapi.CredentialsHandler = (*Environment)(nil)
)
