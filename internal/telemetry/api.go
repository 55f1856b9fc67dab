package telemetry

import "fmt"

// API is one of the two ways to subscribe. An extension uses only one.
type API uint8

// The APIs.
const (
	TelemetryAPI API = iota // PUT /2022-07-01/telemetry
	LogsAPI                 // PUT /2020-08-15/logs
)

// String is the API's name in AWS's messages and error types.
func (a API) String() string {
	if a == LogsAPI {
		return "Logs"
	}
	return "Telemetry"
}

// Accepted is the body, a JSON string, that answers a good subscription with
// status 200.
const Accepted = `"OK"`

// MaxBody is how many bytes of a subscription request are worth reading;
// ParseSubscription refuses a longer one.
const MaxBody = 64 << 10

// Error is a refusal in AWS's words. It answers the request with Status and
// the JSON object {"errorMessage": Message, "errorType": Type}.
type Error struct {
	Status  int // HTTP status
	Type    string
	Message string
}

func (e *Error) Error() string { return e.Type + ": " + e.Message }

// NotSupported is what AWS's local emulator answers (202, which clients take
// for a success): for owners that have no way to deliver.
func NotSupported(api API) *Error {
	return &Error{202, api.String() + ".NotSupported", api.String() + " API is not supported"}
}

// closed is the answer once the environment's init is over.
func closed(api API, managed bool) *Error {
	text := api.String() + " API subscription is closed already"
	if managed {
		text = api.String() + " API subscription is closed"
	}
	return &Error{403, api.String() + ".SubscriptionClosed", text}
}

// invalid is the answer to a request that breaks a rule.
func invalid(api API, format string, args ...any) *Error {
	kind := "ValidationError"
	if api == LogsAPI {
		kind = "Logs.ValidationError"
	}
	return &Error{400, kind, fmt.Sprintf(format, args...)}
}
