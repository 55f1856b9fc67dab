package execenv

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/trace"
)

// Unhandled is the value of X-Amz-Function-Error for every failure of a
// function. [rec]
const Unhandled = "Unhandled"

// Outcome is how an invocation ended, for the caller. Failures of the
// function are outcomes, not Go errors: the service answers them with 200.
type Outcome struct {
	// Payload is the response body, or the error's JSON.
	Payload []byte
	// ContentType is the runtime's, empty for failures made by the platform.
	ContentType string
	// FunctionError is empty or Unhandled.
	FunctionError string
	// ErrorType is the sanitised type for logs and metrics
	// ("Runtime.ExitError"); empty on success.
	ErrorType string

	// Cause is what the runtime told X-Ray of a failure: JSON, cropped as AWS
	// does; nil when there is none.
	Cause []byte

	code   string  // see Code; ErrorType when empty
	pooled *[]byte // Payload's buffer, if it is to go back
}

// Code is the failure as the end of a stream tells it: Unhandled for what the
// runtime reported instead of a response, the type that it named for what
// failed within one, and otherwise the platform's error type. It is empty on
// success.
func (o Outcome) Code() string {
	if o.code != "" {
		return o.code
	}
	return o.ErrorType
}

// Err is nil, or the failure as a *FailureError: ErrTruncatedResponse,
// ErrResponseTooLarge, ErrInvalidResponseMode, ErrTimedOut or ErrPlatform where
// it is one of these. Its message is in Payload.
func (o Outcome) Err() error {
	if o.FunctionError == "" {
		return nil
	}
	return &FailureError{Type: o.ErrorType}
}

// Release gives the payload's buffer back; Payload must not be used after it.
func (o Outcome) Release() {
	if o.pooled != nil {
		recycle(o.pooled)
	}
}

// The platform's error types that this package produces.
const (
	errTypeTimeout         = "Sandbox.Timedout"
	errTypeSandboxFailure  = "Sandbox.Failure"
	errTypeExit            = "Runtime.ExitError"
	errTypeOutOfMemory     = "Runtime.OutOfMemory"
	errTypeEntrypoint      = "Runtime.InvalidEntrypoint"
	errTypeWorkingDir      = "Runtime.InvalidWorkingDir"
	errTypeUnavailable     = "Runtime.Unavailable"
	errTypeTooManyIdle     = "Runtime.TooManyIdleRuntimes"
	errTypeShutDown        = "Client.ExecutionEnvironmentShutDown"
	errTypeRestoreTimeout  = "Runtime.RestoreHookUserTimeout"
	errTypeRestoreError    = "Runtime.RestoreHookUserError"
	errTypeTruncated       = "Runtime.TruncatedResponse"
	errTypeResponseMode    = "Runtime.InvalidResponseModeHeader"
	errTypeTooLarge        = "Function.ResponseSizeTooLarge"
	errTypeRuntimeUnknown  = "Runtime.Unknown"
	errTypeFunctionUnknown = "Function.Unknown"
	errTypeExtensionLaunch = "Extension.LaunchError"
	errTypeExtensionInit   = "Extension.InitError"
	errTypeExtensionExit   = "Extension.ExitError"
	errTypeExtensionCrash  = "Extension.Crash"
)

// platformFailure is an outcome that the platform words: the JSON has the
// type first, as recorded.
func platformFailure(requestID, errType, cause string) Outcome {
	message := "Error: " + cause
	if requestID != "" {
		message = "RequestId: " + requestID + " " + message
	}
	return failureJSON(errType, message)
}

func failureJSON(errType, message string) Outcome {
	body, err := json.Marshal(struct {
		ErrorType    string `json:"errorType"`
		ErrorMessage string `json:"errorMessage"`
	}{errType, message})
	if err != nil { // two strings always marshal
		panic(err)
	}
	return Outcome{Payload: body, FunctionError: Unhandled, ErrorType: errType}
}

// tooLarge is the outcome of a response over its limit.
func tooLarge(limit int64) Outcome {
	body := fmt.Sprintf(`{"errorMessage":"Response payload size exceeded maximum allowed payload size (%d bytes).","errorType":%q}`,
		limit, errTypeTooLarge)
	return Outcome{Payload: []byte(body), FunctionError: Unhandled, ErrorType: errTypeTooLarge}
}

// failure is why a runtime stopped working: the cause of a failed init or
// invocation. The zero value means none.
type failure struct {
	errType string
	cause   string
	// body is what the runtime told itself (init/error); it wins over cause.
	body        []byte
	contentType string // of body
	// sandboxGone: nothing will ever start in this sandbox again.
	sandboxGone bool
	// host is why the host could not start a process: no fault of the
	// function's, and of no consequence once there is room again. Nil otherwise.
	host error
}

// outcome is the failure as the answer to one invocation.
func (f failure) outcome(requestID string) Outcome {
	if f.body != nil {
		return Outcome{Payload: f.body, ContentType: f.contentType, FunctionError: Unhandled, ErrorType: f.errType, code: Unhandled}
	}
	return platformFailure(requestID, f.errType, f.cause)
}

// reason is the failure as the reason of a shutdown.
func (f failure) reason() string {
	if f.errType == errTypeTimeout {
		return ReasonTimeout
	}
	return ReasonFailure
}

// exitFailure words the end of a runtime process.
func exitFailure(e sandbox.Exit) failure {
	if e.OOM {
		return failure{errType: errTypeOutOfMemory, cause: "Runtime exited with error: signal: killed"}
	}
	if s := e.String(); s != "" {
		return failure{errType: errTypeExit, cause: "Runtime exited with error: " + s}
	}
	return failure{errType: errTypeExit, cause: "Runtime exited without providing a reason"}
}

const (
	jsonContentType  = "application/json"
	octetContentType = "application/octet-stream"
	// causeContentType marks an error body that carries the X-Ray cause beside
	// the error's own members.
	causeContentType = "application/vnd.aws.lambda.error.cause+json"
)

// reportedError is the outcome of a runtime's POST …/error.
func reportedError(h envapi.Header, body []byte) Outcome {
	o := Outcome{FunctionError: Unhandled, ErrorType: sanitizeErrorType(h.ErrorType), ContentType: h.ContentType, code: Unhandled}
	// A cause that is not one is none.
	o.Cause, _ = trace.ErrorCause([]byte(h.XRayErrorCause))
	switch {
	case len(body) == 0:
		o.Payload, o.ContentType = unknownError(h.ErrorType), jsonContentType
	case h.ContentType == causeContentType:
		var cause []byte
		o.Payload, o.ContentType, cause = withoutCause(body)
		if cause != nil {
			o.Cause, _ = trace.ErrorCause(cause)
		}
	default:
		o.Payload = bytes.Clone(body)
	}
	return o
}

// reportedInitError is why an init failed by the runtime's own account. Its
// body is taken for JSON or else for bytes, as the emulator does.
func reportedInitError(h envapi.Header, body []byte) failure {
	o := reportedError(h, body)
	f := failure{errType: o.ErrorType, body: o.Payload, contentType: jsonContentType}
	if !json.Valid(o.Payload) {
		f.contentType = octetContentType
	}
	return f
}

// unknownError is the body of an error that came without one.
func unknownError(errType string) []byte {
	b, _ := json.Marshal(struct { // two strings always marshal
		ErrorMessage string `json:"errorMessage"`
		ErrorType    string `json:"errorType,omitempty"`
	}{"Unknown application error occurred", errType})
	return b
}

// withoutCause reduces a body of causeContentType to what the caller may see.
func withoutCause(body []byte) (visible []byte, contentType string, cause []byte) {
	var members struct {
		ErrorMessage json.RawMessage `json:"errorMessage,omitempty"`
		ErrorType    json.RawMessage `json:"errorType,omitempty"`
		StackTrace   json.RawMessage `json:"stackTrace,omitempty"`
	}
	var hidden struct {
		ErrorCause json.RawMessage `json:"errorCause"`
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if json.Unmarshal(body, &members) != nil || json.Unmarshal(body, &hidden) != nil || enc.Encode(members) != nil {
		return []byte(`"Invalid error body"`), octetContentType, nil
	}
	return bytes.TrimRight(out.Bytes(), "\n"), jsonContentType, hidden.ErrorCause
}

// trailerError is the outcome of a response whose trailers say that the
// function failed after it had begun to answer.
func trailerError(t envapi.Trailer) Outcome {
	o := Outcome{FunctionError: Unhandled, ErrorType: sanitizeErrorType(t.ErrorType), code: t.ErrorType}
	body, err := base64.StdEncoding.DecodeString(t.ErrorBody)
	if err != nil || len(body) == 0 {
		body = failureJSON(t.ErrorType, "Unknown application error occurred").Payload
	}
	o.Payload = body
	return o
}

// sanitizeErrorType keeps types of the form (Runtime|Function).Name and maps
// all others to Function.Unknown or Runtime.Unknown, for logs and metrics.
func sanitizeErrorType(t string) string {
	category, name, ok := strings.Cut(t, ".")
	if ok && (category == "Runtime" || category == "Function") && isErrorName(name) {
		return t
	}
	if category == "Function" && ok {
		return errTypeFunctionUnknown
	}
	return errTypeRuntimeUnknown
}

func isErrorName(s string) bool {
	if len(s) < 2 || s[0] < 'A' || s[0] > 'Z' {
		return false
	}
	for i := range len(s) {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// timeoutText is the cause of a timeout, with the configured seconds.
func timeoutText(d time.Duration) string {
	return fmt.Sprintf("Task timed out after %.2f seconds", d.Seconds())
}
