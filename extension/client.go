package extension

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/lambhq/lamb/internal/wire"
)

const (
	base          = "/2020-01-01/extension/"
	telemetryPath = "/2022-07-01/telemetry"
)

// ErrStopped is what Next returns after Stop.
var ErrStopped = wire.ErrStopped

// EventType is what happens in an environment.
type EventType string

// What an extension can ask to be told of.
const (
	// Invoke is an invocation of the function. Managed instances have none.
	Invoke EventType = "INVOKE"
	// Shutdown is the end of the environment. Internal extensions get none.
	Shutdown EventType = "SHUTDOWN"
)

// AccountID is the feature that has Registration tell the account.
const AccountID = "accountId"

// Client speaks the Extensions API, version 2020-01-01, over one connection,
// which the first call opens. Only Stop may be called while another method
// runs.
//
// Register comes first, and before the function's runtime is started (for an
// internal extension: before its first event). Then comes Next, again and
// again.
type Client struct {
	// Endpoint is host and port, as AWS_LAMBDA_RUNTIME_API has them.
	Endpoint string
	// Dial opens the connection to Endpoint; nil means TCP. Its Close must end
	// a Read in another goroutine.
	Dial func(endpoint string) (io.ReadWriteCloser, error)

	conn wire.Conn
	res  wire.Response
	id   string // of the registration
}

// Registration is what Register learns.
type Registration struct {
	FunctionName    string `json:"functionName"`
	FunctionVersion string `json:"functionVersion"`
	Handler         string `json:"handler"`
	// AccountID is there if the feature was asked for, and the service has it.
	AccountID string `json:"accountId"`
}

// start begins a request.
func (c *Client) start(method, path string) {
	if c.conn.Address == "" {
		c.conn.Address, c.conn.Dial = c.Endpoint, c.Dial
		c.conn.UserAgent = "lamb-extension-go/" + runtime.Version()
	}
	c.conn.Start(method, []byte(path))
	if c.id != "" {
		c.conn.Header("Lambda-Extension-Identifier", c.id)
	}
}

// post sends a body with the request that was begun.
func (c *Client) post(operation string, status int, body []byte) error {
	c.conn.Header("Content-Type", "application/json")
	if err := c.conn.Post(body, &c.res); err != nil {
		return &Error{Operation: operation, Err: err}
	}
	if c.res.Status != status {
		return refused(operation, &c.res)
	}
	return nil
}

// Register makes the extension known by name, which for an external one is the
// name of its file. features may hold AccountID.
func (c *Client) Register(name string, events []EventType, features ...string) (*Registration, error) {
	if events == nil {
		events = []EventType{} // the API wants a list
	}
	body, err := json.Marshal(map[string]any{"events": events})
	if err != nil {
		return nil, err
	}
	c.id = ""
	c.start("POST", base+"register")
	c.conn.Header("Lambda-Extension-Name", name)
	if len(features) > 0 {
		c.conn.Header("Lambda-Extension-Accept-Feature", strings.Join(features, ","))
	}
	if err := c.post("register", 200, body); err != nil {
		return nil, err
	}
	var r Registration
	if err := json.Unmarshal(c.res.Body, &r); err != nil {
		return nil, &Error{Operation: "register", Err: err}
	}
	c.id = string(c.res.Header("Lambda-Extension-Identifier"))
	if c.id == "" {
		return nil, &Error{Operation: "register", Err: errors.New("the answer has no Lambda-Extension-Identifier")}
	}
	return &r, nil
}

// Next waits for an event. It also says that the extension is done with the
// one before, and the first time that it is initialized: until then, the
// environment is neither ready nor frozen.
func (c *Client) Next() (*Event, error) {
	c.start("GET", base+"event/next")
	if err := c.conn.Get(&c.res); err != nil {
		return nil, &Error{Operation: "event/next", Err: err}
	}
	if c.res.Status != 200 {
		return nil, refused("event/next", &c.res)
	}
	e, err := parseEvent(c.res.Body)
	if err != nil {
		return nil, &Error{Operation: "event/next", Err: err}
	}
	return e, nil
}

// InitError reports that the extension cannot start; errorType is of the form
// "Extension.Reason". The process is expected to exit then.
func (c *Client) InitError(errorType string, reason error) error {
	return c.fail("init/error", errorType, reason)
}

// ExitError reports that the extension cannot go on, as InitError does. The
// environment is reset.
func (c *Client) ExitError(errorType string, reason error) error {
	return c.fail("exit/error", errorType, reason)
}

func (c *Client) fail(operation, errorType string, reason error) error {
	body, err := json.Marshal(map[string]any{"errorMessage": reason.Error(), "errorType": errorType, "stackTrace": []string{}})
	if err != nil {
		return err
	}
	c.start("POST", base+operation)
	c.conn.Header("Lambda-Extension-Function-Error-Type", errorType)
	return c.post(operation, 202, body)
}

// Stop ends a Next that waits, and makes all later ones fail with ErrStopped.
// It may be called from any goroutine.
func (c *Client) Stop() { c.conn.Stop() }

// Close closes the connection. The next call opens another.
func (c *Client) Close() error { return c.conn.Close() }

// Error is why a call has failed: Err, when the service could not be asked, or
// what it answered.
type Error struct {
	// Operation is the call: "register", "event/next", "init/error",
	// "exit/error" or "telemetry".
	Operation string
	// Status is the HTTP status, zero if there was no answer. After 500, a
	// container error, the service expects the process to exit at once.
	Status int
	// Type and Message are the service's, such as
	// "Extension.RegistrationClosed".
	Type, Message string
	// Err is the reason if there was no answer.
	Err error
}

// Error describes the failure.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("Extensions API, %s: %v", e.Operation, e.Err)
	}
	return fmt.Sprintf("Extensions API, %s: status %d: %s: %s", e.Operation, e.Status, e.Type, e.Message)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// refused is the service's answer as an error.
func refused(operation string, res *wire.Response) *Error {
	var body struct{ ErrorType, ErrorMessage string }
	_ = json.Unmarshal(res.Body, &body) // without one, the status has to do
	return &Error{Operation: operation, Status: res.Status, Type: body.ErrorType, Message: body.ErrorMessage}
}
