package server

import (
	"context"
	"errors"
	"strings"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/control"
	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/function"
)

// snapshot runs the init of a version with SnapStart: one that fails cannot be
// published.
func (s *Server) snapshot(ctx context.Context, v *function.Version) error {
	result, err := s.launcher.Snapshot(ctx, v)
	if err != nil {
		return err
	}
	var failed *execenv.FailureError
	if errors.As(result.Err, &failed) {
		return &control.ActivationError{
			Reason: function.Reason{Text: "The function's initialization failed: " + failed.Error(), Code: initReasonCode(failed)},
			Err:    failed,
		}
	}
	return result.Err
}

// initReasonCode is AWS's state reason code for a failed init.
func initReasonCode(f *execenv.FailureError) string {
	switch {
	case errors.Is(f, execenv.ErrTimedOut):
		return api.StateReasonCodeFunctionErrorInitTimeout
	case strings.HasPrefix(f.Type, "Extension."):
		return api.StateReasonCodeFunctionErrorExtensionInitError
	case f.Type == "Runtime.InvalidEntrypoint":
		return api.StateReasonCodeFunctionErrorInvalidEntryPoint
	case f.Type == "Runtime.InvalidWorkingDir":
		return api.StateReasonCodeFunctionErrorInvalidWorkingDirectory
	case f.Type == "Runtime.OutOfMemory":
		return api.StateReasonCodeFunctionErrorInitResourceExhausted
	case strings.HasPrefix(f.Type, "Runtime."):
		return api.StateReasonCodeFunctionErrorRuntimeInitError
	}
	return api.StateReasonCodeFunctionError
}
