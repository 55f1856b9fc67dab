package execenv

import (
	"fmt"
	"strings"
	"time"

	"github.com/lambhq/lamb/internal/function"
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

// json writes a platform event if the format is JSON and its level is wanted.
func (b *logbook) json(at time.Time, l level, ev telemetry.Event) {
	if !b.asJSON {
		return
	}
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

func (b *logbook) initStart(at time.Time, c function.Config, ev telemetry.InitStart) {
	if b.asJSON {
		b.json(at, levelInfo, ev)
		return
	}
	b.printf("INIT_START Runtime Version: %s\tRuntime Version ARN: %s\n", c.Runtime, c.RuntimeVersionARN)
}

// initReport tells of an init's end: the text format has failures only.
func (b *logbook) initReport(at time.Time, took time.Duration, phase, errType string, ev telemetry.InitReport) {
	switch {
	case b.asJSON:
		b.json(at, levelOf(errType == "", levelDebug), ev)
	case errType == errTypeTimeout:
		b.printf("INIT_REPORT Init Duration: %.2f ms\tPhase: %s\tStatus: timeout\n", ms(took), phase)
	case errType != "":
		b.printf("INIT_REPORT Init Duration: %.2f ms\tPhase: %s\tStatus: error\tError Type: %s\n", ms(took), phase, errType)
	}
}

// extension tells of an extension at the end of an init.
func (b *logbook) extension(at time.Time, ev telemetry.ExtensionState) {
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

// subscription tells of a new subscription.
func (b *logbook) subscription(at time.Time, ev telemetry.Subscribing) {
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

// start begins an invocation's part of the log; its tail is kept if wanted.
func (b *logbook) start(at time.Time, wantTail bool, ev telemetry.InvokeStart) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keep = wantTail
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

// platformLocked writes a line that was built in scratch. The lines of every
// invocation are built there by hand: fmt would allocate for each argument.
func (b *logbook) platformLocked(line []byte) {
	line = append(line, '\n')
	b.scratch = line
	b.lineLocked(line)
}

// finish writes END and REPORT and returns the tail if start was told to keep
// it.
func (b *logbook) finish(at time.Time, r report, event func() telemetry.Report) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asJSON {
		b.jsonLocked(at, levelOf(r.status == "success", levelInfo), event())
	} else {
		b.platformLocked(append(append(b.scratch[:0], "END RequestId: "...), r.requestID...))
		b.platformLocked(r.append(b.scratch[:0]))
	}
	tail := string(b.tail[max(0, len(b.tail)-tailSize):])
	// An invocation that is cut off before its START must not get these lines.
	b.tail, b.keep = b.tail[:0], false
	return tail
}
