package metrics_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/lambhq/lamb/internal/metrics"
	"github.com/lambhq/lamb/internal/metrics/metricstest"
)

// TestPage is the format, byte by byte.
func TestPage(t *testing.T) {
	r := metrics.NewRegistry()
	h := r.Histograms("size_bytes", "Sizes.", []float64{1, 2.5, 1 << 20}, "kind")
	for _, v := range []float64{0.5, 1, 1.5, 1 << 20, 1<<20 + 1, math.Inf(1)} {
		h.With("b").Observe(v)
	}
	h.With("a")
	r.Histogram("none_seconds", "Nothing.", nil).Observe(3)
	c := r.Counters("asks_total", "Asked\\and\n\"answered\".", "who", "why")
	c.With(`"x"\`, "line\nline").Inc()
	c.With("\xff", "").Add(0.25)
	r.Counters("never_total", "There is none of it.", "label")
	g := r.Gauge("open", "Open.")
	g.Inc()
	g.Dec()
	g.Dec()
	r.CounterFunc("late_total", "Read late.", func() float64 { return 7 })
	metrics.Read(r, func() ([2]float64, error) { return [2]float64{math.NaN(), math.Inf(-1)}, nil },
		metrics.Reading[[2]float64]{Name: "z", Help: "Last.", Type: metrics.TypeGauge, Value: func(v [2]float64) float64 { return v[0] }},
		metrics.Reading[[2]float64]{Name: "a", Help: "First.", Type: metrics.TypeGauge, Value: func(v [2]float64) float64 { return v[1] }})
	metrics.Read(r, func() (int, error) { return 1, errors.New("not known") },
		metrics.Reading[int]{Name: "absent", Help: "Not known.", Type: metrics.TypeGauge, Value: func(int) float64 { return 1 }})
	const want = `# HELP a First.
# TYPE a gauge
a -Inf
# HELP asks_total Asked\\and\n"answered".
# TYPE asks_total counter
asks_total{who="\"x\"\\",why="line\nline"} 1
asks_total{who="�",why=""} 0.25
# HELP late_total Read late.
# TYPE late_total counter
late_total 7
# HELP none_seconds Nothing.
# TYPE none_seconds histogram
none_seconds_bucket{le="+Inf"} 1
none_seconds_sum 3
none_seconds_count 1
# HELP open Open.
# TYPE open gauge
open -1
# HELP size_bytes Sizes.
# TYPE size_bytes histogram
size_bytes_bucket{kind="a",le="1"} 0
size_bytes_bucket{kind="a",le="2.5"} 0
size_bytes_bucket{kind="a",le="1.048576e+06"} 0
size_bytes_bucket{kind="a",le="+Inf"} 0
size_bytes_sum{kind="a"} 0
size_bytes_count{kind="a"} 0
size_bytes_bucket{kind="b",le="1"} 2
size_bytes_bucket{kind="b",le="2.5"} 3
size_bytes_bucket{kind="b",le="1.048576e+06"} 4
size_bytes_bucket{kind="b",le="+Inf"} 6
size_bytes_sum{kind="b"} +Inf
size_bytes_count{kind="b"} 6
# HELP z Last.
# TYPE z gauge
z NaN
`
	if diff := cmp.Diff(want, string(r.Append(nil))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	metricstest.Values(t, r) // Prometheus reads it, too
	var names []string
	for _, d := range r.Describe() {
		names = append(names, d.Name+" "+strings.Join(d.Labels, ","))
	}
	if diff := cmp.Diff([]string{"a ", "absent ", "asks_total who,why", "late_total ", "never_total label", "none_seconds ", "open ", "size_bytes kind", "z "}, names); diff != "" {
		t.Errorf("described (-want +got):\n%s", diff)
	}
}

// FuzzEscapes: whatever stands in help texts and values of labels, Prometheus
// reads one metric that says the same.
func FuzzEscapes(f *testing.F) {
	for _, s := range []string{"plain", `\`, "\n", `"`, `\n`, "\\\n\"", `a="b",c="d"`, "}", "#", "\xff\xfe", "é€😀", "\x00\r\t", "", " "} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, help, value string) {
		r := metrics.NewRegistry()
		r.Counters("c_total", help, "first", "second").With(value, "end").Inc()
		parser := expfmt.NewTextParser(model.LegacyValidation)
		page := r.Append(nil)
		families, err := parser.TextToMetricFamilies(strings.NewReader(string(page)))
		if err != nil {
			t.Fatalf("%v in %q", err, page)
		}
		got := families["c_total"]
		if len(families) != 1 || len(got.GetMetric()) != 1 {
			t.Fatalf("%d families in %q", len(families), page)
		}
		labels := got.GetMetric()[0].GetLabel()
		if want := strings.ToValidUTF8(value, "\uFFFD"); len(labels) != 2 || labels[0].GetValue() != want || labels[1].GetValue() != "end" {
			t.Errorf("labels %v of %q", labels, page)
		}
		// The parser takes the blanks away that begin a help text.
		if want := strings.TrimLeft(help, " \t"); got.GetHelp() != want {
			t.Errorf("help %q of %q", got.GetHelp(), page)
		}
	})
}

// TestCounter adds what is whole and what is not, up to the end of what a
// number can tell apart, and nothing that is no growth.
func TestCounter(t *testing.T) {
	for _, c := range []struct {
		add  []float64
		want string
	}{
		{[]float64{1, 2, 3}, "6"},
		{[]float64{0.5, 1, 0.25}, "1.75"},
		{[]float64{1, -1, math.NaN(), math.Inf(-1), 0}, "1"},
		{[]float64{1 << 53, 1e300}, "1e+300"},
		{[]float64{math.Inf(1), 1}, "+Inf"},
	} {
		r := metrics.NewRegistry()
		counter := r.Counter("c", "")
		for _, v := range c.add {
			counter.Add(v)
		}
		if page := string(r.Append(nil)); !strings.HasSuffix(page, "\nc "+c.want+"\n") {
			t.Errorf("%v: %s, want %s", c.add, page, c.want)
		}
	}
}

// TestMistakes are those that a program makes when it registers.
func TestMistakes(t *testing.T) {
	for name, mistake := range map[string]func(r *metrics.Registry){
		"name":              func(r *metrics.Registry) { r.Counter("a b", "") },
		"no name":           func(r *metrics.Registry) { r.Counter("", "") },
		"digit":             func(r *metrics.Registry) { r.Gauge("0a", "") },
		"colon":             func(r *metrics.Registry) { r.Counters("a", "", "b:c") },
		"twice":             func(r *metrics.Registry) { r.Counter("a", ""); r.Gauge("a", "") },
		"a bucket's label":  func(r *metrics.Registry) { r.Counters("a", "", "le") },
		"same label":        func(r *metrics.Registry) { r.Counters("a", "", "b", "b") },
		"values":            func(r *metrics.Registry) { r.Counters("a", "", "b").With("c", "d") },
		"buckets descend":   func(r *metrics.Registry) { r.Histogram("a", "", []float64{2, 1}) },
		"buckets are equal": func(r *metrics.Registry) { r.Histogram("a", "", []float64{1, 1}) },
		"infinite bucket":   func(r *metrics.Registry) { r.Histogram("a", "", []float64{1, math.Inf(1)}) },
		"no number":         func(r *metrics.Registry) { r.Histogram("a", "", []float64{math.NaN()}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: it was taken", name)
				}
			}()
			mistake(metrics.NewRegistry())
		}()
	}
	metrics.NewRegistry().Counters("a:b_0", "", "c_0").With("") // is none
}

// TestLookup: the first values have metrics of their own, and one is shared by
// all others.
func TestLookup(t *testing.T) {
	var made []string
	l := metrics.NewLookup(2, "rest", func(name string) *string { made = append(made, name); return &name })
	var got []string
	for _, name := range []string{"a", "b", "a", "c", "d", "c", "b"} {
		got = append(got, *l.Get(name))
	}
	if diff := cmp.Diff([]string{"a", "b", "a", "rest", "rest", "rest", "b"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b", "rest"}, made); diff != "" {
		t.Errorf("made (-want +got):\n%s", diff)
	}
}

// TestTogether observes from several goroutines while others read: nothing is
// lost, and what is read fits together.
func TestTogether(t *testing.T) {
	const goroutines, each = 8, 500
	r := metrics.NewRegistry()
	counters := r.Counters("c_total", "", "n")
	byNumber := metrics.NewLookup(5, -1, func(n int) *metrics.Counter { return counters.With(fmt.Sprint(n)) })
	fractions, gauge := r.Counter("fractions_total", ""), r.Gauge("g", "")
	h := r.Histogram("h", "", []float64{10, 100})
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for i := range each {
				gauge.Inc()
				byNumber.Get(i % 10).Inc()
				fractions.Add(0.5)
				h.Observe(float64(i))
				gauge.Dec()
			}
		})
	}
	all.Go(func() {
		for range 50 {
			metricstest.Values(t, r)
		}
	})
	all.Wait()
	sum := 0.0
	values := metricstest.Values(t, r)
	for name, v := range values {
		if strings.HasPrefix(name, "c_total ") {
			sum += v
		}
	}
	if sum != goroutines*each || values["c_total -1"] < sum/2 || values["fractions_total"] != sum/2 || values["h"] != sum || values["g"] != 0 {
		t.Errorf("sum %v of %v", sum, values)
	}
}

// TestObservingAllocatesNothing, since every invocation does it.
func TestObservingAllocatesNothing(t *testing.T) {
	r := metrics.NewRegistry()
	c, g, h := r.Counter("c", ""), r.Gauge("g", ""), r.Histogram("h", "", []float64{1, 2, 3})
	counters := r.Counters("n_total", "", "name")
	byName := metrics.NewLookup(1, "(others)", func(name string) *metrics.Counter { return counters.With(name) })
	names := []string{"first", "second", "third"}
	observe := func() {
		c.Inc()
		c.Add(1.5)
		g.Inc()
		h.Observe(2.5)
		for _, name := range names {
			byName.Get(name).Inc()
		}
	}
	if n := testing.AllocsPerRun(100, observe); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	r := metrics.NewRegistry()
	h := r.Histogram("h", "", []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900})
	counters := r.Counters("n_total", "", "name")
	byName := metrics.NewLookup(100, "(others)", func(name string) *metrics.Counter { return counters.With(name) })
	b.ReportAllocs()
	for b.Loop() {
		byName.Get("function").Add(0.0123)
		h.Observe(0.0123)
	}
}
