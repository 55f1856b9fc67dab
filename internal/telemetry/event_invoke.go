package telemetry

import (
	"strings"
	"time"
)

// InvokeStart is platform.start: an invocation begins.
type InvokeStart struct {
	platformEvent

	RequestID   string
	Version     string
	Tracing     Tracing
	TenantID    string
	FunctionARN string
}

func (InvokeStart) kind() string    { return "platform.start" }
func (InvokeStart) has(Schema) bool { return true }
func (e InvokeStart) keep() Event   { return e }

func (e InvokeStart) size() int {
	return len(e.RequestID) + len(e.TenantID) + len(e.FunctionARN) + e.Tracing.size()
}

func (e InvokeStart) appendRecord(dst []byte, s Schema) []byte {
	o := open(dst)
	o.text("requestId", e.RequestID)
	o.optional("version", e.Version)
	if !s.logs() {
		o.tracing(e.Tracing)
		o.optional("tenantId", e.TenantID)
		o.optional("functionArn", e.FunctionARN)
	}
	return o.close()
}

// RuntimeDone is platform.runtimeDone: the runtime is done with an invocation.
// Managed Instances have no such event.
type RuntimeDone struct {
	platformEvent

	RequestID     string
	Status        Status
	ErrorType     string
	Duration      time.Duration  // negative leaves the metrics out
	ProducedBytes int64          // size of the response; negative leaves it out
	Stream        *StreamMetrics // of a streamed response; otherwise nil
	Spans         Spans
	Tracing       Tracing
	TenantID      string
}

// StreamMetrics are the further figures of a streamed response. AWS counts them
// too, but is not known to tell subscribers.
type StreamMetrics struct {
	ProducedBytes int64 // also a member of RuntimeDone
	ThroughputBps int64 // bytes a second, from the first to the last
	TimeThrottled time.Duration
}

func (o *object) stream(m *StreamMetrics) {
	if m != nil {
		o.integer("outboundThroughputBps", m.ThroughputBps)
		o.duration("timeThrottledMs", m.TimeThrottled)
	}
}

func (RuntimeDone) kind() string      { return "platform.runtimeDone" }
func (RuntimeDone) has(s Schema) bool { return s != Logs20200815 }
func (e RuntimeDone) keep() Event     { return e }

func (e RuntimeDone) size() int {
	return len(e.RequestID) + len(e.ErrorType) + len(e.TenantID) + e.Tracing.size()
}

func (e RuntimeDone) appendRecord(dst []byte, s Schema) []byte {
	o := open(dst)
	o.text("requestId", e.RequestID)
	if s.logs() {
		o.text("status", string(e.Status.inLogs()))
		return o.close()
	}
	o.text("status", string(e.Status))
	o.optional("errorType", e.ErrorType)
	if e.Duration >= 0 {
		o.begin("metrics")
		o.duration("durationMs", e.Duration)
		if e.ProducedBytes >= 0 {
			o.integer("producedBytes", e.ProducedBytes)
		}
		o.stream(e.Stream)
		o.end()
	}
	o.spans(&e.Spans)
	o.tracing(e.Tracing)
	o.optional("tenantId", e.TenantID)
	return o.close()
}

// inLogs is the status in the words of the Logs API.
func (s Status) inLogs() Status {
	if s == StatusError {
		return StatusFailure
	}
	return s
}

// Report is platform.report: an invocation is over, extensions included.
type Report struct {
	platformEvent

	RequestID string
	Status    Status
	ErrorType string
	Metrics   ReportMetrics
	Spans     Spans
	Tracing   Tracing
	TenantID  string
}

// ReportMetrics are the figures of a Report.
type ReportMetrics struct {
	Duration time.Duration
	// DurationOnly is for Managed Instances, which report nothing else.
	DurationOnly          bool
	BilledDurationMs      int64
	MemorySizeMB          int64
	MaxMemoryUsedMB       int64
	InitDuration          time.Duration  // after a successful cold start; else zero
	RestoreDuration       time.Duration  // after a restore; else zero
	BilledRestoreDuration int64          // whole milliseconds; only with RestoreDuration
	Stream                *StreamMetrics // of a streamed response; otherwise nil
}

func (Report) kind() string    { return "platform.report" }
func (Report) has(Schema) bool { return true }
func (e Report) keep() Event   { return e }

func (e Report) size() int {
	return len(e.RequestID) + len(e.ErrorType) + len(e.TenantID) + e.Tracing.size()
}

func (e Report) appendRecord(dst []byte, s Schema) []byte {
	o := open(dst)
	o.text("requestId", e.RequestID)
	if !s.logs() {
		o.text("status", string(e.Status))
		o.optional("errorType", e.ErrorType)
	}
	o.metrics(&e.Metrics, s)
	if !s.logs() {
		o.spans(&e.Spans)
	}
	o.tracing(e.Tracing)
	if !s.logs() {
		o.optional("tenantId", e.TenantID)
	}
	return o.close()
}

func (o *object) metrics(m *ReportMetrics, s Schema) {
	o.begin("metrics")
	defer o.end()
	o.duration("durationMs", m.Duration)
	if m.DurationOnly {
		return
	}
	o.integer("billedDurationMs", m.BilledDurationMs)
	o.integer("memorySizeMB", m.MemorySizeMB)
	o.integer("maxMemoryUsedMB", m.MaxMemoryUsedMB)
	if m.InitDuration != 0 {
		o.duration("initDurationMs", m.InitDuration)
	}
	if m.RestoreDuration != 0 && !s.logs() {
		o.duration("restoreDurationMs", m.RestoreDuration)
		o.integer("billedRestoreDurationMs", m.BilledRestoreDuration)
	}
	if m.Stream != nil && !s.logs() {
		o.integer("producedBytes", m.Stream.ProducedBytes)
		o.stream(m.Stream)
	}
}

// End is platform.end, which only the Logs API has: the runtime is done.
type End struct {
	platformEvent

	RequestID string
}

func (End) kind() string      { return "platform.end" }
func (End) has(s Schema) bool { return s.logs() }
func (e End) keep() Event     { return e }
func (e End) size() int       { return len(e.RequestID) }

func (e End) appendRecord(dst []byte, _ Schema) []byte {
	o := open(dst)
	o.text("requestId", e.RequestID)
	return o.close()
}

// Fault is platform.fault, which only the Logs API has: its record is a text,
// such as "RequestId: <id> Process exited before completing request".
type Fault struct {
	platformEvent

	Text string
}

func (Fault) kind() string      { return "platform.fault" }
func (Fault) has(s Schema) bool { return s.logs() }
func (e Fault) size() int       { return len(e.Text) }

func (e Fault) keep() Event {
	e.Text = strings.Clone(e.Text)
	return e
}

func (e Fault) appendRecord(dst []byte, _ Schema) []byte { return appendString(dst, e.Text) }
