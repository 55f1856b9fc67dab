package server

import "github.com/prometheus/client_golang/prometheus"

// environmentMetrics reads what there is when it is asked, all at once: the
// numbers of one scrape belong together.
type environmentMetrics struct {
	from                                   metricSources
	starting, busy, idle, frozen, started  *prometheus.Desc
	configured, used, available, reserving *prometheus.Desc
}

func newEnvironmentMetrics(from metricSources) *environmentMetrics {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &environmentMetrics{
		from:       from,
		starting:   desc("lamb_environments_starting", "Execution environments that are being made."),
		busy:       desc("lamb_environments_busy", "Execution environments that initialise, run or finish an invocation."),
		idle:       desc("lamb_environments_idle", "Execution environments that wait for an event."),
		frozen:     desc("lamb_environments_frozen", "Execution environments among the idle ones whose processes are stopped."),
		started:    desc("lamb_environments_started_total", "Execution environments ever started."),
		configured: desc("lamb_environments_memory_bytes", "Memory that the busy and the idle environments are configured to use at most."),
		used:       desc("lamb_environments_memory_used_bytes", "Sum of the memory high-water marks of the busy and the idle environments, as they were last read."),
		available:  desc("lamb_memory_available_bytes", "Memory that the host has available for new programs; absent where it is not known."),
		reserving:  desc("lamb_memory_reserve_bytes", "Available memory under which no environment is started; 0 or less means no such bound."),
	}
}

// Describe implements prometheus.Collector.
func (m *environmentMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.starting, m.busy, m.idle, m.frozen, m.started, m.configured, m.used, m.available, m.reserving} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m *environmentMetrics) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v int64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v))
	}
	s := m.from.Pool()
	gauge(m.starting, int64(s.Starting))
	gauge(m.busy, int64(s.Busy))
	gauge(m.idle, int64(s.Idle))
	gauge(m.frozen, int64(s.Frozen))
	gauge(m.configured, s.MemoryMB<<20)
	gauge(m.used, s.MemoryUsedBytes)
	to <- prometheus.MustNewConstMetric(m.started, prometheus.CounterValue, float64(s.Started))
	gauge(m.reserving, m.from.ReservedMemory)
	if available, err := m.from.AvailableMemory(); err == nil {
		gauge(m.available, available)
	}
}
