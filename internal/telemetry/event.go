package telemetry

import "time"

// An Event is what an environment reports: one of this package's structs, by
// value. Optional fields are left out of the encoding when they are zero,
// unless their comments say otherwise.
type Event interface {
	// category is the subscription type that the event belongs to.
	category() Category
	// kind is the event's type on the wire, such as platform.start.
	kind() string
	// has tells whether the schema knows the event.
	has(Schema) bool
	// appendRecord appends the JSON value of the event's record.
	appendRecord(dst []byte, s Schema) []byte
	// size bounds the memory that the event's variable parts take, in bytes.
	size() int
	// keep is the event with nothing borrowed from the caller.
	keep() Event
}

// Category is a bit of what a subscription can ask for in its types.
type Category uint8

// The categories of events.
const (
	Platform  Category = 1 << iota // events of the platform
	Function                       // the function's log lines
	Extension                      // the extensions' log lines

	allCategories = Platform | Function | Extension
)

// Schema is a version of the event schema, as a subscription names it.
type Schema string

// The schemas of the Telemetry API and of the Logs API.
const (
	Telemetry20220701 Schema = "2022-07-01"
	Telemetry20221213 Schema = "2022-12-13"
	Telemetry20250129 Schema = "2025-01-29" // the only one on Managed Instances
	Logs20200815      Schema = "2020-08-15"
	Logs20210318      Schema = "2021-03-18" // adds platform.runtimeDone
)

// logs tells whether the schema is one of the Logs API.
func (s Schema) logs() bool { return s == Logs20200815 || s == Logs20210318 }

// InitializationType says why an environment was made.
type InitializationType string

// The initialization types.
const (
	OnDemand               InitializationType = "on-demand"
	ProvisionedConcurrency InitializationType = "provisioned-concurrency"
	SnapStart              InitializationType = "snap-start"
	ManagedInstances       InitializationType = "lambda-managed-instances"
)

// Phase is where an init runs.
type Phase string

// The phases.
const (
	PhaseInit      Phase = "init"
	PhaseInvoke    Phase = "invoke" // repeated inside the first invocation
	PhaseSnapStart Phase = "snap-start"
)

// Status is how something ended.
type Status string

// The statuses. The schemas of the Logs API have no error: it becomes failure.
const (
	StatusSuccess Status = "success"
	StatusFailure Status = "failure" // the platform's fault: error types Sandbox.*
	StatusError   Status = "error"   // the runtime's, an extension's or the function's
	StatusTimeout Status = "timeout"
)

// Tracing is the X-Ray context of an event; without Value there is none.
type Tracing struct {
	Value  string // the whole trace header
	SpanID string // 16 hexadecimal digits
}

// Span is a part of an invocation's or an init's time.
type Span struct {
	Name     SpanName // empty leaves the span out
	Start    time.Time
	Duration time.Duration
}

// Spans are an event's spans, at most three; an array so that handing them to
// an Emitter costs no allocation.
type Spans [3]Span

// SpanName names a span.
type SpanName string

// The spans of platform.runtimeDone, and that of platform.report. On Managed
// Instances platform.report has the first two.
const (
	ResponseLatency   SpanName = "responseLatency"   // event handed out to first response byte
	ResponseDuration  SpanName = "responseDuration"  // first to last response byte
	RuntimeOverhead   SpanName = "runtimeOverhead"   // end of the response to next
	ExtensionOverhead SpanName = "extensionOverhead" // runtime done to the last extension's next
)

// Append appends the whole event in its envelope, a JSON object, to dst. It
// returns false, and dst as it was, if the schema has no such event. Callers
// that write system logs in JSON use it too; at is cut to milliseconds.
func Append(dst []byte, s Schema, at time.Time, e Event) ([]byte, bool) {
	if !e.has(s) {
		return dst, false
	}
	dst = append(dst, `{"time":"`...)
	dst = appendTime(dst, at)
	dst = append(dst, `","type":"`...)
	dst = append(dst, e.kind()...)
	dst = append(dst, `","record":`...)
	return append(e.appendRecord(dst, s), '}'), true
}
