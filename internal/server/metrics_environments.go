package server

import (
	"github.com/lambhq/lamb/internal/metrics"
	"github.com/lambhq/lamb/internal/pool"
)

// registerEnvironments registers what the pool tells, all at once, when it is
// asked, and what memory there is.
func registerEnvironments(r *metrics.Registry, from metricSources) {
	type reading = metrics.Reading[pool.Stats]
	of := func(name, help string, value func(pool.Stats) int64) reading {
		return reading{Name: name, Help: help, Type: metrics.TypeGauge, Value: func(s pool.Stats) float64 { return float64(value(s)) }}
	}
	started := of("lamb_environments_started_total", "Execution environments ever started.", func(s pool.Stats) int64 { return int64(s.Started) })
	started.Type = metrics.TypeCounter
	metrics.Read(r, func() (pool.Stats, error) { return from.Pool(), nil }, started,
		of("lamb_environments_starting", "Execution environments that are being made.", func(s pool.Stats) int64 { return int64(s.Starting) }),
		of("lamb_environments_busy", "Execution environments that initialise, run or finish an invocation.", func(s pool.Stats) int64 { return int64(s.Busy) }),
		of("lamb_environments_idle", "Execution environments that wait for an event.", func(s pool.Stats) int64 { return int64(s.Idle) }),
		of("lamb_environments_frozen", "Execution environments among the idle ones whose processes are stopped.", func(s pool.Stats) int64 { return int64(s.Frozen) }),
		of("lamb_environments_memory_bytes", "Memory that the busy and the idle environments are configured to use at most.", func(s pool.Stats) int64 { return s.MemoryMB << 20 }),
		of("lamb_environments_memory_used_bytes", "Sum of the memory high-water marks of the busy and the idle environments, as they were last read.", func(s pool.Stats) int64 { return s.MemoryUsedBytes }),
	)
	metrics.Read(r, from.AvailableMemory, metrics.Reading[int64]{
		Name: "lamb_memory_available_bytes", Help: "Memory that the host has available for new programs; absent where it is not known.",
		Type: metrics.TypeGauge, Value: func(n int64) float64 { return float64(n) },
	})
	r.GaugeFunc("lamb_memory_reserve_bytes", "Available memory under which no environment is started; 0 or less means no such bound.", func() float64 { return float64(from.ReservedMemory) })
}
