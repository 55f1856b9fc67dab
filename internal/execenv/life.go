package execenv

import (
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/telemetry"
)

// life is one life of the environment's processes, from their start to their
// end.
type life struct {
	env *Environment
	// started is closed when the sandbox has nothing more to do with the
	// processes' start, be it that it failed.
	started chan struct{}
	// done is closed when init has ended; failure is then valid, and its
	// errType is empty when init succeeded.
	done    chan struct{}
	failure failure
	phase   telemetry.Phase // where its init runs
	endOnce sync.Once       // of endProcesses

	tellOnce sync.Once // of tellInitEnd

	// The rest is guarded by Environment.mu.
	ended     bool         // done is closed
	proc      sandbox.Proc // the runtime; nil before it has been started
	runtimeIn bool         // the runtime has asked for its first event
	flushed   bool         // what the runtime wrote before that has been taken
	// toldRuntimeDone: subscribers know how the runtime's init ended.
	toldRuntimeDone bool
	release         string // of the runtime, see runtimeRelease
	subscriptions   Subscriptions
	restore         restoring
	initTook        time.Duration // of an init that is reported later
	// extensions are the external ones in the order of their start, then the
	// internal ones in the order of their registration.
	extensions []*extension
	// unregistered counts the external ones that have yet to register;
	// registered is closed when there is none.
	unregistered       int
	registered         chan struct{}
	registrationClosed bool
}

// busy reports whether an extension has an event.
func (l *life) busy() bool {
	for _, x := range l.extensions {
		if x.invoke && x.busy() && !x.failed() {
			return true
		}
	}
	return false
}

// ready reports whether every extension has asked for its first event.
func (l *life) ready() bool {
	for _, x := range l.extensions {
		if x.state != extensionReady && x.state != extensionRunning {
			return false
		}
	}
	return true
}

// beginLifeLocked prepares the state for new processes.
func (e *Environment) beginLifeLocked(phase telemetry.Phase) *life {
	l := &life{
		env: e, phase: phase, started: make(chan struct{}), done: make(chan struct{}),
		unregistered: len(e.cfg.Extensions), registered: make(chan struct{}),
	}
	l.restore.done = make(chan struct{})
	e.life, e.fatal = l, ""
	e.runtime = runtimeStarted
	e.waiters = nil
	return l
}

// startLife starts the processes of a life: the extensions, then the runtime.
func (e *Environment) startLife(l *life) {
	defer close(l.started)
	if e.startExtensions(l) {
		e.startRuntime(l)
	}
}

// startRuntime starts the runtime's process for a life and watches it.
func (e *Environment) startRuntime(l *life) {
	b := &e.cfg.Bootstrap
	if f := b.check(); f.errType != "" {
		e.endInit(l, f)
		return
	}
	managed, logs := isManaged(e.run.Runtime), 0
	if managed {
		logs = logDescriptor
	}
	stdout, stderr := e.book.streamPair(managed)
	proc, err := e.cfg.Sandbox.Start(e.ctx, sandbox.Process{
		Path: b.Path, Args: b.Args, Env: e.cfg.Env, Dir: b.Dir, Stdout: stdout, Stderr: stderr,
		LogDescriptor: logs, ExtraFiles: b.ExtraFiles,
	})
	if err != nil {
		e.cfg.Log.Warn("runtime did not start", "program", b.Path, "err", err)
		e.endInit(l, b.startFailure(err))
		return
	}
	e.mu.Lock()
	l.proc = proc
	e.mu.Unlock()
	e.wg.Go(func() {
		<-proc.Done()
		e.mu.Lock()
		e.failLocked(l, exitFailure(proc.Exit()))
	})
}

// limitCPU bounds the function to its share of the CPU, or lets an init have
// what it can get: on AWS, inits and restores are not bound to the share either.
// It is called around these only, never by an invocation in a warm environment.
func (e *Environment) limitCPU(limited bool) {
	if e.cpu == nil {
		return
	}
	if err := e.cpu.LimitCPU(e.ctx, limited); err != nil && e.ctx.Err() == nil {
		e.cfg.Log.Warn("the function's share of the CPU could not be set", "limited", limited, "err", err)
	}
}

// hostFull is err where a limit of the host on descriptors or processes has
// kept a process from being started.
func hostFull(err error) error {
	for _, full := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EAGAIN} {
		if errors.Is(err, full) {
			return err
		}
	}
	return nil
}

// checkInitLocked ends a life's init when the runtime and all extensions have
// asked for their first event.
func (e *Environment) checkInitLocked(l *life) {
	if l != nil && l.runtimeIn && l.ready() {
		e.endInitLocked(l, failure{})
	}
}

// endInit ends a life's init, once; a zero failure means success.
func (e *Environment) endInit(l *life, f failure) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.endInitLocked(l, f)
}

func (e *Environment) endInitLocked(l *life, f failure) {
	if l.ended {
		return
	}
	l.ended = true
	l.failure = f
	if f.errType != "" {
		e.failedLocked(f.errType)
	}
	close(l.done)
}

// failLocked handles what ends a life: a process has ended, or an extension
// has given up. It unlocks mu.
func (e *Environment) failLocked(l *life, f failure) {
	switch {
	case l == nil || e.life != l || e.phase >= phaseResetting:
		e.mu.Unlock()
		return // it was ended, or that life is over
	case !l.ended:
		e.endInitLocked(l, f) // who waits for init goes on
		e.mu.Unlock()
		return
	case l.failure.errType != "":
		e.mu.Unlock()
		return // its init has failed: who waited for it resets
	case e.phase == phaseRestoring:
		l.endRestoreLocked(f) // who waits for it goes on
		e.mu.Unlock()
		return
	case e.many != nil:
		e.failConcurrentlyLocked(f)
		return
	case e.inv == nil || e.phase != phaseInvoking: // or it is only being reported yet
		e.failedLocked(f.errType)
		e.cfg.Log.Warn("environment failed while idle", "type", f.errType, "cause", f.cause)
		e.resetIdleLocked(ending{reason: ReasonFailure})
		e.mu.Unlock()
		return
	}
	inv := e.inv
	e.failedLocked(f.errType)
	e.phase = phaseResetting
	e.mu.Unlock()

	e.measure()
	inv.settle(f.outcome(inv.Event.RequestID))
	e.tellFault(inv, f)
	e.resetAndFinish(inv, ending{reason: ReasonFailure}, report{status: f.status(), errType: f.errType})
}
