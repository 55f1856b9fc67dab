package execenv

import (
	"sync/atomic"
	"time"

	"github.com/lambhq/lamb/internal/telemetry"
)

// Totals sums up what invocations in many environments took, for metrics. The
// zero value is ready; a nil one counts nothing. It may be used from several
// goroutines.
type Totals struct {
	extensionOverhead, responseLatency atomic.Int64 // nanoseconds
}

// ExtensionOverhead is the time for which extensions were at work after the
// runtime had done with an invocation.
func (t *Totals) ExtensionOverhead() time.Duration { return time.Duration(t.extensionOverhead.Load()) }

// ResponseLatency is the time from the start of invocations to the first byte
// of their responses.
func (t *Totals) ResponseLatency() time.Duration { return time.Duration(t.responseLatency.Load()) }

// add counts an invocation that is over.
func (t *Totals) add(inv *Invocation, r *telemetry.Report) {
	if t == nil {
		return
	}
	if over := r.Spans[0]; over.Name == telemetry.ExtensionOverhead {
		t.extensionOverhead.Add(int64(over.Duration))
	}
	if inv.responded {
		t.responseLatency.Add(int64(inv.sink.measured.began.Sub(inv.started)))
	}
}
