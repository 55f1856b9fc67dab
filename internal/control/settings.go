package control

import (
	"slices"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
)

// The ranges that the service model leaves wider than the service.
const (
	maxTimeoutSecs = 900
	maxMemoryMB    = 10240
)

// The defaults of a new function.
const (
	defaultTimeoutSecs = 3
	defaultMemoryMB    = 128
	defaultTmpMB       = 512
)

// defaultConfig is the configuration of a function for which nothing was said.
func defaultConfig(name string) function.Config {
	return function.Config{
		TimeoutSecs:   defaultTimeoutSecs,
		MemoryMB:      defaultMemoryMB,
		TmpMB:         defaultTmpMB,
		PackageType:   api.PackageTypeZip,
		Architectures: []string{api.ArchitectureX8664},
		TracingMode:   api.TracingModePassThrough,
		SnapStart:     api.SnapStartApplyOnNone,
		Logging: function.Logging{
			Format: api.LogFormatText,
			Group:  "/aws/lambda/" + name,
		},
	}
}

// withSettings returns cfg with the members that in gives; what is nil stays.
// The result shares no memory with in, which its caller may change.
func withSettings(cfg function.Config, key function.Key, in *api.UpdateFunctionConfigurationRequest) (function.Config, error) {
	steps := []func(*function.Config, function.Key, *api.UpdateFunctionConfigurationRequest) error{
		refuseUnsupported,
		setRuntime,
		setNumbers,
		setTexts,
		setEnvironment,
		checkLayers,
		setVPC,
		setFileSystems,
		setLogging,
		setSnapStart,
		setCapacity,
	}
	for _, step := range steps {
		if err := step(&cfg, key, in); err != nil {
			return function.Config{}, err
		}
	}
	return cfg, nil
}

// refuseUnsupported refuses what would change how a function runs and does
// not: storing it would promise what is not kept.
func refuseUnsupported(_ *function.Config, _ function.Key, in *api.UpdateFunctionConfigurationRequest) error {
	switch {
	case in.ImageConfig != nil:
		return invalidParameter("ImageConfig is not supported for functions of package type Zip.")
	case in.DurableConfig != nil:
		return invalidParameter("DurableConfig is not supported: this installation does not run durable functions.")
	}
	return nil
}

func setNumbers(cfg *function.Config, _ function.Key, in *api.UpdateFunctionConfigurationRequest) error {
	if in.Timeout != nil {
		if *in.Timeout > maxTimeoutSecs {
			return constraint("timeout", *in.Timeout, maxTimeoutSecs)
		}
		cfg.TimeoutSecs = *in.Timeout
	}
	if in.MemorySize != nil {
		if *in.MemorySize > maxMemoryMB {
			return memoryTooLarge(maxMemoryMB)
		}
		cfg.MemoryMB = *in.MemorySize
	}
	if in.EphemeralStorage != nil && in.EphemeralStorage.Size != nil {
		cfg.TmpMB = *in.EphemeralStorage.Size
	}
	return nil
}

func setTexts(cfg *function.Config, _ function.Key, in *api.UpdateFunctionConfigurationRequest) error {
	set(&cfg.Role, in.Role)
	set(&cfg.Handler, in.Handler)
	set(&cfg.Description, in.Description)
	set(&cfg.KMSKeyARN, in.KMSKeyArn)
	if in.TracingConfig != nil {
		set(&cfg.TracingMode, in.TracingConfig.Mode)
	}
	if in.DeadLetterConfig != nil {
		// An empty ARN removes the configuration; so does none.
		cfg.DeadLetterARN = api.Value(in.DeadLetterConfig.TargetArn)
	}
	return nil
}

func setVPC(cfg *function.Config, _ function.Key, in *api.UpdateFunctionConfigurationRequest) error {
	vpc := in.VpcConfig
	if vpc == nil {
		return nil
	}
	if (len(vpc.SubnetIds) == 0) != (len(vpc.SecurityGroupIds) == 0) {
		return invalidParameter("SubnetIds and SecurityIds must coexist or be both empty list.")
	}
	cfg.VPC = &function.VPC{
		SubnetIDs:        slices.Clone(vpc.SubnetIds),
		SecurityGroupIDs: slices.Clone(vpc.SecurityGroupIds),
		IPv6:             api.Value(vpc.Ipv6AllowedForDualStack),
	}
	return nil
}

func setFileSystems(cfg *function.Config, _ function.Key, in *api.UpdateFunctionConfigurationRequest) error {
	if in.FileSystemConfigs == nil {
		return nil
	}
	cfg.FileSystems = nil
	for _, fs := range in.FileSystemConfigs {
		cfg.FileSystems = append(cfg.FileSystems,
			function.FileSystem{ARN: api.Value(fs.Arn), LocalMountPath: api.Value(fs.LocalMountPath)})
	}
	return nil
}

func setLogging(cfg *function.Config, _ function.Key, in *api.UpdateFunctionConfigurationRequest) error {
	given := in.LoggingConfig
	if given == nil {
		return nil
	}
	l := &cfg.Logging
	set(&l.Format, given.LogFormat)
	set(&l.Group, given.LogGroup)
	if l.Format != api.LogFormatJson {
		if given.ApplicationLogLevel != nil || given.SystemLogLevel != nil {
			return invalidParameter("ApplicationLogLevel and SystemLogLevel can only be set when LogFormat is JSON.")
		}
		l.ApplicationLevel, l.SystemLevel = "", ""
		return nil
	}
	set(&l.ApplicationLevel, given.ApplicationLogLevel)
	set(&l.SystemLevel, given.SystemLogLevel)
	if l.ApplicationLevel == "" {
		l.ApplicationLevel = api.ApplicationLogLevelInfo
	}
	if l.SystemLevel == "" {
		l.SystemLevel = api.SystemLogLevelInfo
	}
	return nil
}

// setSnapStart also checks a setting that was made before: the runtime may be
// what changes.
func setSnapStart(cfg *function.Config, _ function.Key, in *api.UpdateFunctionConfigurationRequest) error {
	if in.SnapStart != nil {
		set(&cfg.SnapStart, in.SnapStart.ApplyOn)
	}
	if cfg.SnapStart != api.SnapStartApplyOnPublishedVersions || in.SnapStart == nil && in.Runtime == nil {
		return nil
	}
	if cfg.TenantIsolation != "" {
		return invalidParameter("SnapStart is not supported for functions with tenant isolation.")
	}
	if r, ok := function.LookupRuntime(cfg.Runtime); ok && !r.SnapStart {
		return invalidParameter(cfg.Runtime + " is not supported for SnapStart enabled functions.")
	}
	return nil
}

// set overwrites a member that was given.
func set[T any](to *T, given *T) {
	if given != nil {
		*to = *given
	}
}

// NewConfig is the configuration that CreateFunction would give a function of
// this key, checked as it does; what in leaves out has AWS's defaults.
func NewConfig(key function.Key, in *api.UpdateFunctionConfigurationRequest) (function.Config, error) {
	return withSettings(defaultConfig(key.Name), key, in)
}
