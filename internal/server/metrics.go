package server

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/invoke"
	"github.com/lambhq/lamb/internal/logs"
	"github.com/lambhq/lamb/internal/pool"
)

// docs/metrics.md describes every metric; a test holds it to what is
// registered here and in the gateway.

// metrics are those of invocations and environments; the gateway has its own.
type metrics struct {
	byResult      map[string]prometheus.Counter
	duration      prometheus.Histogram
	init          prometheus.Histogram
	responseBytes prometheus.Counter
	streams       *streamMetrics
	functions     *functionMetrics
}

// The values of the label result; see invoke.Observation.
var results = []string{"success", "error", "throttle", "fault"}

// metricSources are where metrics come from that are read when they are asked
// for.
type metricSources struct {
	Pool func() pool.Stats
	// Totals are those of all environments.
	Totals *execenv.Totals
	// AvailableMemory is the host's, in bytes; it may fail where that is not
	// known.
	AvailableMemory func() (int64, error)
	// ReservedMemory is the available memory, in bytes, under which nothing is
	// started.
	ReservedMemory int64
	// ReadyShells counts native sandboxes that are prepared; nil without them.
	ReadyShells func() int
	// Logs are what is kept of the functions' logs; nil when nothing is.
	Logs func() logs.Stats
}

func newMetrics(r prometheus.Registerer, from metricSources) *metrics {
	invocations := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lamb_invocations_total",
		Help: "Invocations by result: success, error (the function's), throttle, fault (lamb's).",
	}, []string{"result"})
	m := &metrics{
		byResult: make(map[string]prometheus.Counter),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "lamb_invocation_duration_seconds",
			Help:    "Time from admission to the answer, cold starts included, of invocations that ran.",
			Buckets: []float64{.0002, .0005, .001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900},
		}),
		init: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "lamb_init_duration_seconds",
			Help:    "Time from the start of a runtime to its first request for an event, or to its failure, of environments that were started for an invocation.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		responseBytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lamb_response_bytes_total", Help: "Bytes of payload in the answers to invocations that ran.",
		}),
		streams:   newStreamMetrics(r),
		functions: newFunctionMetrics(r),
	}
	for _, result := range results { // also those that have not occurred: a rate needs its zero
		m.byResult[result] = invocations.WithLabelValues(result)
	}
	r.MustRegister(invocations, m.duration, m.init, m.responseBytes, newEnvironmentMetrics(from))
	r.MustRegister(
		seconds("lamb_extension_overhead_seconds_total", "Time for which extensions were at work after the runtime had done with an invocation.", from.Totals.ExtensionOverhead),
		seconds("lamb_response_latency_seconds_total", "Time from the start of invocations in their environment to the first byte of their responses.", from.Totals.ResponseLatency),
	)
	if from.ReadyShells != nil {
		r.MustRegister(gauge("lamb_shells_ready", "Native sandboxes prepared ahead that wait for a function.", func() float64 { return float64(from.ReadyShells()) }))
	}
	if from.Logs != nil {
		r.MustRegister(
			gauge("lamb_log_bytes", "Bytes that the functions' logs take in the data folder.", func() float64 { return float64(from.Logs().Bytes) }),
			prometheus.NewCounterFunc(prometheus.CounterOpts{
				Name: "lamb_log_lines_dropped_total", Help: "Functions' log lines that were not kept: the disk was slow, or failed.",
			}, func() float64 { return float64(from.Logs().Dropped) }),
		)
	}
	return m
}

func gauge(name, help string, f func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f)
}

func seconds(name, help string, f func() time.Duration) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return f().Seconds() })
}

func (m *metrics) observe(o invoke.Observation) {
	m.byResult[o.Result].Inc()
	m.functions.observe(o)
	if o.Duration == 0 {
		return
	}
	m.duration.Observe(o.Duration.Seconds())
	m.responseBytes.Add(float64(o.ResponseBytes))
	if o.Streamed {
		m.streams.observe(o)
	}
	if o.Init > 0 {
		m.init.Observe(o.Init.Seconds())
	}
}

// streamMetrics are those of streamed responses.
type streamMetrics struct {
	bytes      prometheus.Counter
	throttled  prometheus.Counter
	throughput prometheus.Histogram
}

func newStreamMetrics(r prometheus.Registerer) *streamMetrics {
	m := &streamMetrics{
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lamb_stream_bytes_total", Help: "Bytes of streamed responses that runtimes have produced.",
		}),
		throttled: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lamb_stream_throttled_seconds_total", Help: "Time that streamed responses have waited to keep their bandwidth.",
		}),
		throughput: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "lamb_stream_throughput_bytes_per_second",
			Help:    "Bytes a second of streamed responses, from the first byte to the last.",
			Buckets: prometheus.ExponentialBuckets(1<<10, 4, 12),
		}),
	}
	r.MustRegister(m.bytes, m.throttled, m.throughput)
	return m
}

func (m *streamMetrics) observe(o invoke.Observation) {
	m.bytes.Add(float64(o.ResponseBytes))
	m.throttled.Add(o.Throttled.Seconds())
	if o.Throughput > 0 {
		m.throughput.Observe(o.Throughput)
	}
}

// maxFunctions bounds how many functions have metrics of their own: the first
// that are invoked after the start. Every series costs memory here and in
// whatever reads it, until lamb ends.
const maxFunctions = 100

// otherFunctions labels all further ones; it is no function's name.
const otherFunctions = "(others)"

// functionMetrics are few for each function: a histogram would be 20 series.
type functionMetrics struct {
	invocations *prometheus.CounterVec
	seconds     *prometheus.CounterVec

	known sync.Map // function name → *functionCounters

	mu    sync.Mutex
	names int // in known
}

// functionCounters are one function's, resolved once and not per invocation.
type functionCounters struct {
	byResult map[string]prometheus.Counter
	seconds  prometheus.Counter
}

func newFunctionMetrics(r prometheus.Registerer) *functionMetrics {
	f := &functionMetrics{
		invocations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lamb_function_invocations_total",
			Help: "Invocations by function name and result; the first 100 functions have a name, the others are (others).",
		}, []string{"function", "result"}),
		seconds: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lamb_function_duration_seconds_total",
			Help: "Sum of the times from admission to the answer, by function name as above.",
		}, []string{"function"}),
	}
	r.MustRegister(f.invocations, f.seconds)
	return f
}

func (f *functionMetrics) observe(o invoke.Observation) {
	c := f.counters(o.Function)
	c.byResult[o.Result].Inc()
	c.seconds.Add(o.Duration.Seconds())
}

func (f *functionMetrics) counters(name string) *functionCounters {
	if c, ok := f.known.Load(name); ok {
		return c.(*functionCounters)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.names == maxFunctions {
		name = otherFunctions
	}
	if c, ok := f.known.Load(name); ok {
		return c.(*functionCounters)
	}
	if name != otherFunctions {
		f.names++
	}
	c := &functionCounters{byResult: make(map[string]prometheus.Counter), seconds: f.seconds.WithLabelValues(name)}
	for _, result := range results {
		c.byResult[result] = f.invocations.WithLabelValues(name, result)
	}
	f.known.Store(name, c)
	return c
}
