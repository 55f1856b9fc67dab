package execenv

import "github.com/lambhq/lamb/internal/envapi"

// runtimeState is the state of the runtime process as the Runtime API sees
// it. The names appear in error answers and are those of AWS's emulator.
type runtimeState string

const (
	runtimeStarted       runtimeState = "Started"
	runtimeReady         runtimeState = "Ready"
	runtimeRunning       runtimeState = "Running"
	runtimeResponding    runtimeState = "InvocationResponse"
	runtimeErrorPosted   runtimeState = "InvocationErrorResponse"
	runtimeResponseSent  runtimeState = "RuntimeResponseSentState"
	runtimeInitError     runtimeState = "InitError"
	runtimeRestoreReady  runtimeState = "RestoreReady"
	runtimeRestoring     runtimeState = "Restoring"
	runtimeRestoreError  runtimeState = "RuntimeRestoreErrorState"
	runtimeNotYetStarted runtimeState = "NotStarted"
)

// legal lists every move that is allowed; all others are refused with 403.
// Running to Running is a repeated next, which hands out the same event again.
var legal = map[runtimeState][]runtimeState{
	runtimeStarted:      {runtimeReady, runtimeInitError, runtimeRestoreReady},
	runtimeRestoreReady: {runtimeRestoring},
	runtimeRestoring:    {runtimeReady, runtimeRestoreError},
	runtimeReady:        {runtimeReady, runtimeRunning},
	runtimeRunning:      {runtimeRunning, runtimeResponding, runtimeErrorPosted},
	runtimeResponding:   {runtimeResponseSent},
	runtimeErrorPosted:  {runtimeResponseSent},
	runtimeResponseSent: {runtimeReady},
}

// move returns nil when the runtime may go from one state to another, and
// otherwise the API's answer, which is ErrResponseSent where it is that.
func (s runtimeState) move(to runtimeState) *envapi.Error {
	for _, t := range legal[s] {
		if t == to {
			return nil
		}
	}
	err := envapi.InvalidTransition(string(s), string(to))
	if s.answering() && (to == runtimeResponding || to == runtimeErrorPosted) {
		err.Err = ErrResponseSent
	}
	return err
}

// answering reports whether the runtime has begun to answer its event.
func (s runtimeState) answering() bool {
	return s == runtimeResponding || s == runtimeErrorPosted || s == runtimeResponseSent
}
