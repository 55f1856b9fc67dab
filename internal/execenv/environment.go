package execenv

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/telemetry"
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
	tell audience
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
	closed    ShutdownResult // this and closeErr are valid after closeOnce
	closeErr  error

	mu    stateMutex
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
	reservation  *Reservation // nil when nobody has one
	many         *concurrent  // nil but in the concurrent mode
	initDuration time.Duration
	reportInit   bool // the next report carries initDuration
	// likewise, of the restore
	restoreDuration time.Duration
	reportRestore   bool
	credentials     Credentials // for the credentials endpoint
	memoryPeak      int64
	invocations     int64     // ever begun
	fatal           string    // see State.FirstFatalError
	measured        time.Time // when memoryPeak was read
}

// New makes an environment and begins to serve its API; nothing runs in it
// until Init. It takes the sandbox over.
func New(cfg Config) *Environment {
	cfg.setDefaults()
	e := &Environment{
		cfg: cfg, run: cfg.Version.Runs().Config, runtime: runtimeNotYetStarted,
		created: cfg.Clock.Now(), exitGrace: exitGrace,
	}
	e.mu.changed = cfg.Changed
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.hub = telemetry.New(telemetry.Config{Dial: dialer(cfg.Sandbox), Rules: telemetry.Rules{ManagedInstances: cfg.MaxConcurrency > 0}, Clock: cfg.Clock, Log: cfg.Log})
	e.book = newLogbook(&cfg, e.hub)
	e.tell = audience{hub: e.hub, book: e.book, more: cfg.Events}
	e.freezer = freezer{box: cfg.Sandbox, hub: e.hub, after: cfg.FreezeAfter}
	if !cfg.NoCPULimits {
		e.cpu, _ = cfg.Sandbox.(sandbox.CPULimiter)
	}
	e.credentials, e.many = cfg.Credentials, newConcurrent(cfg.MaxConcurrency)
	if e.many != nil {
		e.freezer.after = 0
	}
	e.api = envapi.New(e.apiConfig())
	e.wg.Go(func() {
		if err := e.api.Serve(cfg.Sandbox.Listener()); err != nil && e.ctx.Err() == nil {
			cfg.Log.Error("runtime API stopped", "err", err)
		}
	})
	return e
}

// apiConfig is which of the APIs the environment has.
func (e *Environment) apiConfig() envapi.Config {
	c := envapi.Config{
		Handler: e, Extensions: e, RegistrationHeader: e.cfg.RegistrationHeader, Log: e.cfg.Log, Buffers: e.cfg.Buffers,
	}
	if e.cfg.Initialization == SnapStart {
		c.Restore = e
	}
	if e.cfg.CredentialsToken != "" {
		c.Credentials = e
	}
	if e.many != nil {
		c.MaxConns, c.MaxError = envapi.DefaultMaxConns+e.many.max, maxConcurrentError
	}
	return c
}

// ID is the configured one.
func (e *Environment) ID() string { return e.cfg.ID }

// Init starts the runtime and returns when it has asked for its first event,
// or failed, or used its time up. A failed init is not an error: the first
// invocation runs it again. Errors: ErrClosed, and ErrIllegalMove for a second
// Init.
func (e *Environment) Init() (InitResult, error) {
	e.mu.Lock()
	if e.phase != phaseCreated {
		defer e.mu.Unlock()
		return InitResult{}, e.phase.illegal("Init")
	}
	e.phase = phaseInit
	l := e.beginLifeLocked(e.cfg.Initialization.firstPhase())
	e.wg.Add(1)
	e.mu.Unlock()
	defer e.wg.Done()

	e.tellInitStart(e.cfg.Initialization.firstPhase())
	began := e.cfg.Clock.Now()
	limit := e.cfg.Clock.AfterFunc(e.cfg.InitLimit, func() {
		e.endInit(l, failure{errType: errTypeTimeout, cause: "init timed out"})
	})
	defer limit.Stop()
	e.startLife(l)
	<-l.done
	if l.failure.errType == "" && e.cfg.Initialization != SnapStart {
		e.limitCPU(true) // a new sandbox is not bound; Restore does it otherwise
	}

	took := e.cfg.Clock.Now().Sub(began)
	e.tellInitEnd(l, took)
	result := l.initResult(took)

	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.phase == phaseClosed:
		return InitResult{}, ErrClosed
	case l.failure.host != nil:
		e.phase = phaseBroken
		return InitResult{}, fmt.Errorf("start the runtime: %w", l.failure.host)
	case e.phase != phaseInit:
		// The runtime asked for an event and ended at once: it is being reset.
	case l.failure.errType == "" && e.cfg.Initialization == SnapStart:
		e.phase, e.initDuration = phaseRestoreReady, took
	case l.failure.errType == "":
		e.phase = phaseReady
		e.initDuration, e.reportInit = took, true
		e.idleLocked(e.cfg.Clock.Now())
		// A runtime that ends in its first invocation has been measured once;
		// nobody waits for it.
		e.wg.Go(e.measure)
	default:
		if e.many != nil {
			e.many.failed = l.failure
		}
		e.resetIdleLocked(ending{reason: l.failure.reason()})
	}
	return result, nil
}

// resetIdleLocked resets an environment that has no invocation. It unlocks mu
// meanwhile.
func (e *Environment) resetIdleLocked(end ending) {
	e.phase = phaseResetting
	over := make(chan struct{})
	e.idleReset = over
	e.mu.Unlock()
	e.reset(end)
	e.mu.Lock()
	e.idleReset = nil
	close(over)
}

// awaitIdleResetLocked waits for a reset that is under way without an
// invocation. It unlocks mu meanwhile.
func (e *Environment) awaitIdleResetLocked() {
	for e.idleReset != nil {
		over := e.idleReset
		e.mu.Unlock()
		<-over
		e.mu.Lock()
	}
}

// reset ends every process and leaves the environment in need of an init.
// The phase is Resetting already, so nobody else touches it but Close.
func (e *Environment) reset(end ending) {
	e.mu.Lock()
	l := e.life
	e.mu.Unlock()
	if l != nil {
		// A start under way would come after the Kill and end up in the next
		// life. It does not take long, and nobody is waiting for this.
		<-l.started
		e.endProcesses(l, end)
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
	e.reportInit, e.reportRestore = false, false // that init's runtime is gone
	switch {
	case e.phase == phaseClosed:
	case err != nil:
		e.phase = phaseBroken
	default:
		e.phase = phaseNeedsInit
	}
}

func (e *Environment) resetAndFinish(inv *Invocation, end ending, r report) {
	now := e.cfg.Clock.Now() // the reset is not the function's time
	if e.hub.Wants(telemetry.Function) {
		e.book.flush(e.cfg.Sandbox) // its last words come before
	}
	e.mu.Lock()
	e.tellRuntimeDoneLocked(inv, now, r)
	e.measureReportLocked(inv, now, &r)
	e.mu.Unlock()
	e.tell.Report(now, e.reportEvent(inv, now, r)) // while there are subscribers
	e.reset(end)
	e.mu.Lock()
	inv.resetTook = e.cfg.Clock.Now().Sub(now)
	e.mu.Unlock()
	e.finish(inv, now, r)
}

// close is Shutdown, once.
func (e *Environment) close(end ending) error {
	began := e.cfg.Clock.Now()
	e.mu.Lock()
	e.closed.ErrorType = e.fatal
	e.phase = phaseClosed
	inv, l := e.inv, e.life
	all := e.inflightLocked()
	if l != nil {
		e.endInitLocked(l, failure{errType: errTypeSandboxFailure, cause: "closed"})
	}
	e.freezer.stopLocked()
	e.mu.Unlock()

	for _, inv := range all {
		e.endConcurrent(inv, failureJSON(errTypeShutDown, "The execution environment was shut down"),
			report{status: telemetry.StatusFailure, errType: errTypeShutDown}, false)
	}
	if inv != nil {
		inv.settle(platformFailure(inv.Event.RequestID, errTypeSandboxFailure, "the execution environment was shut down"))
		e.finish(inv, e.cfg.Clock.Now(), report{status: telemetry.StatusFailure, errType: errTypeSandboxFailure})
	}
	if l != nil {
		e.endProcesses(l, end)
	}
	e.cancel()
	err := e.cfg.Sandbox.Close()
	e.closed.Took = e.cfg.Clock.Now().Sub(began)
	e.hub.Close()
	e.api.Close()
	e.wg.Wait()
	return err
}
