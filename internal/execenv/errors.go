package execenv

import (
	"errors"
	"fmt"
	"strings"
)

// Why a verb was refused or came to nothing. Callers tell them apart with
// errors.Is; the errors that verbs return say more in their text.
var (
	// ErrClosed: the environment has been closed, or its sandbox is gone.
	ErrClosed = errors.New("execution environment is closed")
	// ErrBusy: the environment has an invocation in flight.
	ErrBusy = errors.New("execution environment has an invocation in flight")
	// ErrIllegalMove: the environment's phase does not allow the verb; every
	// IllegalMoveError is one.
	ErrIllegalMove = errors.New("the environment's phase does not allow this")

	// ErrReserved: somebody else has reserved the environment.
	ErrReserved = errors.New("execution environment is reserved")
	// ErrUnknownReservation: the token is not that of the reservation there is.
	ErrUnknownReservation = errors.New("unknown reservation token")
	// ErrReservationExpired: the reservation was not used in time.
	ErrReservationExpired = errors.New("reservation has expired")
	// ErrWrongVersion: the environment runs another version.
	ErrWrongVersion = errors.New("execution environment runs another function version")
	// ErrWrongInvokeID: the reservation was made for another invocation.
	ErrWrongInvokeID = errors.New("reservation is for another invocation")

	// ErrResponseSent: the invocation has been answered already.
	ErrResponseSent = errors.New("response has been sent already")
	// ErrTruncatedResponse: the response's body was cut.
	ErrTruncatedResponse = errors.New("response was truncated")
	// ErrResponseTooLarge: the response was over its limit.
	ErrResponseTooLarge = errors.New("response is too large")
	// ErrInvalidResponseMode: a response mode that there is not.
	ErrInvalidResponseMode = errors.New("invalid response mode")
	// ErrInvalidPayloadLimit: a limit of the response that cannot be kept.
	ErrInvalidPayloadLimit = errors.New("invalid payload limit")
	// ErrMalformedCustomerHeaders: the event's client context or Cognito
	// identity is not JSON.
	ErrMalformedCustomerHeaders = errors.New("malformed customer headers")

	// ErrTimedOut: the function's timeout, or the init's limit, was reached.
	ErrTimedOut = errors.New("timed out")
	// ErrPlatform: lamb failed, not the function.
	ErrPlatform = errors.New("platform failure")
)

// IllegalMoveError says which verb the phase of an environment did not allow.
type IllegalMoveError struct {
	Verb  string // "Init", "Reserve", ...
	Phase string // as in State.Phase
}

func (e *IllegalMoveError) Error() string {
	return fmt.Sprintf("%s is not allowed while the environment is %s", e.Verb, e.Phase)
}

// Is makes every IllegalMoveError an ErrIllegalMove.
func (e *IllegalMoveError) Is(target error) bool { return target == ErrIllegalMove }

// illegal is the error of a verb in a phase that does not allow it.
func (p phase) illegal(verb string) error {
	if p >= phaseBroken {
		return ErrClosed
	}
	return &IllegalMoveError{Verb: verb, Phase: p.String()}
}

// FailureError is a failure with an error type of the Runtime API, be it the
// platform's or one that the runtime reported. It is one of this package's
// errors where the type stands for one.
type FailureError struct {
	Type    string // such as Runtime.ExitError
	Message string // may be empty
}

func (e *FailureError) Error() string {
	if e.Message == "" {
		return e.Type
	}
	return e.Type + ": " + e.Message
}

// Is matches the error that stands for the type.
func (e *FailureError) Is(target error) bool {
	switch target {
	case ErrTruncatedResponse:
		return e.Type == errTypeTruncated
	case ErrResponseTooLarge:
		return e.Type == errTypeTooLarge
	case ErrInvalidResponseMode:
		return e.Type == errTypeResponseMode
	case ErrRuntimeUnavailable:
		return e.Type == errTypeUnavailable
	case ErrTimedOut:
		return e.Type == errTypeTimeout
	case ErrPlatform:
		return strings.HasPrefix(e.Type, "Sandbox.") && e.Type != errTypeTimeout
	}
	return false
}
