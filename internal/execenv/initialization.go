package execenv

import (
	"time"

	"github.com/lambhq/lamb/internal/telemetry"
)

// Initialization is why an environment is made. It decides what the function
// is told (AWS_LAMBDA_INITIALIZATION_TYPE), what events are told
// (initializationType), and how long the init may take.
type Initialization int

// The kinds of initialization.
const (
	// OnDemand: an invocation waits for the environment.
	OnDemand Initialization = iota
	// PreWarmed: the environment is made before it is needed. To functions and
	// in events it is provisioned concurrency, as in AWS's emulator.
	PreWarmed
	// Provisioned: the environment is provisioned concurrency.
	Provisioned
	// SnapStart: the environment runs its init to restore/next, waits there, and
	// is resumed by Restore.
	SnapStart
	// Managed: the environment serves several invocations at once
	// (Config.MaxConcurrency).
	Managed
)

// Type is the kind as functions and events see it.
func (i Initialization) Type() telemetry.InitializationType {
	switch i {
	case PreWarmed, Provisioned:
		return telemetry.ProvisionedConcurrency
	case SnapStart:
		return telemetry.SnapStart
	case Managed:
		return telemetry.ManagedInstances
	}
	return telemetry.OnDemand
}

// firstPhase is what events call the first init's phase.
func (i Initialization) firstPhase() telemetry.Phase {
	if i == SnapStart {
		return telemetry.PhaseSnapStart
	}
	return telemetry.PhaseInit
}

const (
	// DefaultInitLimit is how long the init of an environment may take that is
	// made on demand; after that it is stopped and run again inside the first
	// invocation.
	DefaultInitLimit = 10 * time.Second
	// aheadInitLimit is what inits get for which no invocation waits, if the
	// function's own timeout is not longer.
	aheadInitLimit = 130 * time.Second
)

// initLimit is how long an init may take.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
func (i Initialization) initLimit(timeout time.Duration) time.Duration {
	switch i {
	case OnDemand, PreWarmed:
		return DefaultInitLimit
	}
	return max(aheadInitLimit, timeout)
}
