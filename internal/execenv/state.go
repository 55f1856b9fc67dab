package execenv

import (
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/telemetry"
)

// State is what an environment is doing at a moment, for operators: it has no
// payload, variable or credential. Times are UTC, durations milliseconds.
type State struct {
	ID        string `json:"id"`
	Function  string `json:"functionArn"` // with its version
	LogGroup  string `json:"logGroup"`
	LogStream string `json:"logStream"`
	// Phase is the environment's: Created, Init, Ready, Invoking, Resetting,
	// NeedsInit, Broken or Closed; Frozen says that its processes are stopped.
	Phase  string `json:"phase"`
	Frozen bool   `json:"frozen"`
	// Runtime is the runtime's state in the words of the Runtime API.
	Runtime    string           `json:"runtime"`
	Extensions []ExtensionState `json:"extensions"`
	// FirstFatalError is the type of what ended the present life of the
	// processes, or else the one before; empty when nothing did.
	FirstFatalError string `json:"firstFatalError,omitempty"`
	// ReservedUntil is when the reservation expires that somebody has.
	ReservedUntil time.Time `json:"reservedUntil,omitzero"`
	// InFlight is the number of invocations of an environment that serves
	// several at once.
	InFlight int `json:"inFlight,omitempty"`
	// Request is the invocation in flight of another one, if there is one.
	Request *RequestState `json:"request,omitempty"`

	Created time.Time `json:"created"`
	// IdleSince is zero when the environment is not idle.
	IdleSince      time.Time `json:"idleSince,omitzero"`
	InitDurationMs float64   `json:"initDurationMs,omitempty"` // of an init that succeeded before an invocation
	Invocations    int64     `json:"invocations"`              // ever begun
	MemorySizeMB   int       `json:"memorySizeMB"`
	// MaxMemoryUsedBytes is the high-water mark as it was last read.
	MaxMemoryUsedBytes int64 `json:"maxMemoryUsedBytes"`
}

// ExtensionState is one extension's.
type ExtensionState struct {
	Name      string   `json:"name"`
	External  bool     `json:"external"`
	State     string   `json:"state"` // in the words of the Extensions API
	Events    []string `json:"events"`
	ErrorType string   `json:"errorType,omitempty"`
}

// RequestState is an invocation in flight.
type RequestState struct {
	RequestID string    `json:"requestId"`
	Started   time.Time `json:"started"`
	Deadline  time.Time `json:"deadline"`
	// Answered: the caller has the answer; RuntimeDone: the runtime has asked
	// for the next event, and extensions are at work.
	Answered    bool `json:"answered"`
	RuntimeDone bool `json:"runtimeDone"`
}

// State tells what the environment is doing.
func (e *Environment) State() State {
	v := e.cfg.Version
	s := State{
		ID: e.cfg.ID, Function: v.Key.QualifiedARN(v.Version), LogGroup: e.run.Logging.Group, LogStream: e.cfg.LogStream,
		Created: e.created.UTC(), MemorySizeMB: e.run.MemoryMB, Extensions: []ExtensionState{},
	}
	e.mu.Lock()
	defer e.mu.Mutex.Unlock() // who looks changes nothing
	s.Phase, s.Frozen, s.Runtime = e.phase.String(), e.freezer.frozen, string(e.runtime)
	s.FirstFatalError, s.Invocations, s.MaxMemoryUsedBytes = e.fatal, e.invocations, e.memoryPeak
	s.InitDurationMs = ms(e.initDuration)
	if e.life != nil {
		for _, x := range e.life.extensions {
			s.Extensions = append(s.Extensions, ExtensionState{
				Name: x.name, External: x.external, State: string(x.state), Events: x.events(), ErrorType: x.errType,
			})
		}
	}
	if e.many != nil {
		s.InFlight = len(e.many.inflight)
	}
	if e.reservation != nil {
		s.ReservedUntil = e.reservation.Expires.UTC()
	}
	switch inv := e.inv; {
	case inv != nil:
		s.Request = &RequestState{
			RequestID: inv.Event.RequestID, Started: inv.started.UTC(), Deadline: inv.started.Add(e.timeout(inv)).UTC(),
			Answered: inv.isAnswered(), RuntimeDone: inv.runtimeDone,
		}
	case e.phase == phaseReady:
		s.IdleSince = e.freezer.since.UTC()
	}
	return s
}

// TelemetryStats are the figures of what subscribers got since the environment
// was made.
func (e *Environment) TelemetryStats() telemetry.Stats { return e.hub.Stats() }

// stateMutex guards the state: whoever wants to know of changes is told when it
// is released.
type stateMutex struct {
	sync.Mutex
	changed func() // may be nil
}

func (m *stateMutex) Unlock() {
	m.Mutex.Unlock()
	if m.changed != nil {
		m.changed()
	}
}

// failedLocked notes why the processes' life ends, the first time.
func (e *Environment) failedLocked(errType string) {
	if e.fatal == "" {
		e.fatal = errType
	}
}
