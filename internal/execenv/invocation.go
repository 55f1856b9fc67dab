package execenv

import (
	"bytes"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/telemetry"
)

// Invocation is one event on its way through an environment. It is made by
// NewInvocation and used once.
type Invocation struct {
	// Event is what the runtime gets; RequestID, InvokedARN, Body and the
	// optional members are set by the caller. DeadlineMs is set by Invoke.
	Event envapi.Event
	// Responder takes the response body; nil means Buffered.
	Responder Responder
	// WantLog says that somebody waits for the log tail, whose REPORT line then
	// has figures of this moment. Without it LogTail is empty.
	WantLog bool
	// Terms may be nil.
	Terms *Terms

	// answered is closed when outcome is valid: the caller can be answered.
	answered chan struct{}
	// finished is closed when the environment has done with the invocation,
	// its REPORT line included.
	finished chan struct{}

	// delivering is held while the event is being written to a runtime;
	// retired is guarded by it.
	delivering sync.Mutex
	retired    bool

	settleOnce sync.Once
	outcome    Outcome
	onAnswered func()

	// sink takes the response. It belongs to the connection that has moved the
	// runtime to its state InvocationResponse, which can be done once.
	sink responseSink

	// The rest is guarded by Environment.mu.
	started time.Time
	life    *life // that it began in
	size    int32 // of the event's body
	handed  int32 // how often the event has been handed out
	timer   stopper
	// grace ends the wait for the runtime, in the concurrent mode.
	grace stopper
	cold  bool // the first invocation after a successful init
	// restored: likewise, after a restore
	restored bool
	// answering: the runtime has begun to answer, in the concurrent mode.
	answering bool
	// runtimeDone: the runtime has asked for the next event; extensions may
	// still be at work.
	runtimeDone bool
	reported    bool // subscribers have its report
	responded   bool // with a whole response: sink.measured is valid
	// toldRuntimeDone: subscribers know of that, since runtimeTook.
	toldRuntimeDone bool
	told            bool          // extensions were told of it
	runtimeTook     time.Duration // from started
	resetTook       time.Duration // if it ended in a reset
	ended           report        // when it is finished
	logTail         string
}

type stopper interface{ Stop() bool }

// NewInvocation makes an invocation of an event. The body must stay unchanged
// until Retire has returned.
func NewInvocation(event envapi.Event, r Responder) *Invocation {
	if r == nil {
		r = Buffered{}
	}
	return &Invocation{
		Event: event, Responder: r,
		answered: make(chan struct{}), finished: make(chan struct{}),
	}
}

// Answered is closed when Outcome is valid.
func (inv *Invocation) Answered() <-chan struct{} { return inv.answered }

// OnAnswered has f called when Outcome is valid: once, on the goroutine that
// brought the answer, where it must not block. It is for callers who would
// otherwise wait for Answered: to wake a goroutine costs an invocation more
// than all that lamb does with it. Set it before Invoke.
func (inv *Invocation) OnAnswered(f func()) { inv.onAnswered = f }

// Outcome is the answer for the caller, valid after Answered is closed. The
// receiver releases its payload.
func (inv *Invocation) Outcome() Outcome { return inv.outcome }

// Finished is closed when the invocation is over for the environment too; the
// runtime has asked for its next event, or the environment has been reset.
func (inv *Invocation) Finished() <-chan struct{} { return inv.finished }

// Started is when the environment took the invocation, by its clock; valid
// after Invoke has returned.
func (inv *Invocation) Started() time.Time { return inv.started }

// LogTail is the last 4 KiB of the invocation's log, START to REPORT; valid
// after Finished is closed.
func (inv *Invocation) LogTail() string { return inv.logTail }

// Retire ends the use of the event's body: when it returns nobody reads it
// any more, so its buffer may serve another request. A runtime that asks for
// the event again after that gets nothing.
func (inv *Invocation) Retire() {
	inv.delivering.Lock()
	defer inv.delivering.Unlock()
	inv.retired = true
	inv.Event.Body = nil
}

// KeepEvent lets the event's buffer serve another request while the invocation
// goes on, for a caller who does not wait for its end.
func (inv *Invocation) KeepEvent() {
	inv.delivering.Lock()
	defer inv.delivering.Unlock()
	inv.Event.Body = bytes.Clone(inv.Event.Body)
}

// deliverTo writes the event to a waiting connection.
func (inv *Invocation) deliverTo(w *envapi.Waiter) error {
	inv.delivering.Lock()
	defer inv.delivering.Unlock()
	if inv.retired {
		w.Fail(envapi.ErrInternal)
		return nil
	}
	return w.Deliver(&inv.Event)
}

// settle makes o the outcome if there is none yet; otherwise o is released.
// No lock may be held: the caller is told here.
func (inv *Invocation) settle(o Outcome) {
	won := false
	inv.settleOnce.Do(func() {
		inv.outcome = o
		won = true
		close(inv.answered)
	})
	if !won {
		o.Release()
		return
	}
	inv.Responder.Settled()
	if inv.onAnswered != nil {
		inv.onAnswered()
	}
}

// reportStatus is an answered invocation's part of its report.
func (inv *Invocation) reportStatus() report {
	if o := inv.outcome; o.FunctionError != "" {
		return report{status: telemetry.StatusError, errType: o.ErrorType}
	}
	return report{status: telemetry.StatusSuccess}
}

// isAnswered reports whether the caller has its answer.
func (inv *Invocation) isAnswered() bool {
	select {
	case <-inv.answered:
		return true
	default:
		return false
	}
}
