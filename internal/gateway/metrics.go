package gateway

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// unknownOperation labels requests that never became an operation.
const unknownOperation = "unknown"

// durationBuckets reach from a warm invocation to the longest one, in seconds.
var durationBuckets = []float64{
	.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900,
}

// metrics counts API requests. Their labels are resolved once per operation
// and once per status, not per request.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
	ops      sync.Map // operation name → *opMetrics
}

type opMetrics struct {
	duration prometheus.Observer
	requests *prometheus.CounterVec // what is left to say is the code
	codes    sync.Map               // status → prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lamb_api_requests_total", Help: "API requests answered, by operation and HTTP status.",
		}, []string{"operation", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "lamb_api_request_duration_seconds", Help: "Time from a request's headers to the end of its answer, by operation.",
			Buckets: durationBuckets,
		}, []string{"operation"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "lamb_api_requests_in_flight", Help: "API requests that are being answered.",
		}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.inFlight} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// done counts an answered request.
func (m *metrics) done(operation string, status int, took time.Duration) {
	if operation == "" {
		operation = unknownOperation
	}
	op := m.operation(operation)
	op.duration.Observe(took.Seconds())
	op.code(status).Inc()
}

func (m *metrics) operation(name string) *opMetrics {
	if op, ok := m.ops.Load(name); ok {
		return op.(*opMetrics)
	}
	op, _ := m.ops.LoadOrStore(name, &opMetrics{
		duration: m.duration.WithLabelValues(name),
		requests: m.requests.MustCurryWith(prometheus.Labels{"operation": name}),
	})
	return op.(*opMetrics)
}

func (o *opMetrics) code(status int) prometheus.Counter {
	if c, ok := o.codes.Load(status); ok {
		return c.(prometheus.Counter)
	}
	c, _ := o.codes.LoadOrStore(status, o.requests.WithLabelValues(strconv.Itoa(status)))
	return c.(prometheus.Counter)
}
