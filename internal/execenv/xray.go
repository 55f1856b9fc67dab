package execenv

import "github.com/lambhq/lamb/internal/trace"

// appendXRay appends the second line of a REPORT, which it has where the trace
// is sampled: the id of the trace, and that of the function's segment.
func appendXRay(line []byte, header string) []byte {
	h, ok := trace.Parse(header)
	if !ok || h.Sampling != trace.Sampled {
		return line
	}
	line = append(line, "\nXRAY TraceId: "...)
	line = append(line, h.Root...)
	line = append(line, "\tSegmentId: "...)
	line = append(line, h.Parent...)
	return append(line, "\tSampled: true\t"...)
}
