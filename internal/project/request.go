package project

import (
	"github.com/lambhq/lamb/internal/api"
)

// Create is the request that creates the project's function with a role's ARN
// and variables, without its code. Members that neither the settings nor the
// folder tell are left out. A nil env gives none.
func (p *Project) Create(roleARN string, env map[string]string) *api.CreateFunctionRequest {
	s := p.Settings
	in := &api.CreateFunctionRequest{
		FunctionName:  &p.Name,
		Runtime:       &p.Runtime,
		Handler:       &p.Handler,
		Role:          &roleARN,
		Code:          &api.FunctionCode{},
		Architectures: []string{p.Architecture},
		Description:   given(s.Description),
		Timeout:       given(s.Timeout),
		MemorySize:    given(s.Memory),
		KMSKeyArn:     given(s.KMSKey),
		Layers:        s.Layers,
		Tags:          s.Tags,
	}
	if env != nil {
		in.Environment = &api.Environment{Variables: env}
	}
	if s.EphemeralStorage != 0 {
		in.EphemeralStorage = &api.EphemeralStorage{Size: &s.EphemeralStorage}
	}
	if s.DeadLetters != "" {
		in.DeadLetterConfig = &api.DeadLetterConfig{TargetArn: &s.DeadLetters}
	}
	if s.Tracing != "" {
		in.TracingConfig = &api.TracingConfig{Mode: &s.Tracing}
	}
	if v := s.VPC; v != nil {
		in.VpcConfig = &api.VpcConfig{SubnetIds: v.Subnets, SecurityGroupIds: v.SecurityGroups, Ipv6AllowedForDualStack: given(v.IPv6)}
	}
	if l := s.Logging; l != nil {
		in.LoggingConfig = &api.LoggingConfig{
			LogFormat: given(l.Format), ApplicationLogLevel: given(l.ApplicationLevel),
			SystemLogLevel: given(l.SystemLevel), LogGroup: given(l.Group),
		}
	}
	return in
}

// given is a pointer to a setting, nil for one that was left out.
func given[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// Update is the request that gives an existing function the configuration that
// a Create asks for. The architecture goes with the code, tags go by
// themselves.
func Update(in *api.CreateFunctionRequest) *api.UpdateFunctionConfigurationRequest {
	return &api.UpdateFunctionConfigurationRequest{
		FunctionName: in.FunctionName, Runtime: in.Runtime, Handler: in.Handler, Role: in.Role,
		Description: in.Description, Timeout: in.Timeout, MemorySize: in.MemorySize, KMSKeyArn: in.KMSKeyArn,
		Layers: in.Layers, Environment: in.Environment, EphemeralStorage: in.EphemeralStorage,
		DeadLetterConfig: in.DeadLetterConfig, TracingConfig: in.TracingConfig, VpcConfig: in.VpcConfig,
		LoggingConfig: in.LoggingConfig,
	}
}
