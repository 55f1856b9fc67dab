package telemetry

import "time"

// The methods below report one event each; at is the time in its envelope.
// They take the event by value and look first whether anybody wants it, so
// that an environment without subscribers pays nanoseconds and no allocation.
// Emit, which takes any event, costs the caller the allocation of an interface.

// InitStart reports platform.initStart.
func (h *Hub) InitStart(at time.Time, e InitStart) {
	if h.Wants(Platform) {
		h.emit(at, e)
	}
}

// InitRuntimeDone reports platform.initRuntimeDone.
func (h *Hub) InitRuntimeDone(at time.Time, e InitRuntimeDone) {
	if h.Wants(Platform) {
		h.emit(at, e)
	}
}

// InitReport reports platform.initReport.
func (h *Hub) InitReport(at time.Time, e InitReport) {
	if h.Wants(Platform) {
		h.emit(at, e)
	}
}

// RestoreStart reports platform.restoreStart.
func (h *Hub) RestoreStart(at time.Time, e RestoreStart) {
	if h.Wants(Platform) {
		h.emit(at, e)
	}
}

// RestoreRuntimeDone reports platform.restoreRuntimeDone.
func (h *Hub) RestoreRuntimeDone(at time.Time, e RestoreRuntimeDone) {
	if h.Wants(Platform) {
		h.emit(at, e)
	}
}

// RestoreReport reports platform.restoreReport.
func (h *Hub) RestoreReport(at time.Time, e RestoreReport) {
	if h.Wants(Platform) {
		h.emit(at, e)
	}
}

// InvokeStart reports platform.start.
func (h *Hub) InvokeStart(at time.Time, e InvokeStart) {
	if h.Wants(Platform) {
		h.emit(at, e)
	}
}

// RuntimeDone reports platform.runtimeDone.
func (h *Hub) RuntimeDone(at time.Time, e RuntimeDone) {
	if h.Wants(Platform) {
		h.emit(at, e)
	}
}

// Report reports platform.report.
func (h *Hub) Report(at time.Time, e Report) {
	if h.Wants(Platform) {
		h.emit(at, e)
	}
}

// End reports platform.end.
func (h *Hub) End(at time.Time, e End) {
	if h.Wants(Platform) {
		h.emit(at, e)
	}
}

// Fault reports platform.fault.
func (h *Hub) Fault(at time.Time, e Fault) {
	if h.Wants(Platform) {
		h.emit(at, e)
	}
}

// ExtensionState reports platform.extension.
func (h *Hub) ExtensionState(at time.Time, e ExtensionState) {
	if h.Wants(Platform) {
		h.emit(at, e)
	}
}

// Subscribing reports platform.telemetrySubscription or
// platform.logsSubscription; it is for the caller of Subscribe to do.
func (h *Hub) Subscribing(at time.Time, e Subscribing) {
	if h.Wants(Platform) {
		h.emit(at, e)
	}
}

// Line reports a log line of the function or of an extension. Its text is not
// kept.
func (h *Hub) Line(at time.Time, e Line) {
	if h.Wants(e.Source) {
		h.emit(at, e)
	}
}

// Emit reports any event.
func (h *Hub) Emit(at time.Time, e Event) {
	if h.Wants(e.category()) {
		h.emit(at, e)
	}
}
