package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/lambhq/lamb/lambda/lambdacontext"
	"github.com/lambhq/lamb/lambda/runtimeapi"
)

// traceKey is under which tracers look for the trace header in a context; a
// plain string, because they agree on that.
const traceKey = "x-amzn-trace-id"

// invocation is the context of one event. It is a context of its own, not a
// chain of them, because every event needs one: its timer and channel come
// into being only if the handler asks for them.
type invocation struct {
	values   context.Context // what it is made from, with its LambdaContext
	deadline time.Time
	traceID  string
	lc       lambdacontext.LambdaContext

	mu     sync.Mutex
	timed  context.Context // made by the first Done; nil before
	cancel context.CancelFunc
	err    error // once it is over
}

var _ context.Context = (*invocation)(nil)

// newInvocation makes the context of inv's event from base.
func newInvocation(base context.Context, inv *runtimeapi.Invocation) (*invocation, error) {
	ms, err := strconv.ParseInt(string(inv.DeadlineMs), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("failed to parse deadline: %v", err)
	}
	// One string for all of them is one allocation. What is not here ends with
	// the event.
	var room [512]byte
	all := append(append(append(append(room[:0], inv.RequestID...), inv.InvokedFunctionARN...), inv.TraceID...), inv.TenantID...)
	rest := string(all)
	cut := func(b []byte) string {
		s := rest[:len(b)]
		rest = rest[len(b):]
		return s
	}
	c := &invocation{deadline: time.UnixMilli(ms)}
	c.lc.AwsRequestID = cut(inv.RequestID)
	c.lc.InvokedFunctionArn = cut(inv.InvokedFunctionARN)
	c.traceID = cut(inv.TraceID)
	c.lc.TenantID = cut(inv.TenantID)
	if len(inv.ClientContext) > 0 {
		if err := json.Unmarshal(inv.ClientContext, &c.lc.ClientContext); err != nil {
			return nil, fmt.Errorf("failed to unmarshal client context json: %v", err)
		}
	}
	if len(inv.CognitoIdentity) > 0 {
		if err := json.Unmarshal(inv.CognitoIdentity, &c.lc.Identity); err != nil {
			return nil, fmt.Errorf("failed to unmarshal cognito identity json: %v", err)
		}
	}
	c.values = lambdacontext.NewContext(base, &c.lc)
	if earlier, ok := base.Deadline(); ok && earlier.Before(c.deadline) {
		c.deadline = earlier
	}
	return c, nil
}

// Deadline is when Lambda will end the invocation.
func (c *invocation) Deadline() (time.Time, bool) { return c.deadline, true }

// Done is closed at the deadline, and when the event has been dealt with.
func (c *invocation) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil {
		c.timed, c.cancel = context.WithDeadline(c.values, c.deadline)
		if c.err != nil {
			c.cancel()
		}
	}
	return c.timed.Done()
}

// Err is why the context is over, or nil.
func (c *invocation) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
	case c.timed != nil:
		c.err = c.timed.Err()
	case !time.Now().Before(c.deadline):
		c.err = context.DeadlineExceeded
	default:
		c.err = c.values.Err()
	}
	return c.err
}

// Value is what the context carries: the LambdaContext, the trace header, and
// what the base context has.
func (c *invocation) Value(key any) any {
	if key == traceKey {
		return c.traceID
	}
	c.mu.Lock()
	from := c.values
	if c.timed != nil {
		from = c.timed // how package context finds its own kind again
	}
	c.mu.Unlock()
	return from.Value(key)
}

// finish ends the context.
func (c *invocation) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = context.Canceled
		if c.timed != nil && c.timed.Err() != nil {
			c.err = c.timed.Err()
		}
	}
	if c.cancel != nil {
		c.cancel()
	}
}
