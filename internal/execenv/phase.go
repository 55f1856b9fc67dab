package execenv

// phase is where an environment stands; see the package comment's diagram.
type phase int

const (
	phaseCreated phase = iota
	phaseInit
	phaseRestoreReady // SnapStart: initialised, waits for Restore
	phaseRestoring
	phaseReady
	phaseInvoking
	phaseResetting
	phaseNeedsInit
	phaseBroken // the sandbox is gone or cannot be reset: good for Close only
	phaseClosed
)

// String is the phase's name in State and in errors.
func (p phase) String() string {
	return [...]string{"Created", "Init", "RestoreReady", "Restoring", "Ready", "Invoking", "Resetting", "NeedsInit", "Broken", "Closed"}[p]
}
