package execenv

import (
	"errors"
	"testing"
)

func TestFailureErrors(t *testing.T) {
	all := []error{ErrTruncatedResponse, ErrResponseTooLarge, ErrInvalidResponseMode, ErrTimedOut, ErrPlatform}
	for errType, want := range map[string]error{
		"Runtime.TruncatedResponse":         ErrTruncatedResponse,
		"Function.ResponseSizeTooLarge":     ErrResponseTooLarge,
		"Runtime.InvalidResponseModeHeader": ErrInvalidResponseMode,
		"Sandbox.Timedout":                  ErrTimedOut,
		"Sandbox.Failure":                   ErrPlatform,
		"Runtime.ExitError":                 nil,
	} {
		for _, e := range all {
			if got := errors.Is(&FailureError{Type: errType}, e); got != (e == want) {
				t.Errorf("%s is %v: %v", errType, e, got)
			}
		}
	}
	if got := (&FailureError{Type: "Runtime.ExitError", Message: "m"}).Error(); got != "Runtime.ExitError: m" {
		t.Errorf("got %q", got)
	}
}

func TestResponseModes(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want ResponseMode
		err  error
	}{
		{"", ResponseBuffered, nil}, {"buffered", ResponseBuffered, nil}, {"STREAMING", ResponseStreaming, nil},
		{"other", "", ErrInvalidResponseMode},
	} {
		if got, err := ParseResponseMode(tt.in); got != tt.want || err != tt.err {
			t.Errorf("ParseResponseMode(%q) = %q, %v", tt.in, got, err)
		}
	}
	for _, tt := range []struct {
		in   string
		sent bool
		want ResponseMode
		err  error
	}{
		{"", false, ResponseBuffered, nil}, {"streaming", true, ResponseStreaming, nil},
		{"", true, "", ErrInvalidResponseMode}, {"Streaming", true, "", ErrInvalidResponseMode}, {"buffered", true, "", ErrInvalidResponseMode},
	} {
		if got, err := ParseFunctionResponseMode(tt.in, tt.sent); got != tt.want || err != tt.err {
			t.Errorf("ParseFunctionResponseMode(%q, %v) = %q, %v", tt.in, tt.sent, got, err)
		}
	}
}

func TestMoves(t *testing.T) {
	states := []runtimeState{runtimeStarted, runtimeReady, runtimeRunning, runtimeResponding, runtimeErrorPosted, runtimeResponseSent, runtimeInitError}
	for _, from := range states {
		for _, to := range states {
			err := from.move(to)
			if err == nil {
				continue
			}
			sent := (to == runtimeResponding || to == runtimeErrorPosted) &&
				(from == runtimeResponding || from == runtimeErrorPosted || from == runtimeResponseSent)
			if errors.Is(err, ErrResponseSent) != sent || err.Status != 403 {
				t.Errorf("%s to %s: %v", from, to, err)
			}
		}
	}
}
