package execenv

import (
	"context"
	"encoding/json"
	"syscall"
	"time"

	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/sandbox"
)

// What the processes of a life get to end by themselves: nothing where there
// is no extension. https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
const (
	// budgetInternal is the runtime's when there are internal extensions only.
	budgetInternal = 500 * time.Millisecond
	// budgetExternal is that of all together when there is an external one, of
	// which the runtime has budgetRuntime.
	budgetExternal = 2000 * time.Millisecond
	budgetRuntime  = 300 * time.Millisecond
	// flushTime is what the delivery of telemetry takes of it at most.
	flushTime = time.Second
)

// endProcesses lets the processes of a life end by themselves, within the
// budget; whoever is left is the caller's to kill. The phase is Resetting or
// Closed. Of two callers the second waits for the first.
func (e *Environment) endProcesses(l *life, end ending) {
	l.endOnce.Do(func() { e.askToEnd(l, end) })
}

func (e *Environment) askToEnd(l *life, end ending) {
	e.mu.Lock()
	l.registrationClosed = true
	extensions, runtime := len(l.extensions), l.proc
	var external []*extension
	for _, x := range l.extensions {
		if x.proc != nil {
			external = append(external, x)
		}
	}
	e.mu.Unlock()
	if extensions == 0 {
		return
	}
	if err := e.thaw(e.ctx); err != nil {
		e.cfg.Log.Warn("frozen environment could not be thawed for its end", "err", err)
	}
	total, share := budgetInternal, budgetInternal
	if len(external) > 0 {
		total, share = budgetExternal, budgetRuntime
	}
	now := e.cfg.Clock.Now()
	deadline := now.Add(total)
	if !end.deadline.IsZero() {
		deadline = end.deadline
		total = max(0, deadline.Sub(now))
	}
	e.endRuntime(runtime, min(share, total))
	e.flushTelemetry(deadline)
	e.endExtensions(external, end.reason, deadline)
}

// flushTelemetry delivers what subscribers have to know before they end.
func (e *Environment) flushTelemetry(deadline time.Time) {
	if e.hub.Stats().Subscriptions == 0 {
		return
	}
	e.book.flush(e.cfg.Sandbox)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	limit := e.cfg.Clock.AfterFunc(min(flushTime, deadline.Sub(e.cfg.Clock.Now())), cancel)
	defer limit.Stop()
	if err := e.hub.Flush(ctx); err != nil {
		e.cfg.Log.Debug("telemetry was not delivered in time", "err", err)
	}
}

// endRuntime ends the runtime by SIGTERM, and after its time by SIGKILL.
func (e *Environment) endRuntime(p sandbox.Proc, share time.Duration) {
	if p == nil || ended(p) {
		return
	}
	e.signal(p, syscall.SIGTERM)
	limit := e.cfg.Clock.NewTimer(share)
	defer limit.Stop()
	select {
	case <-p.Done():
	case <-limit.C():
		e.signal(p, syscall.SIGKILL)
	}
}

// endExtensions tells those that want to know, ends the others, and waits for
// all of them until the deadline.
func (e *Environment) endExtensions(external []*extension, reason string, deadline time.Time) {
	body, _ := json.Marshal(struct { // strings and a number always marshal
		EventType string `json:"eventType"`
		Reason    string `json:"shutdownReason"`
		Deadline  int64  `json:"deadlineMs"`
	}{"SHUTDOWN", reason, deadline.UnixMilli()})
	for _, x := range external {
		ev := &envapi.ExtensionEvent{Body: body}
		var w *envapi.Waiter
		e.mu.Lock()
		gone := ended(x.proc)
		told := x.shutdown && !x.failed()
		if told {
			x.pending = nil // an event that it did not fetch is not worth its last moments
			w = x.take(ev)
			x.told = true
		}
		e.mu.Unlock()
		switch {
		case gone:
		case w != nil:
			e.hand(x, w, ev)
		case !told && x.errType == "":
			e.signal(x.proc, syscall.SIGKILL)
		}
	}
	limit := e.cfg.Clock.NewTimer(deadline.Sub(e.cfg.Clock.Now()))
	defer limit.Stop()
	for _, x := range external {
		select {
		case <-x.proc.Done():
		case <-x.acknowledged:
		case <-limit.C():
			return // the others have no more time either
		}
	}
}

// signal sends a signal to a process that may be gone by now.
func (e *Environment) signal(p sandbox.Proc, sig syscall.Signal) {
	if err := p.Signal(sig); err != nil {
		e.cfg.Log.Debug("signal not sent", "signal", sig, "err", err)
	}
}

func ended(p sandbox.Proc) bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}
