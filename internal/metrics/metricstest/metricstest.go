// Package metricstest reads metrics in tests as Prometheus does, with its own
// parser.
package metricstest

import (
	"bytes"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/lambhq/lamb/internal/metrics"
)

// Values are the values of counters and gauges and the counts of histograms
// and summaries, by name and, after spaces, the values of the labels in the
// order of the labels' names.
func Values(t testing.TB, r *metrics.Registry) map[string]float64 {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	page := r.Append(nil)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(page))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, page)
	}
	all := make(map[string]float64)
	for name, f := range families {
		for _, m := range f.GetMetric() {
			key := name
			for _, l := range m.GetLabel() {
				key += " " + l.GetValue()
			}
			all[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue() +
				float64(m.GetHistogram().GetSampleCount()+m.GetSummary().GetSampleCount())
		}
	}
	return all
}
