package execenv

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/telemetry"
)

// This file is the concurrent mode (Config.MaxConcurrency), in which a runtime
// serves several invocations at once, as on Managed Instances. It asks for
// events with several calls of next, answers are matched by request id, and an
// invocation is over when it is answered. The environment stays Ready all the
// while: it is not frozen, not reset, and a process that ends makes it useless.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html

var (
	// ErrDuplicateInvokeID: an invocation with this request id is in flight.
	ErrDuplicateInvokeID = errors.New("an invocation with this request id is in flight")
	// ErrRuntimeUnavailable: the runtime did not ask for an event in time.
	ErrRuntimeUnavailable = errors.New("runtime is not available")
	// ErrUnhealthy: a process of the environment has ended; it is an ErrClosed,
	// too.
	ErrUnhealthy = fmt.Errorf("%w: one of its processes has ended", ErrClosed)
)

const (
	// queueTime is how long an invocation waits for the runtime to ask for an
	// event. AWS's emulator refuses it at once; it may be that the runtime is
	// about to ask, having answered another one.
	queueTime = time.Second
	// maxConcurrentError bounds the errors that the runtime posts, as AWS does
	// on Managed Instances.
	maxConcurrentError = 1 << 20
	// maxLate is how many invocations are remembered that have timed out: who
	// answers them is told so. Other late answers are for unknown ids.
	maxLate = 1024
)

// concurrent is what an environment knows of its invocations. All of it is
// guarded by Environment.mu.
type concurrent struct {
	max      int
	inflight map[string]*Invocation // by request id
	queue    []*Invocation          // those of them that wait for the runtime
	late     []string               // request ids that have timed out
	// failed is why the init failed, for one invocation to tell.
	failed failure
}

func newConcurrent(most int) *concurrent {
	if most == 0 {
		return nil
	}
	return &concurrent{max: most, inflight: make(map[string]*Invocation)}
}

// invokeConcurrently is Invoke.
func (e *Environment) invokeConcurrently(inv *Invocation) error {
	timeout := e.timeout(inv)
	e.mu.Lock()
	m, id := e.many, inv.Event.RequestID
	failed := failure{}
	switch {
	case e.phase == phaseNeedsInit && m.failed.errType != "":
		failed, m.failed = m.failed, failure{}
	case e.phase > phaseReady:
		e.mu.Unlock()
		return ErrUnhealthy
	case e.phase != phaseReady:
		defer e.mu.Unlock()
		return e.phase.illegal("Invoke")
	case m.inflight[id] != nil:
		e.mu.Unlock()
		return ErrDuplicateInvokeID
	case len(m.inflight) >= m.max:
		e.mu.Unlock()
		return ErrBusy
	}
	if e.reservation != nil || inv.Terms != nil {
		if err := e.admitLocked(inv); err != nil {
			e.mu.Unlock()
			return err
		}
	}
	e.invocations++
	inv.WantLog = false // whose lines would it be?
	inv.started, inv.life, inv.size = e.cfg.Clock.Now(), e.life, int32(len(inv.Event.Body))
	inv.Event.DeadlineMs = inv.started.Add(timeout).UnixMilli()
	m.inflight[id] = inv
	e.tellStart(inv)
	if failed.errType != "" {
		inv.timer = e.cfg.Clock.AfterFunc(timeout, func() {})
		e.mu.Unlock()
		e.endConcurrent(inv, failed.outcome(id), report{status: failed.status(), errType: failed.errType}, false)
		return nil
	}
	inv.timer = e.cfg.Clock.AfterFunc(timeout, func() { e.timedOutConcurrently(inv) })
	e.wg.Add(1) // phase is not Closed, so Close has yet to wait
	w := e.takeWaiterLocked()
	if w == nil {
		e.queueLocked(inv)
	}
	e.mu.Unlock()
	defer e.wg.Done()
	if w != nil {
		e.deliverConcurrently(inv, w)
	}
	return nil
}

// takeWaiterLocked takes a call of next that waits, or none.
func (e *Environment) takeWaiterLocked() *envapi.Waiter {
	n := len(e.waiters)
	if n == 0 {
		return nil
	}
	w := e.waiters[n-1]
	e.waiters = e.waiters[:n-1]
	return w
}

// queueLocked has an invocation wait for the runtime's next call of next.
func (e *Environment) queueLocked(inv *Invocation) {
	m := e.many
	m.queue = append(m.queue, inv)
	inv.grace = e.cfg.Clock.AfterFunc(queueTime, func() {
		e.mu.Lock()
		i := slices.Index(m.queue, inv)
		if i < 0 || e.phase == phaseClosed {
			e.mu.Unlock()
			return
		}
		m.queue = slices.Delete(m.queue, i, i+1)
		e.wg.Add(1)
		e.mu.Unlock()
		defer e.wg.Done()
		e.endConcurrent(inv, failureJSON(errTypeUnavailable, "The runtime did not ask for an event in time"),
			report{status: telemetry.StatusError, errType: errTypeUnavailable}, false)
	})
}

// deliverConcurrently gives an invocation to a call of next, or to another one
// where that has gone.
func (e *Environment) deliverConcurrently(inv *Invocation, w *envapi.Waiter) {
	for w != nil {
		e.mu.Lock()
		inv.handed++ // the answer may be there before the delivery returns
		e.mu.Unlock()
		if inv.deliverTo(w) == nil {
			return
		}
		e.mu.Lock()
		inv.handed--
		w = nil
		if e.many.inflight[inv.Event.RequestID] == inv {
			if w = e.takeWaiterLocked(); w == nil {
				e.queueLocked(inv)
			}
		}
		e.mu.Unlock()
	}
}

// nextConcurrently is Next.
func (e *Environment) nextConcurrently(w *envapi.Waiter) *envapi.Error {
	e.mu.Lock()
	if e.life == nil {
		e.mu.Unlock()
		return envapi.ErrInternal
	}
	if err := e.runtime.move(runtimeReady); err != nil {
		e.mu.Unlock()
		return err
	}
	if e.runtime == runtimeStarted {
		e.runtime = runtimeReady
		e.life.runtimeIn, e.life.registrationClosed = true, true
		e.life.release = runtimeRelease(w.Client())
		e.tellInitRuntimeDone(e.life, failure{})
		e.checkInitLocked(e.life)
	}
	m := e.many
	if len(m.queue) > 0 {
		inv := m.queue[0]
		m.queue = slices.Delete(m.queue, 0, 1)
		inv.grace.Stop()
		e.mu.Unlock()
		e.deliverConcurrently(inv, w)
		return nil
	}
	if len(e.waiters) >= m.max {
		e.waiters = slices.DeleteFunc(e.waiters, isGone)
	}
	if len(e.waiters) < m.max {
		e.waiters = append(e.waiters, w)
		e.mu.Unlock()
		return nil
	}
	e.wg.Add(1)
	l := e.life
	e.mu.Unlock()
	w.Fail(envapi.ErrInternal) // first: who asks too often is killed for it
	go func() {
		defer e.wg.Done()
		e.mu.Lock()
		e.failLocked(l, failure{errType: errTypeTooManyIdle, cause: fmt.Sprintf("More than %d calls of next wait", m.max)})
	}()
	return nil
}

// answeringLocked is the invocation that the runtime begins to answer, or the
// API's answer.
func (e *Environment) answeringLocked(id string) (*Invocation, *envapi.Error) {
	inv := e.many.inflight[id]
	switch {
	case inv == nil:
		if i := slices.Index(e.many.late, id); i >= 0 {
			e.many.late = slices.Delete(e.many.late, i, i+1)
			return nil, envapi.ErrInvokeTimeout
		}
		return nil, envapi.ErrInvalidRequestID
	case inv.answering:
		again := *envapi.ErrInvalidRequestID
		again.Err = ErrResponseSent
		return nil, &again
	case inv.handed == 0:
		return nil, envapi.ErrInvalidRequestID
	}
	inv.answering = true
	return inv, nil
}

// endConcurrent answers an invocation and ends it, if it has not ended. No lock
// may be held.
func (e *Environment) endConcurrent(inv *Invocation, o Outcome, r report, whole bool) {
	inv.settle(o)
	now := e.cfg.Clock.Now()
	e.mu.Lock()
	id := inv.Event.RequestID
	if e.many.inflight[id] != inv {
		e.mu.Unlock()
		return
	}
	delete(e.many.inflight, id)
	if i := slices.Index(e.many.queue, inv); i >= 0 {
		e.many.queue = slices.Delete(e.many.queue, i, i+1)
	}
	inv.timer.Stop()
	if inv.grace != nil {
		inv.grace.Stop()
	}
	inv.responded = whole
	e.measureReportLocked(inv, now, &r)
	inv.ended = r
	ev := e.concurrentReport(inv, r)
	e.tell.Report(now, ev)
	e.book.Report(now, ev)
	close(inv.finished)
	e.mu.Unlock()
	if e.cfg.Released != nil {
		e.cfg.Released(e)
	}
}

// concurrentReport is the report of an invocation as Managed Instances have it.
func (e *Environment) concurrentReport(inv *Invocation, r report) telemetry.Report {
	ev := telemetry.Report{
		RequestID: inv.Event.RequestID, Status: r.status, ErrorType: r.errType,
		Metrics: telemetry.ReportMetrics{Duration: r.duration, DurationOnly: true},
		Tracing: tracing(&inv.Event), TenantID: inv.Event.TenantID,
	}
	if got := &inv.sink.measured; inv.responded {
		ev.Spans = telemetry.Spans{
			{Name: telemetry.ResponseLatency, Start: inv.started, Duration: got.began.Sub(inv.started)},
			{Name: telemetry.ResponseDuration, Start: got.began, Duration: got.over.Sub(got.began)},
		}
	}
	return ev
}

// timedOutConcurrently answers an invocation whose time is up. The function
// goes on with it; what it answers then comes too late.
func (e *Environment) timedOutConcurrently(inv *Invocation) {
	e.mu.Lock()
	if e.many.inflight[inv.Event.RequestID] != inv || e.phase == phaseClosed {
		e.mu.Unlock()
		return
	}
	if !inv.answering {
		if len(e.many.late) == maxLate {
			e.many.late = slices.Delete(e.many.late, 0, 1)
		}
		e.many.late = append(e.many.late, inv.Event.RequestID)
	}
	e.wg.Add(1)
	e.mu.Unlock()
	defer e.wg.Done()
	text := timeoutText(e.timeout(inv))
	e.endConcurrent(inv, failureJSON(errTypeTimeout, text), report{status: telemetry.StatusTimeout}, false)
}

// failConcurrentlyLocked ends an environment one of whose processes has ended.
// It unlocks mu.
func (e *Environment) failConcurrentlyLocked(f failure) {
	e.failedLocked(f.errType)
	e.cfg.Log.Warn("environment failed", "type", f.errType, "cause", f.cause)
	e.phase = phaseResetting
	all := e.inflightLocked()
	e.mu.Unlock()
	for _, inv := range all {
		e.tellFault(inv, f)
		e.endConcurrent(inv, f.outcome(inv.Event.RequestID), report{status: f.status(), errType: f.errType}, false)
	}
	e.reset(ending{reason: ReasonFailure})
}

// inflightLocked are the invocations in flight, the oldest first.
func (e *Environment) inflightLocked() []*Invocation {
	if e.many == nil {
		return nil
	}
	var all []*Invocation
	for _, inv := range e.many.inflight {
		all = append(all, inv)
	}
	slices.SortFunc(all, func(a, b *Invocation) int { return a.started.Compare(b.started) })
	return all
}

// concurrentEvents refuses what extensions cannot have where several
// invocations run at once: external ones get SHUTDOWN only, internal ones
// nothing.
func concurrentEvents(names []string, external bool) *envapi.Error {
	switch {
	case len(names) > 0 && !external:
		return extensionError("InvalidEventType", "No events allowed for internal extensions")
	case slices.Contains(names, "INVOKE"):
		return extensionError("InvalidEventType", "INVOKE: ErrorInvalidEventType")
	}
	return nil
}
