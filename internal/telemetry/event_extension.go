package telemetry

import "slices"

// ExtensionState is platform.extension: an extension's state at the end of the
// init.
type ExtensionState struct {
	platformEvent

	Name      string
	State     string   // such as Registered, Ready, LaunchError
	Events    []string // what it registered for
	ErrorType string
}

func (ExtensionState) kind() string    { return "platform.extension" }
func (ExtensionState) has(Schema) bool { return true }

func (e ExtensionState) size() int {
	return len(e.Name) + len(e.ErrorType) + listSize(e.Events)
}

func (e ExtensionState) keep() Event {
	e.Events = slices.Clone(e.Events)
	return e
}

func (e ExtensionState) appendRecord(dst []byte, s Schema) []byte {
	o := open(dst)
	o.text("name", e.Name)
	o.text("state", e.State)
	o.list("events", e.Events)
	if !s.logs() {
		o.optional("errorType", e.ErrorType)
	}
	return o.close()
}

// Subscribed is the only state of a subscription that is reported.
const Subscribed = "Subscribed"

// Subscribing is platform.telemetrySubscription, or platform.logsSubscription:
// an extension has subscribed. Subscribers of the Logs API see only theirs;
// those of the Telemetry API see both.
type Subscribing struct {
	platformEvent

	API   API
	Name  string   // the extension's
	State string   // Subscribed
	Types []string // platform, function, extension
}

func (e Subscribing) kind() string {
	if e.API == LogsAPI {
		return "platform.logsSubscription"
	}
	return "platform.telemetrySubscription"
}

func (e Subscribing) has(s Schema) bool { return !s.logs() || e.API == LogsAPI }
func (e Subscribing) size() int         { return len(e.Name) + listSize(e.Types) }

func (e Subscribing) keep() Event {
	e.Types = slices.Clone(e.Types)
	return e
}

func (e Subscribing) appendRecord(dst []byte, _ Schema) []byte {
	o := open(dst)
	o.text("name", e.Name)
	o.text("state", e.State)
	o.list("types", e.Types)
	return o.close()
}

// LogsDropped is platform.logsDropped. Hubs make it themselves, each for the
// subscriber that lost something.
type LogsDropped struct {
	platformEvent

	Reason         string
	DroppedRecords int64
	DroppedBytes   int64
}

func (LogsDropped) kind() string    { return "platform.logsDropped" }
func (LogsDropped) has(Schema) bool { return true }
func (e LogsDropped) keep() Event   { return e }
func (e LogsDropped) size() int     { return len(e.Reason) }

func (e LogsDropped) appendRecord(dst []byte, _ Schema) []byte {
	o := open(dst)
	o.integer("droppedRecords", e.DroppedRecords)
	o.integer("droppedBytes", e.DroppedBytes)
	o.text("reason", e.Reason)
	return o.close()
}

// Line is a log line of the function or of an extension. Its record is a
// string; in the Telemetry API's schemas from 2022-12-13 on it is an object,
// as it was logged, if JSON is set and the line is a JSON object.
type Line struct {
	Source Category // Function or Extension
	Text   []byte   // without its line end; borrowed for the call
	JSON   bool     // the function's log format is JSON
}

func (e Line) category() Category { return e.Source }
func (Line) has(Schema) bool      { return true }
func (e Line) size() int          { return len(e.Text) }

func (e Line) kind() string {
	if e.Source == Extension {
		return "extension"
	}
	return "function"
}

func (e Line) keep() Event {
	e.Text = slices.Clone(e.Text)
	return e
}

func (e Line) appendRecord(dst []byte, s Schema) []byte {
	if e.JSON && (s == Telemetry20221213 || s == Telemetry20250129) && isObject(e.Text) {
		return appendObject(dst, e.Text)
	}
	return appendString(dst, e.Text)
}

func listSize(list []string) int {
	n := 0
	for _, s := range list {
		n += len(s) + 16 // and the string's header
	}
	return n
}
