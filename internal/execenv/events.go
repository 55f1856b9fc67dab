package execenv

import (
	"strings"
	"time"

	"github.com/lambhq/lamb/internal/telemetry"
)

// This file tells what happens in an environment: to the log, as text or as
// JSON, and to the subscribers of the Telemetry and Logs APIs. Nothing here
// blocks, and what nobody wants costs next to nothing.

// initType is why environments are made.
const initType = telemetry.OnDemand

func (e *Environment) tellInitStart(phase telemetry.Phase) {
	v, at := e.cfg.Version, e.cfg.Clock.Now()
	ev := telemetry.InitStart{
		InitializationType: initType, Phase: phase, FunctionName: v.Key.Name, FunctionVersion: v.Version,
		RuntimeVersion: e.run.Runtime, RuntimeVersionARN: e.run.RuntimeVersionARN,
		InstanceID: e.cfg.LogStream, InstanceMaxMemory: int64(e.run.MemoryMB) << 20,
	}
	e.hub.InitStart(at, ev)
	if phase == telemetry.PhaseInit { // the log has one for each environment
		e.book.initStart(at, e.run, ev)
	}
}

// tellInitRuntimeDone: the runtime has asked for its first event, or never will.
func (e *Environment) tellInitRuntimeDone(l *life, f failure) {
	if l.toldRuntimeDone {
		return
	}
	l.toldRuntimeDone = true
	at := e.cfg.Clock.Now()
	ev := telemetry.InitRuntimeDone{InitializationType: initType, Phase: l.phase, Status: f.status(), ErrorType: f.errType}
	e.hub.InitRuntimeDone(at, ev)
	e.book.json(at, levelOf(f.errType == "", levelDebug), ev)
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
		e.hub.ExtensionState(at, s)
		e.book.extension(at, s)
	}
	ev := telemetry.InitReport{
		InitializationType: initType, Phase: l.phase, Status: f.status(), ErrorType: f.errType, Duration: took,
	}
	e.hub.InitReport(at, ev)
	e.book.initReport(at, took, string(l.phase), f.errType, ev)
	e.hub.CloseSubscriptions()
}

func (e *Environment) tellStart(inv *Invocation) {
	ev := telemetry.InvokeStart{
		RequestID: inv.Event.RequestID, Version: e.cfg.Version.Version,
		Tracing: tracing(inv.Event.TraceID), TenantID: inv.Event.TenantID, FunctionARN: inv.Event.InvokedARN,
	}
	e.hub.InvokeStart(inv.started, ev)
	e.book.start(inv.started, inv.WantLog, ev)
}

// tellRuntimeDoneLocked: the runtime has done with an invocation, or the
// invocation with the runtime.
func (e *Environment) tellRuntimeDoneLocked(inv *Invocation, at time.Time, r report) {
	if inv.toldRuntimeDone {
		return
	}
	inv.toldRuntimeDone = true
	inv.runtimeDoneAt = at
	if !e.hub.Wants(telemetry.Platform) && !e.book.asJSON {
		return
	}
	ev := telemetry.RuntimeDone{
		RequestID: inv.Event.RequestID, Status: telemetry.Status(r.status), ErrorType: r.errType,
		Duration: at.Sub(inv.started), ProducedBytes: -1,
		Tracing: tracing(inv.Event.TraceID), TenantID: inv.Event.TenantID,
	}
	if got := inv.response; !got.over.IsZero() {
		ev.ProducedBytes = got.bytes
		ev.Spans = telemetry.Spans{
			{Name: telemetry.ResponseLatency, Start: inv.started, Duration: got.began.Sub(inv.started)},
			{Name: telemetry.ResponseDuration, Start: got.began, Duration: got.over.Sub(got.began)},
			{Name: telemetry.RuntimeOverhead, Start: got.over, Duration: at.Sub(got.over)},
		}
	}
	e.hub.RuntimeDone(at, ev)
	e.hub.End(at, telemetry.End{RequestID: inv.Event.RequestID})
	e.book.json(at, levelOf(r.status == "success", levelDebug), ev)
}

// tellFault is the Logs API's word for an invocation that was not completed.
func (e *Environment) tellFault(inv *Invocation, f failure) {
	text := "RequestId: " + inv.Event.RequestID + " Error: " + f.cause + "\n" + f.errType + "\n"
	e.hub.Fault(e.cfg.Clock.Now(), telemetry.Fault{Text: text})
}

// reportEvent is a report for the subscribers.
func (e *Environment) reportEvent(inv *Invocation, at time.Time, r report) telemetry.Report {
	ev := telemetry.Report{
		RequestID: r.requestID, Status: telemetry.Status(r.status), ErrorType: r.errType,
		Metrics: telemetry.ReportMetrics{
			Duration: r.duration, BilledDurationMs: billed(r.duration, r.initDuration),
			MemorySizeMB: int64(r.memoryMB), MaxMemoryUsedMB: r.peakMB(), InitDuration: r.initDuration,
		},
		Tracing: tracing(inv.Event.TraceID), TenantID: inv.Event.TenantID,
	}
	if over := at.Sub(inv.runtimeDoneAt); inv.told && !inv.runtimeDoneAt.IsZero() {
		ev.Spans[0] = telemetry.Span{Name: telemetry.ExtensionOverhead, Start: inv.runtimeDoneAt, Duration: over}
	}
	return ev
}

// tracing is a trace header as events have it: that of sampled requests.
func tracing(header string) telemetry.Tracing {
	if !strings.Contains(header, "Sampled=1") {
		return telemetry.Tracing{}
	}
	return telemetry.Tracing{Value: header}
}

// status is the failure as the status of an event.
func (f failure) status() telemetry.Status {
	switch {
	case f.errType == "":
		return telemetry.StatusSuccess
	case f.errType == errTypeTimeout:
		return telemetry.StatusTimeout
	case strings.HasPrefix(f.errType, "Sandbox."):
		return telemetry.StatusFailure
	}
	return telemetry.StatusError
}
