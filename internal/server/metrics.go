package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lambhq/lamb/internal/invoke"
	"github.com/lambhq/lamb/internal/pool"
	"github.com/lambhq/lamb/internal/sandbox"
)

// metrics are those of invocations and environments; the gateway has its own.
type metrics struct {
	invocations *prometheus.CounterVec
	duration    prometheus.Histogram
}

func newMetrics(r prometheus.Registerer, p *pool.Pool, sandboxes sandbox.Provider) *metrics {
	m := &metrics{
		invocations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lamb_invocations_total",
			Help: "Invocations by result: success, error (the function's), throttle, fault (lamb's).",
		}, []string{"result"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "lamb_invocation_duration_seconds",
			Help:    "Time from admission to the answer, cold starts included.",
			Buckets: []float64{.0002, .0005, .001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900},
		}),
	}
	r.MustRegister(m.invocations, m.duration,
		gauge("lamb_environments_idle", "Execution environments that wait for an event.", func() float64 { return float64(p.Stats().Idle) }),
		gauge("lamb_environments_busy", "Execution environments that initialise, run or finish an invocation.", func() float64 { return float64(p.Stats().Busy) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "lamb_environments_started_total", Help: "Execution environments ever started.",
		}, func() float64 { return float64(p.Stats().Started) }),
	)
	if native, ok := sandboxes.(interface{ Ready() int }); ok {
		r.MustRegister(gauge("lamb_shells_ready", "Native sandboxes prepared ahead that wait for a function.", func() float64 { return float64(native.Ready()) }))
	}
	return m
}

func gauge(name, help string, f func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f)
}

func (m *metrics) observe(o invoke.Observation) {
	m.invocations.WithLabelValues(o.Result).Inc()
	if o.Duration > 0 {
		m.duration.Observe(o.Duration.Seconds())
	}
}
