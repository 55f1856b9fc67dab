package telemetry

import (
	"encoding/json"
	"time"
)

// Type is the type of an event.
type Type string

// Types of events, and their records.
const (
	TypeInitStart          Type = "platform.initStart"             // *InitStart
	TypeInitRuntimeDone    Type = "platform.initRuntimeDone"       // *InitRuntimeDone
	TypeInitReport         Type = "platform.initReport"            // *InitReport
	TypeStart              Type = "platform.start"                 // *Start
	TypeRuntimeDone        Type = "platform.runtimeDone"           // *RuntimeDone
	TypeReport             Type = "platform.report"                // *Report
	TypeRestoreStart       Type = "platform.restoreStart"          // *RestoreStart
	TypeRestoreRuntimeDone Type = "platform.restoreRuntimeDone"    // *RestoreRuntimeDone
	TypeRestoreReport      Type = "platform.restoreReport"         // *RestoreReport
	TypeExtension          Type = "platform.extension"             // *ExtensionState
	TypeSubscription       Type = "platform.telemetrySubscription" // *Subscription
	TypeLogsDropped        Type = "platform.logsDropped"           // *LogsDropped
	TypeFunctionLog        Type = "function"                       // *Log
	TypeExtensionLog       Type = "extension"                      // *Log
)

// Event is one thing that happened, or one line of a log.
type Event struct {
	Time time.Time
	Type Type
	// Record says more. Its type is that beside the constants of Type; an event
	// of another type has a json.RawMessage.
	Record any
	// Raw is the record as it came.
	Raw json.RawMessage
}

// newRecord is an empty record of an event's type, or nil.
func newRecord(t Type) any {
	switch t {
	case TypeInitStart:
		return &InitStart{}
	case TypeInitRuntimeDone:
		return &InitRuntimeDone{}
	case TypeInitReport:
		return &InitReport{}
	case TypeStart:
		return &Start{}
	case TypeRuntimeDone:
		return &RuntimeDone{}
	case TypeReport:
		return &Report{}
	case TypeRestoreStart:
		return &RestoreStart{}
	case TypeRestoreRuntimeDone:
		return &RestoreRuntimeDone{}
	case TypeRestoreReport:
		return &RestoreReport{}
	case TypeExtension:
		return &ExtensionState{}
	case TypeSubscription:
		return &Subscription{}
	case TypeLogsDropped:
		return &LogsDropped{}
	case TypeFunctionLog, TypeExtensionLog:
		return &Log{}
	}
	return nil
}

// UnmarshalJSON reads an event. A record that is not as its type says stays a
// json.RawMessage: telemetry grows, and one surprise must not cost a batch.
func (e *Event) UnmarshalJSON(data []byte) error {
	var wide struct {
		Time   time.Time       `json:"time"`
		Type   Type            `json:"type"`
		Record json.RawMessage `json:"record"`
	}
	if err := json.Unmarshal(data, &wide); err != nil {
		return err
	}
	*e = Event{Time: wide.Time, Type: wide.Type, Record: wide.Record, Raw: wide.Record}
	if record := newRecord(e.Type); record != nil && json.Unmarshal(wide.Record, record) == nil {
		e.Record = record
	}
	return nil
}

// Milliseconds is a length of time as telemetry has it.
type Milliseconds float64

// Duration is the same for Go.
func (m Milliseconds) Duration() time.Duration {
	return time.Duration(float64(m) * float64(time.Millisecond))
}

// Log is a line that the function or an extension has written.
type Log struct {
	// Text is the line. Of a structured one, it is the JSON.
	Text string
	// JSON is set if the line is an object: with log format JSON, from schema
	// 2022-12-13 on.
	JSON json.RawMessage
}

// UnmarshalJSON reads a line, which is a string or an object.
func (l *Log) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &l.Text)
	}
	l.JSON = append(json.RawMessage(nil), data...)
	l.Text = string(data)
	return nil
}

// Tracing names the trace and the segment that something belongs to.
type Tracing struct {
	Type   string `json:"type"`
	Value  string `json:"value"`
	SpanID string `json:"spanId"`
}

// Span is a part of an invocation or an initialization: responseLatency,
// responseDuration, runtimeOverhead or extensionOverhead.
type Span struct {
	Name     string       `json:"name"`
	Start    time.Time    `json:"start"`
	Duration Milliseconds `json:"durationMs"`
}

// Outcome is how something ended.
type Outcome struct {
	// Status is success, failure, error or timeout.
	Status string `json:"status"`
	// ErrorType is such as Runtime.ExitError.
	ErrorType string   `json:"errorType"`
	Spans     []Span   `json:"spans"`
	Tracing   *Tracing `json:"tracing"`
}

// Phase is which initialization it is.
type Phase struct {
	// InitializationType is on-demand, provisioned-concurrency, snap-start or
	// lambda-managed-instances.
	InitializationType string `json:"initializationType"`
	// Phase is init, invoke (again, in the first invocation) or snap-start.
	Phase string `json:"phase"`
}

// Instance is the environment's function and runtime.
type Instance struct {
	FunctionName      string `json:"functionName"`
	FunctionVersion   string `json:"functionVersion"`
	FunctionARN       string `json:"functionArn"`
	RuntimeVersion    string `json:"runtimeVersion"`
	RuntimeVersionARN string `json:"runtimeVersionArn"`
	InstanceID        string `json:"instanceId"`
	InstanceMaxMemory int64  `json:"instanceMaxMemory"`
}
