package execenv

import (
	"cmp"

	"github.com/lambhq/lamb/internal/telemetry"
	"github.com/lambhq/lamb/internal/trace"
)

// appendXRay appends the second line of a REPORT, which it has where the trace
// is sampled: the id of the trace, and that of the function's segment or, where
// it has none, of the caller's.
func appendXRay(line []byte, t telemetry.Tracing) []byte {
	h, ok := trace.Parse(t.Value)
	if !ok || h.Sampling != trace.Sampled {
		return line
	}
	line = append(line, "\nXRAY TraceId: "...)
	line = append(line, h.Root...)
	line = append(line, "\tSegmentId: "...)
	line = append(line, cmp.Or(t.SpanID, h.Parent)...)
	return append(line, "\tSampled: true\t"...)
}
