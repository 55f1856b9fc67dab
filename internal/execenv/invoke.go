package execenv

import (
	"math"
	"time"

	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/telemetry"
)

// Invoke hands an invocation to the runtime and returns at once, or after an
// init inside the invocation where one is due. The caller waits for
// inv.Answered. An error means that the invocation was not taken: ErrClosed,
// ErrBusy, ErrIllegalMove (before an init), an ErrReserved,
// ErrUnknownReservation, ErrReservationExpired, ErrWrongVersion or
// ErrWrongInvokeID of reservations (see Reserve), or, for what makes no sense,
// ErrMalformedCustomerHeaders and ErrInvalidPayloadLimit. In the concurrent
// mode there are ErrDuplicateInvokeID and ErrUnhealthy, too.
func (e *Environment) Invoke(inv *Invocation) error {
	if err := inv.check(); err != nil {
		return err
	}
	if e.many != nil {
		return e.invokeConcurrently(inv)
	}
	timeout := e.timeout(inv)
	e.mu.Lock()
	e.awaitIdleResetLocked()
	needsInit := e.phase == phaseNeedsInit
	switch {
	case e.phase >= phaseBroken:
		e.mu.Unlock()
		return ErrClosed
	case e.inv != nil || !needsInit && e.phase != phaseReady:
		defer e.mu.Unlock()
		if e.inv == nil && e.phase < phaseReady {
			return e.phase.illegal("Invoke")
		}
		return ErrBusy
	}
	if e.reservation != nil || inv.Terms != nil {
		if err := e.admitLocked(inv); err != nil {
			e.mu.Unlock()
			return err
		}
	}
	e.phase = phaseInvoking
	e.inv, e.undelivered, e.releasing = inv, false, false
	e.invocations++
	inv.started = e.cfg.Clock.Now()
	inv.Event.DeadlineMs = inv.started.Add(timeout).UnixMilli()
	inv.size = int32(len(inv.Event.Body)) // bounded by the service
	inv.cold = e.reportInit
	inv.restored = e.reportRestore
	e.reportInit, e.reportRestore = false, false
	frozen := e.freezer.frozen
	var l *life
	if needsInit {
		l = e.beginLifeLocked(telemetry.PhaseInvoke)
	}
	inv.life = e.life
	inv.timer = e.cfg.Clock.AfterFunc(timeout, func() { e.timedOut(inv) })
	e.wg.Add(1)
	var extensions []handing
	if !needsInit {
		extensions = e.announceLocked(inv)
	}
	e.mu.Unlock()
	defer e.wg.Done()
	if frozen {
		if err := e.thaw(e.ctx); err != nil {
			return e.giveUp(inv, err)
		}
	}
	e.tellStart(inv)

	if needsInit {
		return e.initAgain(inv, l)
	}
	e.deliver(inv)
	e.handAll(extensions)
	return nil
}

// timeout is how long an invocation may take.
func (e *Environment) timeout(inv *Invocation) time.Duration {
	limit := timeoutOf(e.run)
	if t := inv.Terms; t != nil && t.Timeout > 0 {
		return min(t.Timeout, limit)
	}
	return limit
}

// Finishing reports whether the caller of the last invocation has been
// answered and the owner does not know yet that the environment is free: it
// will in a moment.
func (e *Environment) Finishing() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.releasing || e.inv != nil && e.inv.isAnswered()
}

// Freed is the owner's answer to Released: it counts the environment as free
// from here on. Without it there would be a moment at which a caller who has
// his answer finds the environment neither Finishing nor free.
func (e *Environment) Freed() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.releasing = false
}

// initAgain runs the init inside an invocation. An error means that the
// invocation was not taken after all.
func (e *Environment) initAgain(inv *Invocation, l *life) error {
	e.limitCPU(false)
	e.tellInitStart(telemetry.PhaseInvoke)
	e.startLife(l)
	<-l.done // the invocation's timer ends it too
	e.tellInitEnd(l, e.cfg.Clock.Now().Sub(inv.started))
	if l.failure.errType == "" {
		e.limitCPU(true)
	}

	e.mu.Lock()
	switch {
	case e.inv != inv || e.phase != phaseInvoking:
		e.mu.Unlock()
		return nil // timed out or closed: that path answers
	case l.failure.errType == "":
		extensions := e.announceLocked(inv)
		e.mu.Unlock()
		e.deliver(inv)
		e.handAll(extensions)
		return nil
	case l.failure.sandboxGone || l.failure.host != nil:
		e.phase, e.inv = phaseBroken, nil
		e.mu.Unlock()
		inv.timer.Stop()
		return ErrClosed
	}
	e.phase = phaseResetting
	e.mu.Unlock()
	e.measure() // before the reset ends what is left to measure
	e.tellFault(inv, l.failure)
	inv.settle(l.failure.outcome(inv.Event.RequestID))
	e.resetAndFinish(inv, ending{reason: l.failure.reason()}, report{status: l.failure.status(), errType: l.failure.errType})
	return nil
}

// deliver gives the invocation to a connection that waits in next. Where
// none waits, the next one to ask gets it.
func (e *Environment) deliver(inv *Invocation) {
	for {
		e.mu.Lock()
		if e.inv != inv || e.phase != phaseInvoking || e.runtime != runtimeReady {
			e.mu.Unlock()
			return
		}
		n := len(e.waiters)
		if n == 0 {
			e.undelivered = true
			e.mu.Unlock()
			return
		}
		w := e.waiters[n-1]
		e.waiters = e.waiters[:n-1]
		e.runtime, e.undelivered = runtimeRunning, false
		inv.handed++
		mine := inv.handed
		e.mu.Unlock()

		if inv.deliverTo(w) == nil {
			return
		}
		// That connection had gone: the runtime does not have the event, unless
		// it has asked again meanwhile and got it that way.
		e.mu.Lock()
		if e.inv == inv && e.runtime == runtimeRunning && inv.handed == mine {
			e.runtime = runtimeReady
		}
		e.mu.Unlock()
	}
}

// timedOut ends an invocation whose time is up: the caller is answered if it
// was not yet, and the environment is reset.
func (e *Environment) timedOut(inv *Invocation) {
	e.mu.Lock()
	if e.inv != inv || e.phase != phaseInvoking {
		e.mu.Unlock()
		return
	}
	text := timeoutText(e.timeout(inv))
	e.cutLocked(inv, failure{errType: errTypeTimeout, cause: text}, ending{reason: ReasonTimeout})
}

// finish ends an invocation for the environment: REPORT, then release. The
// phase tells what the environment can do next.
func (e *Environment) finish(inv *Invocation, at time.Time, r report) {
	inv.timer.Stop()
	e.mu.Lock()
	if e.inv != inv {
		e.mu.Unlock()
		return
	}
	e.inv, e.releasing = nil, e.cfg.Released != nil
	if e.phase == phaseReady {
		e.idleLocked(at)
	}
	reported := inv.reported // before the reset, when subscribers were there
	e.tellRuntimeDoneLocked(inv, at, r)
	e.measureReportLocked(inv, at, &r)
	inv.ended = r
	e.mu.Unlock()

	ev := e.reportEvent(inv, at, r)
	e.cfg.Totals.add(inv, &ev)
	if !reported {
		e.tell.Report(at, ev)
	}
	e.book.Report(at, ev)
	if inv.WantLog {
		inv.logTail = e.book.takeTail()
	}
	close(inv.finished)
	if e.cfg.Released != nil {
		e.cfg.Released(e)
	}
}

// measureReportLocked fills in a report's figures.
func (e *Environment) measureReportLocked(inv *Invocation, at time.Time, r *report) {
	inv.reported = true
	r.duration = at.Sub(inv.started)
	if r.status == telemetry.StatusTimeout {
		r.duration = min(r.duration, e.timeout(inv))
	}
	if inv.cold {
		r.initDuration = e.initDuration
	}
	r.peakBytes = e.memoryPeak
}

// Reading the memory's high-water mark costs tens of microseconds, while the
// next event may be waiting. The mark cannot be missed, only be seen late: so
// after short invocations in a row it is read now and then.
const (
	measureAfter = 100 * time.Millisecond
	measureEvery = 250 * time.Millisecond
)

// measureIfDue measures after an invocation that ended at now, if its report is
// waited for, it was long, or the last figure is old.
func (e *Environment) measureIfDue(inv *Invocation, now time.Time) {
	e.mu.Lock()
	due := inv.WantLog || now.Sub(inv.started) >= measureAfter || now.Sub(e.measured) >= measureEvery
	e.mu.Unlock()
	if due {
		e.measure()
	}
}

// measure reads the sandbox's memory high-water mark.
func (e *Environment) measure() {
	u, err := e.cfg.Sandbox.Usage()
	if err != nil {
		return // the process may be gone: the last figure stands
	}
	e.mu.Lock()
	e.memoryPeak = max(e.memoryPeak, u.MemoryPeakBytes)
	e.measured = e.cfg.Clock.Now()
	e.mu.Unlock()
}

// billed is the billed duration: duration and init rounded up once, in ms.
func billed(duration, init time.Duration) int64 {
	return int64(math.Ceil(float64(duration+init) / float64(time.Millisecond)))
}

var _ envapi.Handler = (*Environment)(nil)
