package telemetry

import "time"

// platformEvent is what all platform events have in common.
type platformEvent struct{}

func (platformEvent) category() Category { return Platform }

// telemetryOnly are the events that the Logs API does not have.
type telemetryOnly struct{ platformEvent }

func (telemetryOnly) has(s Schema) bool { return !s.logs() }

// InitStart is platform.initStart: an init begins.
type InitStart struct {
	telemetryOnly

	InitializationType InitializationType
	Phase              Phase
	FunctionName       string
	FunctionVersion    string
	RuntimeVersion     string // such as python:3.13.v50
	RuntimeVersionARN  string
	InstanceID         string // the log stream's name
	InstanceMaxMemory  int64  // bytes, as in real logs; 0 leaves it out
	FunctionARN        string
	Tracing            Tracing
}

func (InitStart) kind() string  { return "platform.initStart" }
func (e InitStart) keep() Event { return e }

func (e InitStart) size() int {
	return len(e.FunctionName) + len(e.FunctionARN) + len(e.InstanceID) + e.Tracing.size()
}

func (e InitStart) appendRecord(dst []byte, _ Schema) []byte {
	o := open(dst)
	o.text("initializationType", string(e.InitializationType))
	o.text("phase", string(e.Phase))
	o.optional("functionName", e.FunctionName)
	o.optional("functionVersion", e.FunctionVersion)
	o.optional("runtimeVersion", e.RuntimeVersion)
	o.optional("runtimeVersionArn", e.RuntimeVersionARN)
	o.optional("instanceId", e.InstanceID)
	if e.InstanceMaxMemory != 0 {
		o.integer("instanceMaxMemory", e.InstanceMaxMemory)
	}
	o.optional("functionArn", e.FunctionARN)
	o.tracing(e.Tracing)
	return o.close()
}

// InitRuntimeDone is platform.initRuntimeDone: the runtime has asked for its
// first event, or failed to.
type InitRuntimeDone struct {
	telemetryOnly

	InitializationType InitializationType
	Phase              Phase
	Status             Status
	ErrorType          string
	Spans              Spans
	Tracing            Tracing
}

func (InitRuntimeDone) kind() string  { return "platform.initRuntimeDone" }
func (e InitRuntimeDone) keep() Event { return e }
func (e InitRuntimeDone) size() int   { return len(e.ErrorType) + e.Tracing.size() }

func (e InitRuntimeDone) appendRecord(dst []byte, _ Schema) []byte {
	o := open(dst)
	o.text("initializationType", string(e.InitializationType))
	o.text("phase", string(e.Phase))
	o.text("status", string(e.Status))
	o.optional("errorType", e.ErrorType)
	o.spans(&e.Spans)
	o.tracing(e.Tracing)
	return o.close()
}

// InitReport is platform.initReport: an init is over.
type InitReport struct {
	telemetryOnly

	InitializationType InitializationType
	Phase              Phase
	Status             Status
	ErrorType          string
	Duration           time.Duration
	Spans              Spans
	Tracing            Tracing
}

func (InitReport) kind() string  { return "platform.initReport" }
func (e InitReport) keep() Event { return e }
func (e InitReport) size() int   { return len(e.ErrorType) + e.Tracing.size() }

func (e InitReport) appendRecord(dst []byte, _ Schema) []byte {
	o := open(dst)
	o.text("initializationType", string(e.InitializationType))
	o.text("phase", string(e.Phase))
	o.text("status", string(e.Status))
	o.optional("errorType", e.ErrorType)
	o.begin("metrics")
	o.duration("durationMs", e.Duration)
	o.end()
	o.spans(&e.Spans)
	o.tracing(e.Tracing)
	return o.close()
}

// RestoreStart is platform.restoreStart: a snapshot is resumed.
type RestoreStart struct {
	telemetryOnly

	FunctionName      string
	FunctionVersion   string
	RuntimeVersion    string
	RuntimeVersionARN string
	InstanceID        string
	InstanceMaxMemory int64 // bytes; 0 leaves it out
}

func (RestoreStart) kind() string  { return "platform.restoreStart" }
func (e RestoreStart) keep() Event { return e }
func (e RestoreStart) size() int   { return len(e.FunctionName) + len(e.InstanceID) }

func (e RestoreStart) appendRecord(dst []byte, _ Schema) []byte {
	o := open(dst)
	o.optional("functionName", e.FunctionName)
	o.optional("functionVersion", e.FunctionVersion)
	o.optional("runtimeVersion", e.RuntimeVersion)
	o.optional("runtimeVersionArn", e.RuntimeVersionARN)
	o.optional("instanceId", e.InstanceID)
	if e.InstanceMaxMemory != 0 {
		o.integer("instanceMaxMemory", e.InstanceMaxMemory)
	}
	return o.close()
}

// RestoreRuntimeDone is platform.restoreRuntimeDone: the after-restore hooks
// have run.
type RestoreRuntimeDone struct {
	telemetryOnly

	Status    Status
	ErrorType string
	Spans     Spans
}

func (RestoreRuntimeDone) kind() string  { return "platform.restoreRuntimeDone" }
func (e RestoreRuntimeDone) keep() Event { return e }
func (e RestoreRuntimeDone) size() int   { return len(e.ErrorType) }

func (e RestoreRuntimeDone) appendRecord(dst []byte, _ Schema) []byte {
	o := open(dst)
	o.text("status", string(e.Status))
	o.optional("errorType", e.ErrorType)
	o.spans(&e.Spans)
	return o.close()
}

// RestoreReport is platform.restoreReport: a restore is over.
type RestoreReport struct {
	telemetryOnly

	Status    Status
	ErrorType string
	Duration  time.Duration // negative leaves the metrics out
	Spans     Spans
}

func (RestoreReport) kind() string  { return "platform.restoreReport" }
func (e RestoreReport) keep() Event { return e }
func (e RestoreReport) size() int   { return len(e.ErrorType) }

func (e RestoreReport) appendRecord(dst []byte, _ Schema) []byte {
	o := open(dst)
	o.text("status", string(e.Status))
	o.optional("errorType", e.ErrorType)
	if e.Duration >= 0 {
		o.begin("metrics")
		o.duration("durationMs", e.Duration)
		o.end()
	}
	o.spans(&e.Spans)
	return o.close()
}
