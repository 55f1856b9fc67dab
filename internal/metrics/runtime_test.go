package metrics_test

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/metrics"
	"github.com/lambhq/lamb/internal/metrics/metricstest"
)

// TestRuntime compares what Go and the operating system tell with what is
// known of this program otherwise.
func TestRuntime(t *testing.T) {
	r := metrics.NewRegistry()
	metrics.GoRuntime(r, "x_")
	metrics.Process(r, "x_")
	runtime.GC()
	v := metricstest.Values(t, r)
	between := func(name string, low, high float64) {
		t.Helper()
		if got, ok := v[name]; !ok || got < low || got > high {
			t.Errorf("%s is %v (there: %v), want %v to %v", name, got, ok, low, high)
		}
	}
	const mb = 1 << 20
	between("x_go_info "+runtime.Version(), 1, 1)
	between("x_go_goroutines", 2, 100)
	between("x_go_threads", 2, 1000)
	between("x_go_sched_gomaxprocs_threads", float64(runtime.GOMAXPROCS(0)), float64(runtime.GOMAXPROCS(0)))
	between("x_go_gc_duration_seconds", 1, 1e6)
	between("x_go_gc_gogc_percent", -1, 1e6)
	between("x_go_gc_gomemlimit_bytes", mb, 1<<63)
	between("x_go_memstats_sys_bytes", v["x_go_memstats_heap_sys_bytes"]+1, 1<<40)
	between("x_go_memstats_heap_inuse_bytes", v["x_go_memstats_heap_alloc_bytes"], 1<<40)
	between("x_go_memstats_alloc_bytes_total", v["x_go_memstats_alloc_bytes"], 1<<40)
	between("x_go_memstats_mallocs_total", v["x_go_memstats_frees_total"]+v["x_go_memstats_heap_objects"], 1<<40)
	now := float64(time.Now().Unix())
	between("x_go_memstats_last_gc_time_seconds", now-60, now+1)
	between("x_process_cpu_seconds_total", 0.0001, 3600)
	between("x_process_max_fds", 10, 1<<64)
	between("x_process_virtual_memory_max_bytes", mb, 1<<64)
	if runtime.GOOS != "linux" {
		return
	}
	between("x_process_resident_memory_bytes", mb, v["x_process_virtual_memory_bytes"])
	between("x_process_start_time_seconds", now-3600, now+2)
	between("x_process_network_receive_bytes_total", 0, 1<<64)
	between("x_process_network_transmit_bytes_total", 0, 1<<64)
	for range 7 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	before := v["x_process_open_fds"]
	v = metricstest.Values(t, r)
	between("x_process_open_fds", before+7, before+7)
}

// TestGOGC asks programs, of which each has its own.
func TestGOGC(t *testing.T) {
	if os.Getenv("METRICS_TEST_GOGC") != "" {
		r := metrics.NewRegistry()
		metrics.GoRuntime(r, "")
		_, _ = os.Stdout.Write(r.Append(nil))
		return
	}
	for variable, want := range map[string]string{"": "100", "off": "-1", "50": "50", "nonsense": "100"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestGOGC$")
		cmd.Env = append(os.Environ(), "METRICS_TEST_GOGC=1", "GOGC="+variable)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "\ngo_gc_gogc_percent "+want+"\n") {
			t.Errorf("GOGC=%s: %v, want %s in %s", variable, err, want, out)
		}
	}
}
