package execenv

import (
	"time"

	"github.com/lambhq/lamb/internal/telemetry"
)

// Events is told of everything that AWS reports of an environment, at the time
// in the event's envelope. Its methods are called in order, and some with the
// environment's locks held: they must not block, and not call back. What they
// get may be kept, but for the slices in it.
//
// A telemetry.Hub is one, which encodes events for subscribers; the log of an
// environment is one, which writes the platform's lines.
type Events interface {
	InitStart(at time.Time, e telemetry.InitStart)
	InitRuntimeDone(at time.Time, e telemetry.InitRuntimeDone)
	InitReport(at time.Time, e telemetry.InitReport)
	RestoreStart(at time.Time, e telemetry.RestoreStart)
	RestoreRuntimeDone(at time.Time, e telemetry.RestoreRuntimeDone)
	RestoreReport(at time.Time, e telemetry.RestoreReport)
	InvokeStart(at time.Time, e telemetry.InvokeStart)
	RuntimeDone(at time.Time, e telemetry.RuntimeDone)
	End(at time.Time, e telemetry.End)
	Report(at time.Time, e telemetry.Report)
	ExtensionState(at time.Time, e telemetry.ExtensionState)
	Subscribing(at time.Time, e telemetry.Subscribing)
	Fault(at time.Time, e telemetry.Fault)
}

var (
	_ Events = (*telemetry.Hub)(nil)
	_ Events = (*logbook)(nil)
	_ Events = (*audience)(nil)
)

// audience is everybody who is told of one environment: the subscribers, the
// log, and who else was configured. Reports reach the log later than the
// others (see Environment.finish), so Report is for these alone.
type audience struct {
	hub  *telemetry.Hub
	book *logbook
	more Events // may be nil
}

// wants tells whether somebody looks at events that are not in text logs.
func (a *audience) wants() bool {
	return a.hub.Wants(telemetry.Platform) || a.book.asJSON || a.more != nil
}

// InitStart implements Events.
func (a *audience) InitStart(at time.Time, e telemetry.InitStart) {
	a.hub.InitStart(at, e)
	a.book.InitStart(at, e)
	if a.more != nil {
		a.more.InitStart(at, e)
	}
}

// InitRuntimeDone implements Events.
func (a *audience) InitRuntimeDone(at time.Time, e telemetry.InitRuntimeDone) {
	a.hub.InitRuntimeDone(at, e)
	a.book.InitRuntimeDone(at, e)
	if a.more != nil {
		a.more.InitRuntimeDone(at, e)
	}
}

// InitReport implements Events.
func (a *audience) InitReport(at time.Time, e telemetry.InitReport) {
	a.hub.InitReport(at, e)
	a.book.InitReport(at, e)
	if a.more != nil {
		a.more.InitReport(at, e)
	}
}

// RestoreStart implements Events.
func (a *audience) RestoreStart(at time.Time, e telemetry.RestoreStart) {
	a.hub.RestoreStart(at, e)
	a.book.RestoreStart(at, e)
	if a.more != nil {
		a.more.RestoreStart(at, e)
	}
}

// RestoreRuntimeDone implements Events.
func (a *audience) RestoreRuntimeDone(at time.Time, e telemetry.RestoreRuntimeDone) {
	a.hub.RestoreRuntimeDone(at, e)
	a.book.RestoreRuntimeDone(at, e)
	if a.more != nil {
		a.more.RestoreRuntimeDone(at, e)
	}
}

// RestoreReport implements Events.
func (a *audience) RestoreReport(at time.Time, e telemetry.RestoreReport) {
	a.hub.RestoreReport(at, e)
	a.book.RestoreReport(at, e)
	if a.more != nil {
		a.more.RestoreReport(at, e)
	}
}

// InvokeStart implements Events.
func (a *audience) InvokeStart(at time.Time, e telemetry.InvokeStart) {
	a.hub.InvokeStart(at, e)
	a.book.InvokeStart(at, e)
	if a.more != nil {
		a.more.InvokeStart(at, e)
	}
}

// RuntimeDone implements Events.
func (a *audience) RuntimeDone(at time.Time, e telemetry.RuntimeDone) {
	a.hub.RuntimeDone(at, e)
	a.book.RuntimeDone(at, e)
	if a.more != nil {
		a.more.RuntimeDone(at, e)
	}
}

// End implements Events.
func (a *audience) End(at time.Time, e telemetry.End) {
	a.hub.End(at, e)
	a.book.End(at, e)
	if a.more != nil {
		a.more.End(at, e)
	}
}

// Report implements Events.
func (a *audience) Report(at time.Time, e telemetry.Report) {
	a.hub.Report(at, e)
	if a.more != nil {
		a.more.Report(at, e)
	}
}

// ExtensionState implements Events.
func (a *audience) ExtensionState(at time.Time, e telemetry.ExtensionState) {
	a.hub.ExtensionState(at, e)
	a.book.ExtensionState(at, e)
	if a.more != nil {
		a.more.ExtensionState(at, e)
	}
}

// Subscribing implements Events.
func (a *audience) Subscribing(at time.Time, e telemetry.Subscribing) {
	a.hub.Subscribing(at, e)
	a.book.Subscribing(at, e)
	if a.more != nil {
		a.more.Subscribing(at, e)
	}
}

// Fault implements Events.
func (a *audience) Fault(at time.Time, e telemetry.Fault) {
	a.hub.Fault(at, e)
	a.book.Fault(at, e)
	if a.more != nil {
		a.more.Fault(at, e)
	}
}
