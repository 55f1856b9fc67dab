package execenv

import (
	"strings"
	"time"

	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/telemetry"
)

// This file tells what happens in an environment to its audience: the log, the
// subscribers, and Config.Events. Nothing here blocks, and what nobody wants
// costs next to nothing.

func (e *Environment) tellInitStart(phase telemetry.Phase) {
	v, at := e.cfg.Version, e.cfg.Clock.Now()
	e.tell.InitStart(at, telemetry.InitStart{
		InitializationType: e.initType(), Phase: phase, FunctionName: v.Key.Name, FunctionVersion: v.Version,
		RuntimeVersion: e.run.Runtime, RuntimeVersionARN: e.run.RuntimeVersionARN,
		InstanceID: e.cfg.LogStream, InstanceMaxMemory: int64(e.run.MemoryMB) << 20,
	})
}

// initType is why the environment was made.
func (e *Environment) initType() telemetry.InitializationType { return e.cfg.Initialization.Type() }

// tellInitRuntimeDone: the runtime has asked for its first event, or never will.
func (e *Environment) tellInitRuntimeDone(l *life, f failure) {
	if l.toldRuntimeDone {
		return
	}
	l.toldRuntimeDone = true
	e.tell.InitRuntimeDone(e.cfg.Clock.Now(), telemetry.InitRuntimeDone{
		InitializationType: e.initType(), Phase: l.phase, Status: f.status(), ErrorType: f.reportedType(),
	})
}

// tellInitEnd: an init is over, after took. Of two callers the second waits for
// the first.
func (e *Environment) tellInitEnd(l *life, took time.Duration) {
	l.tellOnce.Do(func() { e.sayInitEnd(l, took) })
}

func (e *Environment) sayInitEnd(l *life, took time.Duration) {
	if l.failure.errType != "" {
		e.book.flush(e.cfg.Sandbox) // its last words come before
	}
	f, at := l.failure, e.cfg.Clock.Now()
	e.mu.Lock()
	e.tellInitRuntimeDone(l, f)
	states := make([]telemetry.ExtensionState, 0, len(l.extensions))
	for _, x := range l.extensions {
		states = append(states, telemetry.ExtensionState{Name: x.name, State: string(x.state), Events: x.events(), ErrorType: x.errType})
	}
	e.mu.Unlock()
	for _, s := range states {
		e.tell.ExtensionState(at, s)
	}
	if f.errType == "" && l.phase == telemetry.PhaseSnapStart {
		l.initTook = took // it is reported with the restore
		return
	}
	if f.errType == "" && l.phase == telemetry.PhaseInit && e.initType() == telemetry.ProvisionedConcurrency {
		l.initTook = took // it is reported with the first invocation
	} else {
		e.tellInitReport(at, l, took)
	}
	e.hub.CloseSubscriptions()
}

func (e *Environment) tellInitReport(at time.Time, l *life, took time.Duration) {
	f := l.failure
	e.tell.InitReport(at, telemetry.InitReport{
		InitializationType: e.initType(), Phase: l.phase, Status: f.status(), ErrorType: f.reportedType(), Duration: took,
	})
}

func (e *Environment) tellStart(inv *Invocation) {
	if inv.WantLog {
		e.book.keepTail()
	}
	if inv.cold && e.initType() == telemetry.ProvisionedConcurrency {
		e.tellInitReport(inv.started, inv.life, inv.life.initTook)
	}
	e.tell.InvokeStart(inv.started, telemetry.InvokeStart{
		RequestID: inv.Event.RequestID, Version: e.cfg.Version.Version,
		Tracing: tracing(&inv.Event), TenantID: inv.Event.TenantID, FunctionARN: inv.Event.InvokedARN,
	})
}

// tellRuntimeDoneLocked: the runtime has done with an invocation, or the
// invocation with the runtime.
func (e *Environment) tellRuntimeDoneLocked(inv *Invocation, at time.Time, r report) {
	if inv.toldRuntimeDone {
		return
	}
	inv.toldRuntimeDone = true
	inv.runtimeTook = at.Sub(inv.started)
	if !e.tell.wants() {
		return
	}
	ev := telemetry.RuntimeDone{
		RequestID: inv.Event.RequestID, Status: r.status, ErrorType: r.errType,
		Duration: at.Sub(inv.started), ProducedBytes: -1,
		Tracing: tracing(&inv.Event), TenantID: inv.Event.TenantID,
	}
	if got := &inv.sink.measured; inv.responded {
		ev.ProducedBytes, ev.Stream = got.bytes, got.stream
		ev.Spans = telemetry.Spans{
			{Name: telemetry.ResponseLatency, Start: inv.started, Duration: got.began.Sub(inv.started)},
			{Name: telemetry.ResponseDuration, Start: got.began, Duration: got.over.Sub(got.began)},
			{Name: telemetry.RuntimeOverhead, Start: got.over, Duration: at.Sub(got.over)},
		}
	}
	e.tell.RuntimeDone(at, ev)
	e.tell.End(at, telemetry.End{RequestID: inv.Event.RequestID})
}

// tellFault is the Logs API's word for an invocation that was not completed.
func (e *Environment) tellFault(inv *Invocation, f failure) {
	e.book.flush(e.cfg.Sandbox) // the runtime's last words come before
	text := "RequestId: " + inv.Event.RequestID + " Error: " + f.cause + "\n" + f.errType + "\n"
	e.tell.Fault(e.cfg.Clock.Now(), telemetry.Fault{Text: text})
}

// report is how an invocation ended.
type report struct {
	duration     time.Duration
	initDuration time.Duration // zero: not the first invocation
	peakBytes    int64
	status       telemetry.Status
	errType      string
}

// reportEvent is a report as an event.
func (e *Environment) reportEvent(inv *Invocation, at time.Time, r report) telemetry.Report {
	ev := telemetry.Report{
		RequestID: inv.Event.RequestID, Status: r.status, ErrorType: r.errType,
		Metrics: telemetry.ReportMetrics{
			Duration: r.duration, BilledDurationMs: billed(r.duration, r.initDuration),
			MemorySizeMB: int64(e.run.MemoryMB), MaxMemoryUsedMB: wholeMB(r.peakBytes), InitDuration: r.initDuration,
		},
		Tracing: tracing(&inv.Event), TenantID: inv.Event.TenantID,
	}
	if inv.restored {
		m := &ev.Metrics
		m.RestoreDuration, m.BilledRestoreDuration = e.restoreDuration, billed(e.restoreDuration, 0)
		m.BilledDurationMs = billed(r.duration, time.Duration(m.BilledRestoreDuration)*time.Millisecond)
	}
	if inv.responded {
		ev.Metrics.Stream = inv.sink.measured.stream
	}
	if inv.told && inv.toldRuntimeDone {
		done := inv.started.Add(inv.runtimeTook)
		ev.Spans[0] = telemetry.Span{Name: telemetry.ExtensionOverhead, Start: done, Duration: at.Sub(done)}
	}
	return ev
}

// wholeMB is a size in MB, rounded up.
func wholeMB(bytes int64) int64 { return (bytes + 1<<20 - 1) >> 20 }

// tracing is the place in a trace as events have it: that of sampled requests.
// Whoever makes a span of an invocation takes its id from the one member, and
// its parent's from the other.
// https://docs.aws.amazon.com/lambda/latest/dg/telemetry-otel-spans.html
func tracing(ev *envapi.Event) telemetry.Tracing {
	switch {
	case !strings.Contains(ev.TraceID, "Sampled=1"):
		return telemetry.Tracing{}
	case ev.Segment == "":
		return telemetry.Tracing{Value: ev.TraceID}
	}
	return telemetry.Tracing{Value: strings.Replace(ev.TraceID, "Parent="+ev.Segment, "Parent="+ev.CallerSegment, 1), SpanID: ev.Segment}
}

// status is the failure as the status of an event.
func (f failure) status() telemetry.Status {
	switch {
	case f.errType == "":
		return telemetry.StatusSuccess
	case f.errType == errTypeTimeout || f.errType == errTypeRestoreTimeout:
		return telemetry.StatusTimeout
	case strings.HasPrefix(f.errType, "Sandbox."):
		return telemetry.StatusFailure
	}
	return telemetry.StatusError
}
