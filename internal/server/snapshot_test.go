package server

import (
	"testing"

	"github.com/lambhq/lamb/internal/execenv"
)

func TestInitReasonCode(t *testing.T) {
	for errType, want := range map[string]string{
		"Sandbox.Timedout": "FunctionError.InitTimeout", "Extension.Crash": "FunctionError.ExtensionInitError",
		"Runtime.InvalidEntrypoint": "FunctionError.InvalidEntryPoint", "Runtime.InvalidWorkingDir": "FunctionError.InvalidWorkingDirectory", "Runtime.OutOfMemory": "FunctionError.InitResourceExhausted",
		"Runtime.ExitError": "FunctionError.RuntimeInitError", "Function.Boom": "FunctionError",
	} {
		if got := initReasonCode(&execenv.FailureError{Type: errType}); got != want {
			t.Errorf("%s: %s, want %s", errType, got, want)
		}
	}
}
