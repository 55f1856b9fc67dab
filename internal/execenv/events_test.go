package execenv

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/telemetry"
)

// eventList is an Events that takes notes.
type eventList struct {
	mu  sync.Mutex
	all []string
}

func (l *eventList) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (l *eventList) list() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.all...)
}

func (l *eventList) InitStart(_ time.Time, e telemetry.InitStart) {
	l.note("initStart %s %s", e.InitializationType, e.Phase)
}
func (l *eventList) InitRuntimeDone(_ time.Time, e telemetry.InitRuntimeDone) {
	l.note("initRuntimeDone %s %s %s %s", e.InitializationType, e.Phase, e.Status, e.ErrorType)
}
func (l *eventList) InitReport(_ time.Time, e telemetry.InitReport) {
	l.note("initReport %s %s %s %s", e.InitializationType, e.Phase, e.Status, e.ErrorType)
}
func (l *eventList) RestoreStart(time.Time, telemetry.RestoreStart) { l.note("restoreStart") }
func (l *eventList) RestoreRuntimeDone(_ time.Time, e telemetry.RestoreRuntimeDone) {
	l.note("restoreRuntimeDone %s %s", e.Status, e.ErrorType)
}
func (l *eventList) RestoreReport(_ time.Time, e telemetry.RestoreReport) {
	l.note("restoreReport %s %s", e.Status, e.ErrorType)
}
func (l *eventList) InvokeStart(_ time.Time, e telemetry.InvokeStart) {
	l.note("start %s", e.RequestID)
}
func (l *eventList) RuntimeDone(_ time.Time, e telemetry.RuntimeDone) {
	l.note("runtimeDone %s %s %s", e.RequestID, e.Status, e.ErrorType)
}
func (l *eventList) End(_ time.Time, e telemetry.End) { l.note("end %s", e.RequestID) }
func (l *eventList) Report(_ time.Time, e telemetry.Report) {
	l.note("report %s %s %s", e.RequestID, e.Status, e.ErrorType)
}
func (l *eventList) ExtensionState(_ time.Time, e telemetry.ExtensionState) {
	l.note("extension %s %s", e.Name, e.State)
}
func (l *eventList) Subscribing(_ time.Time, e telemetry.Subscribing) {
	l.note("subscribing %s %s", e.Name, e.State)
}
func (l *eventList) Fault(_ time.Time, e telemetry.Fault) {
	l.note("fault %s", strings.ReplaceAll(strings.TrimSpace(e.Text), "\n", " "))
}

// TestEvents: who is configured is told of everything, in order, whatever the
// format of the log and without a subscriber.
func TestEvents(t *testing.T) {
	for _, tt := range []struct {
		kind Initialization
		want string
	}{{OnDemand, "on-demand"}, {PreWarmed, "provisioned-concurrency"}, {Provisioned, "provisioned-concurrency"}} {
		list := &eventList{}
		h := newHarness(t, nil, serve(func(rt *fakeRuntime, id, event string) {
			if event == `"exit"` {
				rt.proc.cancel()
				return
			}
			rt.respond(id, event)
		}))
		h.cfg.Initialization, h.tell.more = tt.kind, list
		h.init()
		h.invoke("id-1", "1")
		h.invoke("id-2", `"exit"`)
		h.invoke("id-3", "3")
		want := []string{
			"initStart T init", "initRuntimeDone T init success", "initReport T init success",
			"start id-1", "runtimeDone id-1 success", "end id-1", "report id-1 success",
			"start id-2", "fault RequestId: id-2 Error: Runtime exited with error: signal: killed Runtime.ExitError",
			"runtimeDone id-2 error Runtime.ExitError", "end id-2", "report id-2 error Runtime.ExitError",
			"start id-3", "initStart T invoke", "initRuntimeDone T invoke success", "initReport T invoke success",
			"runtimeDone id-3 success", "end id-3", "report id-3 success",
		}
		if tt.kind != OnDemand { // the init was long ago: it is reported when somebody is there
			want[2], want[3] = "initReport T init success", "start id-1"
		}
		for i := range want {
			want[i] = strings.ReplaceAll(want[i], " T ", " "+tt.want+" ")
		}
		if diff := cmp.Diff(want, list.list()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.want, diff)
		}
	}
}

// TestInitLimits: what an init gets depends on who waits for it.
func TestInitLimits(t *testing.T) {
	for _, tt := range []struct {
		kind    Initialization
		timeout int
		want    time.Duration
	}{
		{OnDemand, 900, 10 * time.Second}, {PreWarmed, 900, 10 * time.Second},
		{Provisioned, 3, 130 * time.Second}, {Provisioned, 900, 900 * time.Second},
	} {
		cfg := Config{Initialization: tt.kind, Version: &function.Version{Config: function.Config{TimeoutSecs: tt.timeout}}}
		cfg.setDefaults()
		if cfg.InitLimit != tt.want {
			t.Errorf("kind %d, timeout %d s: %v, want %v", tt.kind, tt.timeout, cfg.InitLimit, tt.want)
		}
	}
}
