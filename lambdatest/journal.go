package lambdatest

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/telemetry"
)

// Event is an event of the platform, as the Telemetry API has it in its schema
// 2022-12-13. No extension has to subscribe for it to be kept.
type Event struct {
	Time time.Time `json:"time"`
	// Type is platform.start, platform.report and so on.
	Type   string          `json:"type"`
	Record json.RawMessage `json:"record"`
}

// Events are the events of the types so far, of all types if none is given, in
// their order.
func (e *Environment) Events(types ...string) []Event { return e.journal.all(types) }

// ClearEvents forgets the events so far.
func (e *Environment) ClearEvents() {
	e.journal.mu.Lock()
	defer e.journal.mu.Unlock()
	e.journal.events = nil
}

// WaitEvent waits for an event of a type of which ok, if it is not nil, holds,
// and returns it. Events before the call count. It ends the test when none
// comes.
func (e *Environment) WaitEvent(kind string, ok func(Event) bool) Event {
	e.t.Helper()
	var found Event
	e.waitFor("an event "+kind, func() bool {
		events := e.Events(kind)
		i := slices.IndexFunc(events, func(ev Event) bool { return ok == nil || ok(ev) })
		if i >= 0 {
			found = events[i]
		}
		return i >= 0
	})
	return found
}

// TelemetryStats are the figures of what subscribers of the Telemetry and Logs
// APIs got, since the environment was made.
type TelemetryStats = telemetry.Stats

// Telemetry tells what subscribers have got so far.
func (e *Environment) Telemetry() TelemetryStats { return e.engine.TelemetryStats() }

// Log is the environment's log so far: what its programs have written, and the
// platform's lines.
func (e *Environment) Log() string {
	e.journal.mu.Lock()
	defer e.journal.mu.Unlock()
	return e.journal.log.String()
}

// journal keeps what happens in an environment.
type journal struct {
	changes changes

	mu     sync.Mutex
	events []Event
	log    bytes.Buffer
	own    bytes.Buffer // what the engine has to say
}

var (
	_ execenv.Events = (*journal)(nil)
	_ execenv.Logs   = (*journal)(nil)
)

func newJournal() *journal { return &journal{} }

// logger takes the engine's own messages.
func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(ownWriter{j}, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

type ownWriter struct{ j *journal }

func (w ownWriter) Write(p []byte) (int, error) {
	w.j.mu.Lock()
	defer w.j.mu.Unlock()
	return w.j.own.Write(p)
}

func (j *journal) messages() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.own.String()
}

func (j *journal) all(types []string) []Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []Event
	for _, ev := range j.events {
		if len(types) == 0 || slices.Contains(types, ev.Type) {
			found = append(found, ev)
		}
	}
	return found
}

// Line implements execenv.Logs.
func (j *journal) Line(_ time.Time, line []byte) {
	j.mu.Lock()
	j.log.Write(line)
	j.mu.Unlock()
	j.changes.tell()
}

// add keeps an event as subscribers would get it.
func (j *journal) add(at time.Time, e telemetry.Event) {
	schema := telemetry.Telemetry20221213
	encoded, ok := telemetry.Append(nil, schema, at, e)
	if !ok { // an event of the Logs API alone
		encoded, ok = telemetry.Append(nil, telemetry.Logs20210318, at, e)
	}
	var ev Event
	if !ok || json.Unmarshal(encoded, &ev) != nil {
		return // no schema has it
	}
	j.mu.Lock()
	j.events = append(j.events, ev)
	j.mu.Unlock()
	j.changes.tell()
}

// The rest implements execenv.Events.

func (j *journal) InitStart(at time.Time, e telemetry.InitStart)             { j.add(at, e) }
func (j *journal) InitRuntimeDone(at time.Time, e telemetry.InitRuntimeDone) { j.add(at, e) }
func (j *journal) InitReport(at time.Time, e telemetry.InitReport)           { j.add(at, e) }
func (j *journal) RestoreStart(at time.Time, e telemetry.RestoreStart)       { j.add(at, e) }
func (j *journal) RestoreReport(at time.Time, e telemetry.RestoreReport)     { j.add(at, e) }
func (j *journal) InvokeStart(at time.Time, e telemetry.InvokeStart)         { j.add(at, e) }
func (j *journal) RuntimeDone(at time.Time, e telemetry.RuntimeDone)         { j.add(at, e) }
func (j *journal) End(at time.Time, e telemetry.End)                         { j.add(at, e) }
func (j *journal) Report(at time.Time, e telemetry.Report)                   { j.add(at, e) }
func (j *journal) ExtensionState(at time.Time, e telemetry.ExtensionState)   { j.add(at, e) }
func (j *journal) Subscribing(at time.Time, e telemetry.Subscribing)         { j.add(at, e) }
func (j *journal) Fault(at time.Time, e telemetry.Fault)                     { j.add(at, e) }
func (j *journal) RestoreRuntimeDone(at time.Time, e telemetry.RestoreRuntimeDone) {
	j.add(at, e)
}
