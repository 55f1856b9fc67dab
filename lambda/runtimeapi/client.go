package runtimeapi

import (
	"io"
	"runtime"

	"github.com/lambhq/lamb/internal/wire"
)

const (
	invocation = "/2018-06-01/runtime/invocation/"
	initError  = "/2018-06-01/runtime/init/error"
	restore    = "/2018-06-01/runtime/restore/"
)

// ErrStopped is what Next and RestoreNext return after Stop.
var ErrStopped = wire.ErrStopped

// Client speaks the Runtime API over one connection, which the first call
// opens. Only Stop may be called while another method runs.
//
// A call whose connection turns out to be closed before any byte of an answer
// is made once more on a new one: the service may close idle connections, and
// an environment that is frozen or restored loses them. That is safe for all
// calls but a stream. Opening a connection is tried four times within 122 ms.
type Client struct {
	// Endpoint is host and port, as AWS_LAMBDA_RUNTIME_API has them.
	Endpoint string
	// Dial opens the connection to Endpoint. nil means a TCP socket whose calls
	// block a thread; a process with many clients passes one that makes a
	// net.Conn. Its Close must end a Read in another goroutine.
	Dial func(endpoint string) (io.ReadWriteCloser, error)
	// UserAgent is sent with every call; empty means "lamb-lambda-go/" and the
	// version of Go.
	UserAgent string

	conn   wire.Conn
	answer wire.Response // of everything but Next
	path   []byte
}

// Invocation is one event, with what the service says of it.
//
// All of it is valid until the following Next with the same Invocation.
// Values are as sent; a header that was not there is nil.
type Invocation struct {
	// Payload is the event, of up to 6 MB.
	Payload []byte
	// RequestID names the invocation in later calls, logs and traces.
	RequestID []byte
	// DeadlineMs is when the function will time out, in milliseconds since 1970.
	DeadlineMs []byte
	// InvokedFunctionARN is the ARN as the caller had it, with version or alias.
	InvokedFunctionARN []byte
	// TraceID is an X-Ray trace header: "Root=…;Parent=…;Sampled=…".
	TraceID []byte
	// ClientContext is JSON that the caller sent along, decoded from base64.
	ClientContext []byte
	// CognitoIdentity is JSON of the caller's Amazon Cognito identity.
	CognitoIdentity []byte
	// TenantID is the tenant, of a function with tenant isolation.
	TenantID []byte
	// ContentType of the event.
	ContentType []byte

	res wire.Response
}

// start begins a request.
func (c *Client) start(method string, path ...string) {
	c.path = c.path[:0]
	for _, p := range path {
		c.path = append(c.path, p...)
	}
	c.begin(method)
}

// startFor begins a POST for an invocation.
func (c *Client) startFor(inv *Invocation, operation string) {
	c.path = append(append(append(c.path[:0], invocation...), inv.RequestID...), operation...)
	c.begin("POST")
}

func (c *Client) begin(method string) {
	if c.conn.Address == "" {
		c.conn.Address, c.conn.Dial, c.conn.UserAgent = c.Endpoint, c.Dial, c.UserAgent
		if c.Dial == nil {
			c.conn.Dial = wire.DialBlocking
		}
		if c.UserAgent == "" {
			c.conn.UserAgent = "lamb-lambda-go/" + runtime.Version()
		}
	}
	c.conn.Start(method, c.path)
}

// Next waits for an event and reads it into inv. It also tells the service
// that the event before is dealt with: until then, that invocation goes on.
//
// The first Next ends the environment's initialization. There is no timeout:
// the environment may be frozen, for hours, in a Next. A runtime exits when it
// fails.
func (c *Client) Next(inv *Invocation) error {
	c.start("GET", invocation, "next")
	res := &inv.res
	if err := c.conn.Get(res); err != nil {
		return &Error{Operation: "next", Err: err}
	}
	if res.Status != 200 {
		return refused("next", res)
	}
	inv.Payload = res.Body
	inv.RequestID = res.Header("Lambda-Runtime-Aws-Request-Id")
	inv.DeadlineMs = res.Header("Lambda-Runtime-Deadline-Ms")
	inv.InvokedFunctionARN = res.Header("Lambda-Runtime-Invoked-Function-Arn")
	inv.TraceID = res.Header("Lambda-Runtime-Trace-Id")
	inv.ClientContext = res.Header("Lambda-Runtime-Client-Context")
	inv.CognitoIdentity = res.Header("Lambda-Runtime-Cognito-Identity")
	inv.TenantID = res.Header("Lambda-Runtime-Aws-Tenant-Id")
	inv.ContentType = res.Header("Content-Type")
	return nil
}

// PostResponse answers an invocation with body, of at most 6 MB and 100 bytes;
// body may share memory with the event. contentType is passed on to callers
// that see it, such as those of function URLs.
//
// It fails with an *Error of status 413 if body is too large: then the caller
// has got that as the invocation's error, and the runtime goes on. On a
// managed instance, 410 means that the invocation had timed out before. All
// else is a reason to exit.
func (c *Client) PostResponse(inv *Invocation, contentType string, body []byte) error {
	c.startFor(inv, "/response")
	c.conn.Header("Content-Type", contentType)
	return c.post("response", body)
}

// post sends the body of a request that was begun, and checks the answer.
func (c *Client) post(operation string, body []byte) error {
	if err := c.conn.Post(body, &c.answer); err != nil {
		return &Error{Operation: operation, Err: err}
	}
	return accepted(operation, &c.answer)
}

// accepted checks an answer to a POST.
func accepted(operation string, res *wire.Response) error {
	if res.Status == 202 {
		return nil
	}
	err := refused(operation, res)
	// Where the request was sent twice, the first one may have been received,
	// and its invocation is over.
	if res.Repeated && (err.Type == "InvalidStateTransition" || err.Type == "InvalidRequestID") {
		return nil
	}
	return err
}

// RestoreNext tells the service of an environment with SnapStart that it may
// take the snapshot, and returns when a copy of the environment has been
// restored from it. Elsewhere it fails with status 404.
//
// Whatever must not be shared by all copies, such as seeds, ids, connections
// and credentials, is to be made after it.
func (c *Client) RestoreNext() error {
	c.start("GET", restore, "next")
	if err := c.conn.Get(&c.answer); err != nil {
		return &Error{Operation: "restore/next", Err: err}
	}
	if c.answer.Status != 200 {
		return refused("restore/next", &c.answer)
	}
	return nil
}

// Stop ends a Next or RestoreNext that waits, and makes all later ones fail
// with ErrStopped. An answer in progress goes through. It may be called from
// any goroutine.
func (c *Client) Stop() { c.conn.Stop() }

// Close closes the connection. The next call opens another.
func (c *Client) Close() error { return c.conn.Close() }
