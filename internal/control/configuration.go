package control

import (
	"encoding/base64"
	"encoding/hex"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
)

// timeFormat is how records' times read in the API.
const timeFormat = "2006-01-02T15:04:05.000+0000"

// configuration shows a version whole. The qualifier is what the ARN ends in;
// empty for an unqualified ARN.
func configuration(v *function.Version, qualifier string) *api.FunctionConfiguration {
	out := listEntry(v, qualifier)
	out.State = optional(string(v.State))
	out.StateReason = optional(v.StateReason.Text)
	out.StateReasonCode = optional(v.StateReason.Code)
	out.LastUpdateStatus = optional(string(v.LastUpdate))
	out.LastUpdateStatusReason = optional(v.LastUpdateReason.Text)
	out.LastUpdateStatusReasonCode = optional(v.LastUpdateReason.Code)
	if v.Config.RuntimeVersionARN != "" {
		out.RuntimeVersionConfig = &api.RuntimeVersionConfig{RuntimeVersionArn: new(v.Config.RuntimeVersionARN)}
	}
	return out
}

// listEntry shows a version as lists do: without its states and without the
// build of its runtime.
func listEntry(v *function.Version, qualifier string) *api.FunctionConfiguration {
	cfg := &v.Config
	out := &api.FunctionConfiguration{
		FunctionName: new(v.Key.Name),
		FunctionArn:  new(v.Key.QualifiedARN(qualifier)),
		Runtime:      optional(cfg.Runtime),
		Role:         new(cfg.Role),
		Handler:      optional(cfg.Handler),
		CodeSize:     new(v.Code.Size),
		Description:  new(cfg.Description),
		Timeout:      new(cfg.TimeoutSecs),
		MemorySize:   new(cfg.MemoryMB),
		LastModified: new(v.LastModified.UTC().Format(timeFormat)),
		CodeSha256:   new(codeSHA256(v.Code)),
		Version:      new(v.Version),
		KMSKeyArn:    optional(cfg.KMSKeyARN),
		RevisionId:   new(v.RevisionID),
		PackageType:  new(cfg.PackageType),

		Architectures:    cfg.Architectures,
		EphemeralStorage: &api.EphemeralStorage{Size: new(cfg.TmpMB)},
		TracingConfig:    &api.TracingConfigResponse{Mode: new(cfg.TracingMode)},
		SnapStart:        showSnapStart(v),
		LoggingConfig:    showLogging(cfg.Logging),
		VpcConfig:        showVPC(cfg.VPC),
	}
	out.CapacityProviderConfig = showCapacity(cfg.Capacity)
	if cfg.Environment != nil {
		out.Environment = &api.EnvironmentResponse{Variables: cfg.Environment}
	}
	if cfg.DeadLetterARN != "" {
		out.DeadLetterConfig = &api.DeadLetterConfig{TargetArn: new(cfg.DeadLetterARN)}
	}
	if cfg.TenantIsolation != "" {
		out.TenancyConfig = &api.TenancyConfig{TenantIsolationMode: new(cfg.TenantIsolation)}
	}
	for _, l := range cfg.Layers {
		out.Layers = append(out.Layers, api.Layer{Arn: new(l.ARN), CodeSize: new(l.Size)})
	}
	for _, fs := range cfg.FileSystems {
		out.FileSystemConfigs = append(out.FileSystemConfigs,
			api.FileSystemConfig{Arn: new(fs.ARN), LocalMountPath: new(fs.LocalMountPath)})
	}
	return out
}

func showLogging(l function.Logging) *api.LoggingConfig {
	return &api.LoggingConfig{
		LogFormat:           new(l.Format),
		ApplicationLogLevel: optional(l.ApplicationLevel),
		SystemLogLevel:      optional(l.SystemLevel),
		LogGroup:            new(l.Group),
	}
}

func showVPC(vpc *function.VPC) *api.VpcConfigResponse {
	if vpc == nil {
		return nil
	}
	return &api.VpcConfigResponse{
		// A removed configuration shows empty lists, not none.
		SubnetIds:               append([]string{}, vpc.SubnetIDs...),
		SecurityGroupIds:        append([]string{}, vpc.SecurityGroupIDs...),
		VpcId:                   new(vpc.VPCID),
		Ipv6AllowedForDualStack: new(vpc.IPv6),
	}
}

// codeSHA256 is a code's digest as the API shows it.
func codeSHA256(code function.Code) string {
	sum, err := hex.DecodeString(code.SHA256)
	if err != nil {
		return "" // records hold what artifact made; a caller can do nothing about another one
	}
	return base64.StdEncoding.EncodeToString(sum)
}

// optional is nil for what an answer leaves out when it is empty.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// showSnapStart says On of a version whose init has been seen to come to where
// it is resumed.
func showSnapStart(v *function.Version) *api.SnapStartResponse {
	status := api.SnapStartOptimizationStatusOff
	if v.SnapStarts() && v.State == function.StateActive {
		status = api.SnapStartOptimizationStatusOn
	}
	return &api.SnapStartResponse{ApplyOn: new(v.Config.SnapStart), OptimizationStatus: new(status)}
}
