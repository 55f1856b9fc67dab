package server

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/auth"
	"github.com/lambhq/lamb/internal/control"
	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/gateway"
	"github.com/lambhq/lamb/internal/invoke"
	"github.com/lambhq/lamb/internal/logs"
	"github.com/lambhq/lamb/internal/metrics"
	"github.com/lambhq/lamb/internal/metrics/metricstest"
	"github.com/lambhq/lamb/internal/pool"
)

// TestMetricsDocument compares the tables of docs/metrics.md with what is
// registered.
func TestMetricsDocument(t *testing.T) {
	r := metrics.NewRegistry()
	newMetrics(r, metricSources{
		Totals:          &execenv.Totals{},
		Pool:            func() pool.Stats { return pool.Stats{} },
		AvailableMemory: func() (int64, error) { return 1, nil },
		ReadyShells:     func() int { return 1 },
		Logs:            func() logs.Stats { return logs.Stats{} },
	})
	_, err := gateway.New(gateway.Config{
		Service: control.New(control.Config{}), Keyring: &auth.Keyring{}, Account: "000000000000", Registry: r,
		Ready: func() bool { return true }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, d := range r.Describe() {
		row := fmt.Sprintf("| `%s` | %s | %s | %s |", d.Name, d.Type, strings.Join(d.Labels, ", "), d.Help)
		want = append(want, strings.ReplaceAll(row, "|  |", "| |"))
	}
	document, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(document)) {
		if strings.HasPrefix(line, "| `") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/metrics.md (-registered +document):\n%s", diff)
	}
}

func TestObserve(t *testing.T) {
	r := metrics.NewRegistry()
	m := newMetrics(r, metricSources{
		Totals: &execenv.Totals{},
		Pool: func() pool.Stats {
			return pool.Stats{Starting: 1, Busy: 2, Idle: 3, Started: 9, MemoryMB: 640, Frozen: 2, MemoryUsedBytes: 99}
		},
		AvailableMemory: func() (int64, error) { return 0, errors.New("not known") },
		ReservedMemory:  77,
	})
	for _, o := range []invoke.Observation{
		{Function: "f", Result: "success", Duration: 2 * time.Second, Init: time.Second, ResponseBytes: 10},
		{Function: "f", Result: "success", Duration: time.Second, ResponseBytes: 5},
		{Function: "g", Result: "error", Duration: time.Second, ResponseBytes: 1},
		{Function: "g", Result: "throttle"},
		{Function: "g", Result: "success", Duration: time.Second, ResponseBytes: 100, Streamed: true, Throughput: 50, Throttled: 3 * time.Second},
		{Function: "g", Result: "error", Duration: time.Second, ResponseBytes: 20, Streamed: true},
	} {
		m.observe(o)
	}
	want := map[string]float64{
		"lamb_invocations_total success": 3, "lamb_invocations_total error": 2,
		"lamb_invocations_total throttle": 1, "lamb_invocations_total fault": 0,
		"lamb_invocation_duration_seconds": 5, "lamb_init_duration_seconds": 1, "lamb_response_bytes_total": 136,
		"lamb_stream_bytes_total": 120, "lamb_stream_throttled_seconds_total": 3, "lamb_stream_throughput_bytes_per_second": 1,
		"lamb_function_invocations_total f success": 2, "lamb_function_invocations_total f error": 0,
		"lamb_function_invocations_total f throttle": 0, "lamb_function_invocations_total f fault": 0,
		"lamb_function_invocations_total g success": 1, "lamb_function_invocations_total g error": 2,
		"lamb_function_invocations_total g throttle": 1, "lamb_function_invocations_total g fault": 0,
		"lamb_function_duration_seconds_total f": 3, "lamb_function_duration_seconds_total g": 3,
		"lamb_extension_overhead_seconds_total": 0, "lamb_response_latency_seconds_total": 0,
		"lamb_environments_starting": 1, "lamb_environments_busy": 2, "lamb_environments_idle": 3,
		"lamb_environments_started_total": 9, "lamb_environments_memory_bytes": 640 << 20, "lamb_environments_frozen": 2,
		"lamb_environments_memory_used_bytes": 99, "lamb_memory_reserve_bytes": 77,
	}
	if diff := cmp.Diff(want, metricstest.Values(t, r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestFunctionsAreBounded: however many functions there are, the series are
// few, and none is lost.
func TestFunctionsAreBounded(t *testing.T) {
	r := metrics.NewRegistry()
	f := newFunctionMetrics(r)
	const functions = maxFunctions + 50
	for range 2 {
		for i := range functions {
			f.observe(invoke.Observation{Function: fmt.Sprint("f", i), Result: "success"})
		}
	}
	all := metricstest.Values(t, r)
	if want := (maxFunctions + 1) * (len(results) + 1); len(all) != want {
		t.Errorf("%d series, want %d", len(all), want)
	}
	first, last := fmt.Sprintf("lamb_function_invocations_total f%d success", maxFunctions-1), fmt.Sprintf("lamb_function_invocations_total %s success", otherFunctions)
	if all[first] != 2 || all[last] != 100 {
		t.Errorf("of the last with a name %v, of the others %v", all[first], all[last])
	}
}
