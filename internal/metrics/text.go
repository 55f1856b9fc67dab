package metrics

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ContentType is that of Append's text. Every Prometheus reads it: what servers
// ask for beyond it in their Accept header they only prefer.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// page collects the texts of metrics, to be put in order.
type page struct{ texts []text }

type text struct {
	name string
	body []byte
}

// add takes a metric with its samples; one without any is left out.
func (p *page) add(d Desc, samples []byte) {
	if len(samples) == 0 {
		return
	}
	b := append([]byte("# HELP "), d.Name...)
	b = appendEscaped(append(b, ' '), d.Help, false)
	b = append(append(b, "\n# TYPE "...), d.Name...)
	b = append(append(b, ' '), d.Type...)
	p.texts = append(p.texts, text{d.Name, append(append(b, '\n'), samples...)})
}

// Append appends all metrics to b, sorted by name and labels.
func (r *Registry) Append(b []byte) []byte {
	r.mu.Lock()
	sources := slices.Clone(r.sources)
	r.mu.Unlock()
	var p page
	for _, s := range sources {
		s.collect(&p)
	}
	slices.SortFunc(p.texts, func(a, b text) int { return cmp.Compare(a.name, b.name) })
	for _, t := range p.texts {
		b = append(b, t.body...)
	}
	return b
}

// appendSample appends a line; labels are rendered ones, and may be empty.
func appendSample(b []byte, name, suffix, labels string, value float64) []byte {
	b = append(append(b, name...), suffix...)
	if labels != "" {
		b = append(append(append(b, '{'), labels...), '}')
	}
	return append(appendFloat(append(b, ' '), value), '\n')
}

// appendFloat writes a number as the format has it, which is Go's way but for
// the infinities.
func appendFloat(b []byte, v float64) []byte {
	if math.IsInf(v, 1) {
		return append(b, "+Inf"...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

// renderLabels writes labels and values as they stand between braces.
func renderLabels(names, values []string) string {
	var b []byte
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, name...), `="`...)
		// Prometheus refuses the whole page for one byte that is not UTF-8.
		b = appendEscaped(b, strings.ToValidUTF8(values[i], "\uFFFD"), true)
		b = append(b, '"')
	}
	return string(b)
}

// appendEscaped writes a help text, or with quotes the value of a label.
func appendEscaped(b []byte, s string, quotes bool) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\\', c == '"' && quotes:
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return b
}
