package metrics

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Family is a metric with labels: one M for each combination of their values.
type Family[M metric] struct {
	desc Desc
	make func() M

	mu     sync.Mutex
	series map[string]M // by rendered labels
}

func newFamily[M metric](r *Registry, d Desc, make func() M) *Family[M] {
	f := &Family[M]{desc: d, make: make, series: map[string]M{}}
	r.register(f)
	return f
}

// With gives the metric of these values, as many as there are labels and in
// their order. It takes a lock and allocates: what observes keeps the result,
// in a Lookup where values come with requests. Nothing here bounds how many
// there are, as a Lookup does.
func (f *Family[M]) With(values ...string) M {
	if len(values) != len(f.desc.Labels) {
		panic(fmt.Sprintf("metrics: %s has the labels %q, not %d", f.desc.Name, f.desc.Labels, len(values)))
	}
	labels := renderLabels(f.desc.Labels, values)
	f.mu.Lock()
	defer f.mu.Unlock()
	m, ok := f.series[labels]
	if !ok {
		m = f.make()
		f.series[labels] = m
	}
	return m
}

func (f *Family[M]) describe() []Desc { return []Desc{f.desc} }

func (f *Family[M]) collect(p *page) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b []byte
	for _, labels := range slices.Sorted(maps.Keys(f.series)) {
		b = f.series[labels].appendTo(b, f.desc.Name, labels)
	}
	p.add(f.desc, b)
}

// Counter registers a counter.
func (r *Registry) Counter(name, help string) *Counter { return r.Counters(name, help).With() }

// Counters registers a counter with labels.
func (r *Registry) Counters(name, help string, labels ...string) *Family[*Counter] {
	return newFamily(r, Desc{name, help, TypeCounter, labels}, func() *Counter { return new(Counter) })
}

// Gauge registers a gauge.
func (r *Registry) Gauge(name, help string) *Gauge { return r.Gauges(name, help).With() }

// Gauges registers a gauge with labels.
func (r *Registry) Gauges(name, help string, labels ...string) *Family[*Gauge] {
	return newFamily(r, Desc{name, help, TypeGauge, labels}, func() *Gauge { return new(Gauge) })
}

// Histogram registers a histogram. bounds are the upper ones of its buckets,
// ascending and finite; one for what is above them comes by itself.
func (r *Registry) Histogram(name, help string, bounds []float64) *Histogram {
	return r.Histograms(name, help, bounds).With()
}

// Histograms registers a histogram with labels; see Histogram.
func (r *Registry) Histograms(name, help string, bounds []float64, labels ...string) *Family[*Histogram] {
	for i, bound := range bounds {
		if bound-bound != 0 || i > 0 && bound <= bounds[i-1] { // the difference of infinities is none
			panic(fmt.Sprintf("metrics: the buckets of %s do not ascend: %v", name, bounds))
		}
	}
	return newFamily(r, Desc{name, help, TypeHistogram, labels}, func() *Histogram { return newHistogram(bounds) })
}
