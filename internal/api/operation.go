package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// eventPayload is the limit of an Invoke of type Event, in bytes.
const eventPayload = 1 << 20

// An Operation is one entry of the route table. It is immutable.
type Operation struct {
	Name          string // "CreateFunction"
	Method        string // "POST"
	SuccessStatus int    // unless the answer carries its own
	MaxBody       int64  // bytes

	segments             []string // of the path; a label is empty
	queryKey, queryValue string   // a literal of the query, or empty
	decode               func(*request) (input, error)
	call                 func(context.Context, Service, any) (output, error)
	members              func() []string
	spool                string
}

// input is implemented by the generated structures of requests.
type input interface{ check(c *checker) }

// Decode reads and validates the input: the operation's *XRequest. Failures
// are Errors, except when the body or the spool cannot be read or written. An
// input that implements io.Closer holds uploads and must be closed by the
// caller; a failed Decode has closed them.
func (o *Operation) Decode(r *http.Request, p PathParams, body Body) (any, error) {
	if body != nil {
		if err := TooLarge(o, r, body.Size()); err != nil {
			return nil, err
		}
	}
	in, err := o.decode(newRequest(r, p, body, o.spool))
	if err != nil {
		return nil, err
	}
	var c checker
	in.check(&c)
	if err := c.err(); err != nil {
		if holder, ok := in.(io.Closer); ok {
			err = closeFailed(holder, err)
		}
		return nil, err
	}
	return in, nil
}

// Call runs the operation's method of svc with what Decode returned. The
// result is the operation's *YResponse, or nil for operations that answer
// nothing. It panics when in belongs to another operation.
func (o *Operation) Call(ctx context.Context, svc Service, in any) (any, error) {
	out, err := o.call(ctx, svc, in)
	if err != nil || out == nil {
		return nil, err
	}
	return out, nil
}

// Encode writes what Call returned. Nothing has been written when it fails
// because of the value; a failure to write is returned too.
func (o *Operation) Encode(w http.ResponseWriter, out any) error {
	r := response{header: w.Header(), status: o.SuccessStatus}
	if out != nil {
		v, ok := out.(output)
		if !ok {
			return fmt.Errorf("encode answer of %s: %T is not an output", o.Name, out)
		}
		v.encode(&r)
	}
	return r.write(w)
}

// Serve calls and encodes. A failure of the call is returned and nothing is
// written: the caller answers with WriteError.
func (o *Operation) Serve(ctx context.Context, svc Service, in any, w http.ResponseWriter) error {
	out, err := o.Call(ctx, svc, in)
	if err != nil {
		return err
	}
	return o.Encode(w, out)
}

// Members lists the members of the operation's request that hold values, as
// paths in declared order: "FunctionName", "Code.ZipFile",
// "FileSystemConfigs[].Arn", "Environment.Variables".
func (o *Operation) Members() []string { return o.members() }

// Members lists the request members of every operation by its name; see
// Operation.Members. A table that says what becomes of each member is complete
// when it has an entry for all of them.
func Members() map[string][]string {
	all := make(map[string][]string)
	for _, op := range operationTable() {
		all[op.Name] = op.Members()
	}
	return all
}

// TooLarge returns the answer to a request whose body has size bytes, or nil
// if that is within the limit. Call it with Content-Length before reading.
func TooLarge(op *Operation, r *http.Request, size int64) error {
	switch op.Name {
	case "Invoke", "InvokeWithResponseStream":
		kind, limit := InvocationTypeRequestResponse, op.MaxBody
		if op.Name == "Invoke" && r.Header.Get("X-Amz-Invocation-Type") == InvocationTypeEvent {
			kind, limit = InvocationTypeEvent, int64(eventPayload)
		}
		if size > limit {
			return NewRequestTooLarge("%d byte payload is too large for the %s invocation type (limit %d bytes)",
				size, kind, limit)
		}
	default:
		if size > op.MaxBody {
			return NewRequestEntityTooLarge("Request must be smaller than %d bytes for the %s operation",
				op.MaxBody, op.Name)
		}
	}
	return nil
}

// noOutput is the failure of a Service method that returned nothing at all.
func noOutput(operation string) error {
	return fmt.Errorf("%s returned neither an answer nor an error", operation)
}

// Check validates an operation's *XRequest as Decode does; the error is a
// ValidationException. It panics when in is no input.
func Check(in any) error {
	var c checker
	in.(input).check(&c)
	return c.err()
}
