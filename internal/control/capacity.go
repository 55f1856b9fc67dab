package control

import (
	"strings"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
)

// The bounds of functions that serve several invocations in one environment.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html
const (
	minCapacityMemoryMB   = 2048
	defaultGiBPerVCPU     = 2
	concurrencyPerVCPU    = 64
	maxPerEnvironment     = 1600
	capacityProviderInARN = ":capacity-provider:"
)

// setCapacity has a function's environments serve several invocations at once.
// There are no instances to provide: this machine stands for every provider.
// It runs after the other settings, which it checks, too.
func setCapacity(cfg *function.Config, _ function.Key, in *api.UpdateFunctionConfigurationRequest) error {
	if in.CapacityProviderConfig != nil {
		given := in.CapacityProviderConfig.LambdaManagedInstancesCapacityProviderConfig
		if given == nil || !strings.Contains(api.Value(given.CapacityProviderArn), capacityProviderInARN) {
			return invalidParameter("CapacityProviderConfig needs the ARN of a capacity provider.")
		}
		cfg.Capacity = &function.Capacity{
			ProviderARN:      api.Value(given.CapacityProviderArn),
			MaxConcurrency:   api.Value(given.PerExecutionEnvironmentMaxConcurrency),
			MemoryGiBPerVCPU: api.Value(given.ExecutionEnvironmentMemoryGiBPerVCpu),
		}
	}
	if cfg.Capacity == nil {
		return nil
	}
	cfg.MaxConcurrency = maxConcurrency(cfg)
	return checkCapacity(cfg)
}

// maxConcurrency is how many invocations one environment serves at once.
func maxConcurrency(cfg *function.Config) int {
	if cfg.Capacity.MaxConcurrency > 0 {
		return cfg.Capacity.MaxConcurrency
	}
	perVCPU := cfg.Capacity.MemoryGiBPerVCPU
	if perVCPU == 0 {
		perVCPU = defaultGiBPerVCPU
	}
	vcpus := max(1, int(float64(cfg.MemoryMB)/(perVCPU*1024)))
	return min(maxPerEnvironment, concurrencyPerVCPU*vcpus)
}

func checkCapacity(cfg *function.Config) error {
	r, _ := function.LookupRuntime(cfg.Runtime)
	switch {
	case r.Family != function.Provided:
		return invalidParameter("CapacityProviderConfig is supported for runtimes of the family provided only: " +
			"this installation's programs for " + cfg.Runtime + " serve one invocation at a time.")
	case cfg.MemoryMB < minCapacityMemoryMB:
		return invalidParameter("Functions with a capacity provider need at least 2048 MB of memory.")
	case cfg.Logging.Format != api.LogFormatJson:
		return invalidParameter("Functions with a capacity provider need the log format JSON.")
	case cfg.SnapStart == api.SnapStartApplyOnPublishedVersions, cfg.TenantIsolation != "":
		return invalidParameter("Functions with a capacity provider have neither SnapStart nor tenant isolation.")
	}
	return nil
}

// showCapacity is CapacityProviderConfig as it was given.
func showCapacity(c *function.Capacity) *api.CapacityProviderConfig {
	if c == nil {
		return nil
	}
	out := &api.LambdaManagedInstancesCapacityProviderConfig{CapacityProviderArn: new(c.ProviderARN)}
	if c.MaxConcurrency > 0 {
		out.PerExecutionEnvironmentMaxConcurrency = new(c.MaxConcurrency)
	}
	if c.MemoryGiBPerVCPU > 0 {
		out.ExecutionEnvironmentMemoryGiBPerVCpu = new(c.MemoryGiBPerVCPU)
	}
	return &api.CapacityProviderConfig{LambdaManagedInstancesCapacityProviderConfig: out}
}
