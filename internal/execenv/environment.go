package execenv

import (
	"context"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/telemetry"
)

// phase is where an environment stands; see the package comment's diagram.
type phase int

const (
	phaseCreated phase = iota
	phaseInit
	phaseReady
	phaseInvoking
	phaseResetting
	phaseNeedsInit
	phaseBroken // the sandbox is gone or cannot be reset: good for Close only
	phaseClosed
)

// exitGrace is Environment.exitGrace but for tests that have no time.
const exitGrace = 200 * time.Millisecond

// Environment is one execution environment. Its methods may be called from
// several goroutines.
type Environment struct {
	cfg Config
	// run is the configuration that this environment was made from.
	run  function.Config
	api  *envapi.Server
	book *logbook
	hub  *telemetry.Hub
	cpu  sandbox.CPULimiter // nil when the sandbox is none
	// exitGrace is how long a response that was cut waits for word of the
	// runtime's end: its connections go first.
	exitGrace time.Duration

	// ctx ends when the environment is closed; wg counts its goroutines and
	// the timer callbacks that are at work.
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	created time.Time

	closeOnce sync.Once
	closeErr  error // valid after closeOnce

	mu    sync.Mutex
	phase phase
	// idleReset is closed when a reset without an invocation is over; nil when
	// none is under way.
	idleReset chan struct{}
	runtime   runtimeState
	life      *life
	waiters   []*envapi.Waiter // connections that wait in next
	inv       *Invocation      // in flight, until the runtime's next
	// undelivered: inv waits for a connection to ask for it.
	undelivered bool
	// releasing: the last invocation is over, and whoever Released tells has
	// not said Freed yet.
	releasing    bool
	freezer      freezer
	initDuration time.Duration
	reportInit   bool // the next report carries initDuration
	memoryPeak   int64
	invocations  int64     // ever begun
	fatal        string    // see State.FirstFatalError
	measured     time.Time // when memoryPeak was read
}

// New makes an environment and begins to serve its API; nothing runs in it
// until Init. It takes the sandbox over.
func New(cfg Config) *Environment {
	cfg.setDefaults()
	e := &Environment{
		cfg: cfg, run: cfg.Version.Runs().Config, runtime: runtimeNotYetStarted,
		created: cfg.Clock.Now(), exitGrace: exitGrace,
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.hub = telemetry.New(telemetry.Config{Dial: dialer(cfg.Sandbox), Clock: cfg.Clock, Log: cfg.Log})
	e.book = newLogbook(&cfg, e.hub)
	e.freezer = freezer{box: cfg.Sandbox, hub: e.hub, after: cfg.FreezeAfter}
	if !cfg.NoCPULimits {
		e.cpu, _ = cfg.Sandbox.(sandbox.CPULimiter)
	}
	e.api = envapi.New(envapi.Config{Handler: e, Extensions: e, Log: cfg.Log, Buffers: cfg.Buffers})
	e.wg.Go(func() {
		if err := e.api.Serve(cfg.Sandbox.Listener()); err != nil && e.ctx.Err() == nil {
			cfg.Log.Error("runtime API stopped", "err", err)
		}
	})
	return e
}

// ID is the configured one.
func (e *Environment) ID() string { return e.cfg.ID }

// Init starts the runtime and returns when it has asked for its first event,
// or failed, or used its time up. A failed init is not an error: the first
// invocation runs it again. ErrClosed is the only error.
func (e *Environment) Init() error {
	e.mu.Lock()
	if e.phase != phaseCreated {
		defer e.mu.Unlock()
		return ErrClosed
	}
	e.phase = phaseInit
	l := e.beginLifeLocked(telemetry.PhaseInit)
	e.wg.Add(1)
	e.mu.Unlock()
	defer e.wg.Done()

	e.tellInitStart(telemetry.PhaseInit)
	began := e.cfg.Clock.Now()
	limit := e.cfg.Clock.AfterFunc(e.cfg.InitLimit, func() {
		e.endInit(l, failure{errType: errTypeTimeout, cause: "init timed out"})
	})
	defer limit.Stop()
	e.startLife(l)
	<-l.done
	if l.failure.errType == "" {
		e.limitCPU(true) // a new sandbox is not bound
	}

	took := e.cfg.Clock.Now().Sub(began)
	e.tellInitEnd(l, took)

	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.phase == phaseClosed:
		return ErrClosed
	case e.phase != phaseInit:
		// The runtime asked for an event and ended at once: it is being reset.
	case l.failure.errType == "":
		e.phase = phaseReady
		e.initDuration, e.reportInit = took, true
		e.idleLocked(e.cfg.Clock.Now())
		// A runtime that ends in its first invocation has been measured once;
		// nobody waits for it.
		e.wg.Go(e.measure)
	default:
		e.resetIdleLocked(l.failure.reason())
	}
	return nil
}

// resetIdleLocked resets an environment that has no invocation. It unlocks mu
// meanwhile.
func (e *Environment) resetIdleLocked(reason string) {
	e.phase = phaseResetting
	over := make(chan struct{})
	e.idleReset = over
	e.mu.Unlock()
	e.reset(reason)
	e.mu.Lock()
	e.idleReset = nil
	close(over)
}

// reset ends every process and leaves the environment in need of an init.
// The phase is Resetting already, so nobody else touches it but Close.
func (e *Environment) reset(reason string) {
	e.mu.Lock()
	l := e.life
	e.mu.Unlock()
	if l != nil {
		// A start under way would come after the Kill and end up in the next
		// life. It does not take long, and nobody is waiting for this.
		<-l.started
		e.endProcesses(l, reason)
	}
	err := e.killAll()
	if err != nil && e.ctx.Err() == nil {
		e.cfg.Log.Error("sandbox could not be reset", "err", err)
	}
	// What a dead runtime had still in its sockets must not be taken for a
	// request of the next one.
	e.api.CloseConnections()
	e.hub.Reset()
	e.book.flush(e.cfg.Sandbox)
	e.mu.Lock()
	defer e.mu.Unlock()
	if l != nil {
		e.endInitLocked(l, failure{errType: errTypeSandboxFailure, cause: "reset"})
	}
	e.life, e.waiters, e.runtime = nil, nil, runtimeNotYetStarted
	e.book.newLife()
	e.reportInit = false // that init's runtime is gone
	switch {
	case e.phase == phaseClosed:
	case err != nil:
		e.phase = phaseBroken
	default:
		e.phase = phaseNeedsInit
	}
}

func (e *Environment) resetAndFinish(inv *Invocation, reason string, r report) {
	now := e.cfg.Clock.Now() // the reset is not the function's time
	if e.hub.Wants(telemetry.Function) {
		e.book.flush(e.cfg.Sandbox) // its last words come before
	}
	e.mu.Lock()
	e.tellRuntimeDoneLocked(inv, now, r)
	e.measureReportLocked(inv, now, &r)
	e.mu.Unlock()
	e.hub.Report(now, e.reportEvent(inv, now, r)) // while there are subscribers
	e.reset(reason)
	e.finish(inv, now, r)
}

// Close ends everything in the environment and waits for it. An invocation
// in flight is answered with Sandbox.Failure. It is idempotent.
func (e *Environment) Close() error {
	e.closeOnce.Do(func() { e.closeErr = e.close() })
	return e.closeErr
}

func (e *Environment) close() error {
	e.mu.Lock()
	e.phase = phaseClosed
	inv, l := e.inv, e.life
	if l != nil {
		e.endInitLocked(l, failure{errType: errTypeSandboxFailure, cause: "closed"})
	}
	e.freezer.stopLocked()
	e.mu.Unlock()

	if inv != nil {
		inv.settle(platformFailure(inv.Event.RequestID, errTypeSandboxFailure, "the execution environment was shut down"))
		e.finish(inv, e.cfg.Clock.Now(), report{status: "failure", errType: errTypeSandboxFailure})
	}
	if l != nil {
		e.endProcesses(l, reasonSpindown)
	}
	e.cancel()
	err := e.cfg.Sandbox.Close()
	e.hub.Close()
	e.api.Close()
	e.wg.Wait()
	return err
}
