package execenv

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lambhq/lamb/internal/telemetry"
)

// level is the importance of a platform line in the JSON format.
type level int

const (
	levelDebug level = iota
	levelInfo
	levelWarn
)

// parseLevel reads SystemLogLevel; INFO is the default.
func parseLevel(s string) level {
	switch s {
	case "DEBUG":
		return levelDebug
	case "WARN":
		return levelWarn
	}
	return levelInfo
}

// levelOf is the level of an event: good on success, else WARN.
func levelOf(success bool, good level) level {
	if success {
		return good
	}
	return levelWarn
}

// json writes a platform event, in the JSON format, if its level is wanted.
func (b *logbook) json(at time.Time, l level, ev telemetry.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.jsonLocked(at, l, ev)
}

func (b *logbook) jsonLocked(at time.Time, l level, ev telemetry.Event) {
	if l < b.level {
		return
	}
	if line, ok := telemetry.Append(b.scratch[:0], telemetry.Telemetry20221213, at, ev); ok {
		b.platformLocked(line)
	}
}

func (b *logbook) printf(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lineLocked(fmt.Appendf(nil, format, args...))
}

// InitStart implements Events. The log has one for each environment: an init
// inside an invocation is not told.
func (b *logbook) InitStart(at time.Time, ev telemetry.InitStart) {
	switch {
	case ev.Phase == telemetry.PhaseInvoke:
	case b.asJSON:
		b.json(at, levelInfo, ev)
	default:
		b.printf("INIT_START Runtime Version: %s\tRuntime Version ARN: %s\n", ev.RuntimeVersion, ev.RuntimeVersionARN)
	}
}

// InitRuntimeDone implements Events.
func (b *logbook) InitRuntimeDone(at time.Time, ev telemetry.InitRuntimeDone) {
	if b.asJSON {
		b.json(at, levelOf(ev.Status == telemetry.StatusSuccess, levelDebug), ev)
	}
}

// InitReport implements Events. In the text format an init on demand is told
// of only if it failed.
func (b *logbook) InitReport(at time.Time, ev telemetry.InitReport) {
	ok, good := ev.Status == telemetry.StatusSuccess, levelInfo
	if ev.InitializationType == telemetry.OnDemand {
		good = levelDebug
	}
	switch {
	case b.asJSON:
		b.json(at, levelOf(ok, good), ev)
	case !ok:
		b.printf("INIT_REPORT Init Duration: %.2f ms\tPhase: %s\t%s\n", ms(ev.Duration), ev.Phase, statusText(ev.Status, ev.ErrorType))
	case good == levelInfo:
		b.printf("INIT_REPORT Init Duration: %.2f ms\n", ms(ev.Duration))
	}
}

// statusText is how text lines tell of what did not succeed.
func statusText(s telemetry.Status, errType string) string {
	if s == telemetry.StatusTimeout {
		return "Status: timeout"
	}
	return "Status: error\tError Type: " + errType
}

// RestoreStart implements Events.
func (b *logbook) RestoreStart(at time.Time, ev telemetry.RestoreStart) {
	if b.asJSON {
		b.json(at, levelInfo, ev)
		return
	}
	b.printf("RESTORE_START Runtime Version: %s\tRuntime Version ARN: %s\n", ev.RuntimeVersion, ev.RuntimeVersionARN)
}

// RestoreRuntimeDone implements Events.
func (b *logbook) RestoreRuntimeDone(at time.Time, ev telemetry.RestoreRuntimeDone) {
	if b.asJSON {
		b.json(at, levelOf(ev.Status == telemetry.StatusSuccess, levelDebug), ev)
	}
}

// RestoreReport implements Events.
func (b *logbook) RestoreReport(at time.Time, ev telemetry.RestoreReport) {
	ok := ev.Status == telemetry.StatusSuccess
	switch {
	case b.asJSON:
		b.json(at, levelOf(ok, levelInfo), ev)
	case ok:
		b.printf("RESTORE_REPORT Restore Duration: %.2f ms\n", ms(ev.Duration))
	default:
		b.printf("RESTORE_REPORT Restore Duration: %.2f ms\t%s\n", ms(ev.Duration), statusText(ev.Status, ev.ErrorType))
	}
}

// ExtensionState implements Events: an extension at the end of an init.
func (b *logbook) ExtensionState(at time.Time, ev telemetry.ExtensionState) {
	if b.asJSON {
		b.json(at, levelOf(ev.ErrorType == "", levelInfo), ev)
		return
	}
	failed := ""
	if ev.ErrorType != "" {
		failed = "\tError Type: " + ev.ErrorType
	}
	b.printf("EXTENSION\tName: %s\tState: %s\tEvents: [%s]%s\n", ev.Name, ev.State, strings.Join(ev.Events, ", "), failed)
}

// Subscribing implements Events: there is a new subscription.
func (b *logbook) Subscribing(at time.Time, ev telemetry.Subscribing) {
	if b.asJSON {
		b.json(at, levelInfo, ev)
		return
	}
	api, types := "TELEMETRY", make([]string, 0, len(ev.Types))
	if ev.API == telemetry.LogsAPI {
		api = "LOGS"
	}
	for _, t := range ev.Types {
		types = append(types, strings.ToUpper(t[:1])+t[1:])
	}
	b.printf("%s\tName: %s\tState: %s\tTypes: [%s]\n", api, ev.Name, ev.State, strings.Join(types, ", "))
}

// InvokeStart implements Events: an invocation's part of the log begins.
func (b *logbook) InvokeStart(at time.Time, ev telemetry.InvokeStart) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asJSON {
		b.jsonLocked(at, levelInfo, ev)
		return
	}
	line := append(b.scratch[:0], "START RequestId: "...)
	line = append(line, ev.RequestID...)
	line = append(line, " Version: "...)
	line = append(line, ev.Version...)
	b.platformLocked(line)
}

// RuntimeDone implements Events.
func (b *logbook) RuntimeDone(at time.Time, ev telemetry.RuntimeDone) {
	if b.asJSON {
		b.json(at, levelOf(ev.Status == telemetry.StatusSuccess, levelDebug), ev)
	}
}

// End implements Events. The log has its line together with the report's.
func (b *logbook) End(time.Time, telemetry.End) {}

// Fault implements Events. The log tells of it in the report.
func (b *logbook) Fault(time.Time, telemetry.Fault) {}

// Report implements Events: an invocation's part of the log ends, with END and
// REPORT.
func (b *logbook) Report(at time.Time, ev telemetry.Report) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asJSON {
		b.jsonLocked(at, levelOf(ev.Status == telemetry.StatusSuccess, levelInfo), ev)
	} else {
		b.platformLocked(append(append(b.scratch[:0], "END RequestId: "...), ev.RequestID...))
		b.platformLocked(appendReport(b.scratch[:0], &ev))
	}
	b.keep = false
}

// platformLocked writes a line that was built in scratch. The lines of every
// invocation are built there by hand: fmt would allocate for each argument.
func (b *logbook) platformLocked(line []byte) {
	line = append(line, '\n')
	b.scratch = line
	b.lineLocked(line)
}

// appendReport appends the REPORT event without its last newline.
func appendReport(line []byte, r *telemetry.Report) []byte {
	m := &r.Metrics
	line = append(line, "REPORT RequestId: "...)
	line = append(line, r.RequestID...)
	line = append(line, "\tDuration: "...)
	line = appendMs(line, m.Duration)
	if m.DurationOnly {
		return append(line, " ms"...)
	}
	line = append(line, " ms\tBilled Duration: "...)
	line = strconv.AppendInt(line, m.BilledDurationMs, 10)
	line = append(line, " ms\tMemory Size: "...)
	line = strconv.AppendInt(line, m.MemorySizeMB, 10)
	line = append(line, " MB\tMax Memory Used: "...)
	line = strconv.AppendInt(line, m.MaxMemoryUsedMB, 10)
	line = append(line, " MB\t"...)
	if m.InitDuration > 0 {
		line = append(line, "Init Duration: "...)
		line = appendMs(line, m.InitDuration)
		line = append(line, " ms\t"...)
	}
	if m.RestoreDuration > 0 {
		line = append(line, "Restore Duration: "...)
		line = appendMs(line, m.RestoreDuration)
		line = append(line, " ms\tBilled Restore Duration: "...)
		line = strconv.AppendInt(line, m.BilledRestoreDuration, 10)
		line = append(line, " ms\t"...)
	}
	if r.Status != telemetry.StatusSuccess {
		line = append(line, statusText(r.Status, r.ErrorType)...)
	}
	return appendXRay(line, r.Tracing)
}

// appendMs appends milliseconds with two decimals.
func appendMs(b []byte, d time.Duration) []byte {
	return strconv.AppendFloat(b, ms(d), 'f', 2, 64)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
