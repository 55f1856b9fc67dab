package control

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
)

func capacity(most *int, perVCPU *float64) *api.CapacityProviderConfig {
	return &api.CapacityProviderConfig{LambdaManagedInstancesCapacityProviderConfig: &api.LambdaManagedInstancesCapacityProviderConfig{
		CapacityProviderArn:                   new("arn:aws:lambda:us-east-1:000000000000:capacity-provider:p"),
		PerExecutionEnvironmentMaxConcurrency: most, ExecutionEnvironmentMemoryGiBPerVCpu: perVCPU,
	}}
}

// TestCapacity: how many invocations an environment serves, and what is shown.
func TestCapacity(t *testing.T) {
	json := &api.LoggingConfig{LogFormat: new("JSON")}
	for name, tt := range map[string]struct {
		in   settings
		want int
	}{
		"given":           {settings{CapacityProviderConfig: capacity(new(10), nil)}, 10},
		"default":         {settings{CapacityProviderConfig: capacity(nil, nil), MemorySize: new(8192)}, 256},
		"default, 8 GiB":  {settings{CapacityProviderConfig: capacity(nil, new(8.0)), MemorySize: new(8192)}, 64},
		"default, little": {settings{CapacityProviderConfig: capacity(nil, new(8.0))}, 64},
	} {
		tt.in.Runtime, tt.in.LoggingConfig = new("provided.al2023"), json
		if tt.in.MemorySize == nil {
			tt.in.MemorySize = new(2048)
		}
		cfg, err := withSettings(defaultConfig("fn"), key("fn"), &tt.in)
		if err != nil || cfg.MaxConcurrency != tt.want {
			t.Errorf("%s: %d, %v, want %d", name, cfg.MaxConcurrency, err, tt.want)
		}
		if diff := cmp.Diff(tt.in.CapacityProviderConfig, showCapacity(cfg.Capacity)); diff != "" {
			t.Errorf("%s: shown (-given +got):\n%s", name, diff)
		}
		if _, err := withSettings(cfg, key("fn"), &settings{MemorySize: new(1024)}); err == nil {
			t.Errorf("%s: too little memory was taken later", name)
		}
	}
	if showCapacity(nil) != nil {
		t.Error("a function without a provider shows one")
	}
	for name, in := range map[string]settings{
		"runtime": {Runtime: new("python3.13"), MemorySize: new(2048), LoggingConfig: json},
		"memory":  {Runtime: new("provided.al2023"), LoggingConfig: json},
		"format":  {Runtime: new("provided.al2023"), MemorySize: new(2048)},
	} {
		in.CapacityProviderConfig = capacity(new(10), nil)
		if _, err := withSettings(defaultConfig("fn"), key("fn"), &in); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// TestShowSnapStart: On is said of what has been seen to work.
func TestShowSnapStart(t *testing.T) {
	for _, tt := range []struct {
		version string
		apply   string
		state   function.State
		want    string
	}{
		{"1", "PublishedVersions", function.StateActive, "On"},
		{"1", "PublishedVersions", function.StatePending, "Off"},
		{"1", "None", function.StateActive, "Off"},
		{function.Latest, "PublishedVersions", function.StateActive, "Off"},
	} {
		v := &function.Version{Version: tt.version, State: tt.state, Config: function.Config{SnapStart: tt.apply}}
		if got := showSnapStart(v); *got.OptimizationStatus != tt.want || *got.ApplyOn != tt.apply {
			t.Errorf("%+v: %s", tt, *got.OptimizationStatus)
		}
	}
}
