package runtimeapi

import (
	"encoding/json"
	"fmt"

	"github.com/lambhq/lamb/internal/wire"
)

// Error is why a call has failed: Err, when the service could not be asked, or
// what it answered.
type Error struct {
	// Operation is the call: "next", "response", "error", "init/error",
	// "restore/next" or "restore/error".
	Operation string
	// Status is the HTTP status, zero if there was no answer. After 500, a
	// container error, the service expects the process to exit at once.
	Status int
	// Type and Message are the service's: "InvalidRequestID",
	// "InvalidStateTransition", "RequestEntityTooLarge" and so on.
	Type, Message string
	// Err is the reason if there was no answer.
	Err error
}

// Error describes the failure.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("Runtime API, %s: %v", e.Operation, e.Err)
	}
	return fmt.Sprintf("Runtime API, %s: status %d: %s: %s", e.Operation, e.Status, e.Type, e.Message)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// refused is the service's answer as an error.
func refused(operation string, res *wire.Response) *Error {
	var body struct{ ErrorType, ErrorMessage string }
	_ = json.Unmarshal(res.Body, &body) // without one, the status has to do
	return &Error{Operation: operation, Status: res.Status, Type: body.ErrorType, Message: body.ErrorMessage}
}

// Failure is an error that is reported to the service.
type Failure struct {
	// Type is the category and reason, such as "Function.MyError". It is what
	// the service's logs and telemetry show; it may be empty.
	Type string
	// Body is what the caller gets, byte for byte: JSON with the members
	// errorMessage, errorType and stackTrace.
	Body []byte
	// XRayCause is JSON of at most 64 KiB for AWS X-Ray; it may be empty.
	XRayCause []byte
}

// maxXRayCause is up to what length the service takes a cause, in bytes.
const maxXRayCause = 64 << 10

const (
	headerErrorType = "Lambda-Runtime-Function-Error-Type"
	headerErrorBody = "Lambda-Runtime-Function-Error-Body"
	headerXRayCause = "Lambda-Runtime-Function-Xray-Error-Cause"
	contentTypeJSON = "application/json"
)

// PostError answers an invocation with an error. The environment lives on; a
// process in a state that cannot be trusted exits afterwards.
func (c *Client) PostError(inv *Invocation, f *Failure) error {
	c.startFor(inv, "/error")
	return c.fail("error", f)
}

// PostInitError reports that the runtime or the function cannot start. The
// process is expected to exit then.
func (c *Client) PostInitError(f *Failure) error {
	c.start("POST", initError)
	return c.fail("init/error", f)
}

// PostRestoreError reports, after RestoreNext, that the function cannot go on
// in its restored environment. The process is expected to exit then.
func (c *Client) PostRestoreError(f *Failure) error {
	c.start("POST", restore, "error")
	return c.fail("restore/error", f)
}

// fail sends a failure in the request that was begun.
func (c *Client) fail(operation string, f *Failure) error {
	c.conn.Header("Content-Type", contentTypeJSON)
	if f.Type != "" {
		c.conn.Header(headerErrorType, f.Type)
	}
	if len(f.XRayCause) > 0 && len(f.XRayCause) <= maxXRayCause {
		c.conn.Header(headerXRayCause, string(f.XRayCause))
	}
	return c.post(operation, f.Body)
}
