package metrics

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"
)

// GoRuntime registers what Go programs tell of themselves: <prefix>go_* with
// the names and meanings of Prometheus' own client. Reading them stops the
// program for some microseconds. (Package runtime/metrics would not, but builds
// its tables in every start of every command.)
func GoRuntime(r *Registry, prefix string) {
	prefix += "go_"
	r.Gauges(prefix+"info", "The version of Go that this program was built with.", "version").With(runtime.Version()).Inc()
	r.register(gcPauses{prefix + "gc_duration_seconds"})
	r.GaugeFunc(prefix+"goroutines", "Goroutines that there are.", func() float64 { return float64(runtime.NumGoroutine()) })
	r.GaugeFunc(prefix+"threads", "Threads of the operating system that were made.", func() float64 {
		n, _ := runtime.ThreadCreateProfile(nil)
		return float64(n)
	})
	r.GaugeFunc(prefix+"sched_gomaxprocs_threads", "Threads that may run Go code at the same time.", func() float64 { return float64(runtime.GOMAXPROCS(0)) })
	r.GaugeFunc(prefix+"gc_gogc_percent", "How much the heap may grow before it is collected, in percent, as GOGC has it; -1 is off.", func() float64 { return gogc(os.Getenv("GOGC")) })
	r.GaugeFunc(prefix+"gc_gomemlimit_bytes", "The bound of GOMEMLIMIT; the largest number of 63 bits without one.", func() float64 { return float64(debug.SetMemoryLimit(-1)) })

	memory := func(name, help string, kind Type, value func(*runtime.MemStats) float64) Reading[*runtime.MemStats] {
		return Reading[*runtime.MemStats]{Name: prefix + "memstats_" + name, Help: help, Type: kind, Value: value}
	}
	Read(r, readMemory,
		memory("alloc_bytes", "Bytes of objects on the heap.", TypeGauge, func(m *runtime.MemStats) float64 { return float64(m.Alloc) }),
		memory("alloc_bytes_total", "Bytes of all objects that were ever on the heap.", TypeCounter, func(m *runtime.MemStats) float64 { return float64(m.TotalAlloc) }),
		memory("mallocs_total", "Objects that were ever made on the heap.", TypeCounter, func(m *runtime.MemStats) float64 { return float64(m.Mallocs) }),
		memory("frees_total", "Objects on the heap that were freed.", TypeCounter, func(m *runtime.MemStats) float64 { return float64(m.Frees) }),
		memory("heap_alloc_bytes", "Bytes of objects on the heap, as alloc_bytes.", TypeGauge, func(m *runtime.MemStats) float64 { return float64(m.HeapAlloc) }),
		memory("heap_objects", "Objects on the heap.", TypeGauge, func(m *runtime.MemStats) float64 { return float64(m.HeapObjects) }),
		memory("heap_inuse_bytes", "Bytes of the heap's spans that have objects.", TypeGauge, func(m *runtime.MemStats) float64 { return float64(m.HeapInuse) }),
		memory("heap_idle_bytes", "Bytes of the heap's spans that have none.", TypeGauge, func(m *runtime.MemStats) float64 { return float64(m.HeapIdle) }),
		memory("heap_released_bytes", "Bytes of idle spans that were given back to the operating system.", TypeGauge, func(m *runtime.MemStats) float64 { return float64(m.HeapReleased) }),
		memory("heap_sys_bytes", "Bytes of address space that the heap has from the operating system.", TypeGauge, func(m *runtime.MemStats) float64 { return float64(m.HeapSys) }),
		memory("stack_inuse_bytes", "Bytes of the stacks of goroutines.", TypeGauge, func(m *runtime.MemStats) float64 { return float64(m.StackInuse) }),
		memory("stack_sys_bytes", "Bytes for stacks from the operating system.", TypeGauge, func(m *runtime.MemStats) float64 { return float64(m.StackSys) }),
		memory("mspan_inuse_bytes", "Bytes of structures that describe spans.", TypeGauge, func(m *runtime.MemStats) float64 { return float64(m.MSpanInuse) }),
		memory("mspan_sys_bytes", "Bytes for such structures from the operating system.", TypeGauge, func(m *runtime.MemStats) float64 { return float64(m.MSpanSys) }),
		memory("mcache_inuse_bytes", "Bytes of the caches of processors.", TypeGauge, func(m *runtime.MemStats) float64 { return float64(m.MCacheInuse) }),
		memory("mcache_sys_bytes", "Bytes for such caches from the operating system.", TypeGauge, func(m *runtime.MemStats) float64 { return float64(m.MCacheSys) }),
		memory("buck_hash_sys_bytes", "Bytes of the tables of profiles.", TypeGauge, func(m *runtime.MemStats) float64 { return float64(m.BuckHashSys) }),
		memory("gc_sys_bytes", "Bytes that the garbage collector needs for itself.", TypeGauge, func(m *runtime.MemStats) float64 { return float64(m.GCSys) }),
		memory("other_sys_bytes", "Bytes from the operating system for everything else.", TypeGauge, func(m *runtime.MemStats) float64 { return float64(m.OtherSys) }),
		memory("sys_bytes", "Bytes of address space from the operating system, in all.", TypeGauge, func(m *runtime.MemStats) float64 { return float64(m.Sys) }),
		memory("next_gc_bytes", "Bytes of the heap at which it is collected next.", TypeGauge, func(m *runtime.MemStats) float64 { return float64(m.NextGC) }),
		memory("last_gc_time_seconds", "When the heap was last collected, in seconds since 1970; 0 if never.", TypeGauge, func(m *runtime.MemStats) float64 { return float64(m.LastGC) / 1e9 }),
	)
}

func readMemory() (*runtime.MemStats, error) {
	m := new(runtime.MemStats)
	runtime.ReadMemStats(m)
	return m, nil
}

// gogc is the setting that the runtime took from the variable GOGC. A program
// that changes it later has to be asked itself: the runtime tells the present
// one only to who sets a new one.
func gogc(variable string) float64 {
	if variable == "off" {
		return -1
	}
	if n, err := strconv.ParseInt(variable, 10, 32); err == nil {
		return float64(n)
	}
	return 100
}

// gcPauses is the summary of how long collections stopped the program.
type gcPauses struct{ name string }

func (s gcPauses) describe() []Desc {
	return []Desc{{Name: s.name, Help: "How long collections of the heap stopped the program.", Type: TypeSummary}}
}

func (s gcPauses) collect(p *page) {
	stats := debug.GCStats{PauseQuantiles: make([]time.Duration, 5)} // at 0, 0.25 and so on
	debug.ReadGCStats(&stats)
	var b []byte
	for i, pause := range stats.PauseQuantiles {
		quantile := string(appendFloat(nil, float64(i)/float64(len(stats.PauseQuantiles)-1)))
		b = appendSample(b, s.name, "", `quantile="`+quantile+`"`, pause.Seconds())
	}
	b = appendSample(b, s.name, "_sum", "", stats.PauseTotal.Seconds())
	p.add(s.describe()[0], appendSample(b, s.name, "_count", "", float64(stats.NumGC)))
}
