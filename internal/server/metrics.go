package server

import (
	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/invoke"
	"github.com/lambhq/lamb/internal/logs"
	"github.com/lambhq/lamb/internal/metrics"
	"github.com/lambhq/lamb/internal/pool"
)

// docs/metrics.md describes every metric; a test holds it to what is
// registered here and in the gateway.

// serverMetrics are those of invocations and environments; the gateway has its
// own.
type serverMetrics struct {
	byResult      map[string]*metrics.Counter
	duration      *metrics.Histogram
	init          *metrics.Histogram
	responseBytes *metrics.Counter
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

func newMetrics(r *metrics.Registry, from metricSources) *serverMetrics {
	invocations := r.Counters("lamb_invocations_total", "Invocations by result: success, error (the function's), throttle, fault (lamb's).", "result")
	m := &serverMetrics{
		byResult: make(map[string]*metrics.Counter),
		duration: r.Histogram("lamb_invocation_duration_seconds", "Time from admission to the answer, cold starts included, of invocations that ran.",
			[]float64{.0002, .0005, .001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900}),
		init: r.Histogram("lamb_init_duration_seconds", "Time from the start of a runtime to its first request for an event, or to its failure, of environments that were started for an invocation.",
			[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}),
		responseBytes: r.Counter("lamb_response_bytes_total", "Bytes of payload in the answers to invocations that ran."),
		streams:       newStreamMetrics(r),
		functions:     newFunctionMetrics(r),
	}
	for _, result := range results { // also those that have not occurred: a rate needs its zero
		m.byResult[result] = invocations.With(result)
	}
	registerEnvironments(r, from)
	r.CounterFunc("lamb_extension_overhead_seconds_total", "Time for which extensions were at work after the runtime had done with an invocation.", func() float64 { return from.Totals.ExtensionOverhead().Seconds() })
	r.CounterFunc("lamb_response_latency_seconds_total", "Time from the start of invocations in their environment to the first byte of their responses.", func() float64 { return from.Totals.ResponseLatency().Seconds() })
	if from.ReadyShells != nil {
		r.GaugeFunc("lamb_shells_ready", "Native sandboxes prepared ahead that wait for a function.", func() float64 { return float64(from.ReadyShells()) })
	}
	if from.Logs != nil {
		r.GaugeFunc("lamb_log_bytes", "Bytes that the functions' logs take in the data folder.", func() float64 { return float64(from.Logs().Bytes) })
		r.CounterFunc("lamb_log_lines_dropped_total", "Functions' log lines that were not kept: the disk was slow, or failed.", func() float64 { return float64(from.Logs().Dropped) })
	}
	return m
}

func (m *serverMetrics) observe(o invoke.Observation) {
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
	bytes      *metrics.Counter
	throttled  *metrics.Counter
	throughput *metrics.Histogram
}

func newStreamMetrics(r *metrics.Registry) *streamMetrics {
	return &streamMetrics{
		bytes:     r.Counter("lamb_stream_bytes_total", "Bytes of streamed responses that runtimes have produced."),
		throttled: r.Counter("lamb_stream_throttled_seconds_total", "Time that streamed responses have waited to keep their bandwidth."),
		throughput: r.Histogram("lamb_stream_throughput_bytes_per_second", "Bytes a second of streamed responses, from the first byte to the last.",
			[]float64{1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 26, 1 << 28, 1 << 30, 1 << 32}),
	}
}

func (m *streamMetrics) observe(o invoke.Observation) {
	m.bytes.Add(float64(o.ResponseBytes))
	m.throttled.Add(o.Throttled.Seconds())
	if o.Throughput > 0 {
		m.throughput.Observe(o.Throughput)
	}
}

// maxFunctions bounds how many functions have metrics of their own: the first
// that are invoked after the start.
const maxFunctions = 100

// otherFunctions labels all further ones; it is no function's name.
const otherFunctions = "(others)"

// functionMetrics are few for each function: a histogram would be 20 series.
type functionMetrics struct {
	byName *metrics.Lookup[string, functionCounters]
}

// functionCounters are one function's.
type functionCounters struct {
	byResult map[string]*metrics.Counter
	seconds  *metrics.Counter
}

func newFunctionMetrics(r *metrics.Registry) *functionMetrics {
	invocations := r.Counters("lamb_function_invocations_total", "Invocations by function name and result; the first 100 functions have a name, the others are (others).", "function", "result")
	seconds := r.Counters("lamb_function_duration_seconds_total", "Sum of the times from admission to the answer, by function name as above.", "function")
	return &functionMetrics{metrics.NewLookup(maxFunctions, otherFunctions, func(name string) functionCounters {
		c := functionCounters{byResult: make(map[string]*metrics.Counter), seconds: seconds.With(name)}
		for _, result := range results {
			c.byResult[result] = invocations.With(name, result)
		}
		return c
	})}
}

func (f *functionMetrics) observe(o invoke.Observation) {
	c := f.byName.Get(o.Function)
	c.byResult[o.Result].Inc()
	c.seconds.Add(o.Duration.Seconds())
}
