package metrics

import (
	"math"
	"slices"
	"strings"
	"sync/atomic"
)

// metric is one series, or those of one histogram.
type metric interface {
	appendTo(b []byte, name, labels string) []byte
}

// Counter only grows. Its zero value is at 0; it may be used from several
// goroutines.
type Counter struct {
	whole atomic.Uint64 // the sum of whole numbers, which need no second try
	rest  floatSum      // that of all others
}

// Inc adds 1.
func (c *Counter) Inc() { c.whole.Add(1) }

// Add adds v. What is not greater than 0 counts nothing.
func (c *Counter) Add(v float64) {
	const exact = 1 << 53 // up to here a float64 has every whole number
	switch {
	case !(v > 0):
	case v < exact && v == math.Trunc(v):
		c.whole.Add(uint64(v))
	default:
		c.rest.add(v)
	}
}

func (c *Counter) appendTo(b []byte, name, labels string) []byte {
	return appendSample(b, name, "", labels, float64(c.whole.Load())+c.rest.load())
}

// Gauge goes up and down. Its zero value is at 0; it may be used from several
// goroutines.
type Gauge struct{ n atomic.Int64 }

// Inc adds 1.
func (g *Gauge) Inc() { g.n.Add(1) }

// Dec takes 1 away.
func (g *Gauge) Dec() { g.n.Add(-1) }

func (g *Gauge) appendTo(b []byte, name, labels string) []byte {
	return appendSample(b, name, "", labels, float64(g.n.Load()))
}

// Histogram counts values by size. It may be used from several goroutines.
type Histogram struct {
	bounds []float64       // of the buckets, ascending; a bound is in its bucket
	counts []atomic.Uint64 // one more: of values above the last bound
	sum    floatSum
}

func newHistogram(bounds []float64) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// Observe counts v.
func (h *Histogram) Observe(v float64) {
	i, _ := slices.BinarySearch(h.bounds, v)
	h.counts[i].Add(1)
	h.sum.add(v)
}

// appendTo writes the buckets, each with all below it. The count is the last
// bucket's, as the format wants it, whatever is observed meanwhile; the sum may
// have some of that already.
func (h *Histogram) appendTo(b []byte, name, labels string) []byte {
	if labels != "" {
		labels += ","
	}
	var count uint64
	for i := range h.counts {
		bound := math.Inf(1)
		if i < len(h.bounds) {
			bound = h.bounds[i]
		}
		count += h.counts[i].Load()
		b = appendSample(b, name, "_bucket", labels+`le="`+string(appendFloat(nil, bound))+`"`, float64(count))
	}
	labels = strings.TrimSuffix(labels, ",")
	b = appendSample(b, name, "_sum", labels, h.sum.load())
	return appendSample(b, name, "_count", labels, float64(count))
}

// floatSum is a float64 to which several goroutines can add.
type floatSum struct{ bits atomic.Uint64 }

func (f *floatSum) load() float64 { return math.Float64frombits(f.bits.Load()) }

func (f *floatSum) add(v float64) {
	for {
		old := f.bits.Load()
		if f.bits.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}
