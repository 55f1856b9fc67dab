// Package envapi is what an execution environment can call: the Runtime,
// Extensions, Telemetry and Logs APIs. It speaks HTTP/1.1 over one listener per
// environment with a small loop of its own, and knows nothing of states: a
// Handler, which execenv implements, decides. This is the hot path: an invoking
// goroutine writes the event straight into the connection that waits in next.
package envapi

import "fmt"

// MaxPayload is the largest buffered response: 6 MiB + 100 bytes. [RIE, rec]
const MaxPayload = 6*1024*1024 + 100

// Handler is the environment behind the API. Its methods are called from
// connection goroutines, several at once.
type Handler interface {
	// Next is a runtime's GET /2018-06-01/runtime/invocation/next. A nil
	// error means that the call was taken: the handler keeps w and will, from
	// any goroutine and exactly once, call w.Deliver (now or later). A
	// connection that goes away before that is reported to w.Gone.
	Next(w *Waiter) *Error
	// Response is a POST …/invocation/{id}/response whose headers have
	// arrived. On a nil error the body is written to the sink.
	Response(id string, h Header) (Sink, *Error)
	// InvocationError is a POST …/invocation/{id}/error, its body complete.
	// The body is valid only during the call.
	InvocationError(id string, h Header, body []byte) *Error
	// InitError is a POST /2018-06-01/runtime/init/error, its body complete
	// and valid only during the call.
	InitError(h Header, body []byte) *Error
}

// Header is what the API reads from a runtime's POST. Strings are copies and
// stay valid.
type Header struct {
	ContentType string
	// ContentLength is -1 for a chunked body.
	ContentLength int64
	// ResponseMode is Lambda-Runtime-Function-Response-Mode as sent;
	// HasResponseMode tells an absent header from an empty one.
	ResponseMode    string
	HasResponseMode bool
	// ErrorType is Lambda-Runtime-Function-Error-Type.
	ErrorType string
	// XRayErrorCause is Lambda-Runtime-Function-XRay-Error-Cause.
	XRayErrorCause string
	UserAgent      string
	// RuntimeFeatures is Lambda-Runtime-Features.
	RuntimeFeatures string
}

// Trailer is what a chunked response may end with.
type Trailer struct {
	ErrorType string // Lambda-Runtime-Function-Error-Type
	ErrorBody string // Lambda-Runtime-Function-Error-Body, base64 as sent
}

// Sink takes one response body. The connection's goroutine calls it: any
// number of Write, then exactly one of Finish and Abort.
type Sink interface {
	// Write takes the next bytes; p is not kept. An error (usually
	// ErrPayloadTooLarge) is the answer to the runtime: the rest of the body is
	// read and dropped, within bounds, and neither Finish nor Abort follows.
	Write(p []byte) *Error
	// Finish: the body is complete. The error, if any, is the answer;
	// otherwise the runtime gets its 202.
	Finish(t Trailer) *Error
	// Abort: the body was cut (cause says how). The runtime gets
	// ErrTruncated if it can still be reached.
	Abort(cause error)
}

// Roomy is a Sink that can be written to in place: what is read from the
// connection straight into its memory is not copied.
type Roomy interface {
	// Room is memory for the next bytes, as much as there is; none sends them
	// by Write. It may be written to until the next call of any method.
	Room() []byte
	// Filled: the first n bytes of what Room returned just before are the
	// body's next ones.
	Filled(n int)
}

// Event is what next answers. Empty members are left out of the headers.
type Event struct {
	RequestID  string
	DeadlineMs int64
	InvokedARN string
	TraceID    string
	// Segment is the id of the invocation's own segment, where it has one, and
	// CallerSegment then that of the one above it. The runtime is not told of these.
	Segment, CallerSegment string
	ClientContext          string
	CognitoIdentity        string
	TenantID               string
	ContentType            string // "application/json" if empty
	Body                   []byte // not kept after Deliver returns
}

// Error is an answer other than success, in the API's JSON form.
type Error struct {
	Status  int
	Type    string
	Message string
	// Err may say what happened to who calls the handler's methods themselves.
	Err error
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Type, e.Message) }

// The error table of the Runtime API.
var (
	ErrInvalidRequestID    = &Error{Status: 400, Type: "InvalidRequestID", Message: "Invalid request ID"}
	ErrInvalidResponseMode = &Error{Status: 400, Type: "InvalidFunctionResponseMode", Message: "Invalid function response mode"}
	ErrTruncated           = &Error{Status: 400, Type: "TruncatedHTTPRequest", Message: "HTTP request detected as truncated"}
	ErrPayloadTooLarge     = PayloadTooLarge(MaxPayload)
	ErrInvokeTimeout       = &Error{Status: 410, Type: "InvokeTimeout", Message: "Invoke timeout"} // in the concurrent mode only
	ErrInternal            = &Error{Status: 500, Type: "InternalServerError", Message: "Internal Server Error"}
)

// PayloadTooLarge is the 413 for a body over a limit in bytes.
func PayloadTooLarge(limit int64) *Error {
	return &Error{Status: 413, Type: "RequestEntityTooLarge", Message: fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", limit)}
}

// InvalidTransition is the 403 for a call that the state does not allow.
func InvalidTransition(from, to string) *Error {
	return &Error{Status: 403, Type: "InvalidStateTransition", Message: "State transition from " + from + " to " + to + " failed for runtime. Error: State transition is not allowed"}
}
