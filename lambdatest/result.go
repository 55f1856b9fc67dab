package lambdatest

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/lambhq/lamb/internal/execenv"
)

// Result is what became of an invocation. Status is the invocation's, as its
// REPORT line has it; Payload and FunctionError are what the caller got, which
// is the response as soon as the runtime has sent it. They differ where a runtime
// or an extension fails after that: as on AWS, the caller keeps the response, and
// the invocation has Failed or TimedOut (Record.ErrorType says with what).
type Result struct {
	Status Status
	// Payload is the response, or the error's JSON; ContentType is the
	// runtime's.
	Payload     []byte
	ContentType string
	// FunctionError is empty or Unhandled, as in X-Amz-Function-Error;
	// ErrorType is the platform's type, such as Runtime.ExitError.
	FunctionError, ErrorType string
	// Chunks are the pieces of a stream, which are not in Payload.
	Chunks []Chunk
	// Record is what was measured, and LogTail the last 4 KiB of its log.
	Record  Record
	LogTail string
}

// Record is what was measured of an invocation.
type Record = execenv.Record

// Error is a failure of the platform or a function: its type, such as
// Sandbox.Timedout, and its text.
type Error = execenv.FailureError

// ExtensionOverhead is how long extensions went on after the runtime was done.
func (r Result) ExtensionOverhead() time.Duration {
	if r.Record.RuntimeReady.IsZero() {
		return 0
	}
	return r.Record.Finished.Sub(r.Record.RuntimeReady)
}

// Decode reads the answer as JSON. A function's failure is an error.
func (r Result) Decode(v any) error {
	if r.FunctionError != "" {
		return fmt.Errorf("function error %s: %s", r.ErrorType, r.Payload)
	}
	return json.Unmarshal(r.Payload, v)
}

func (inv *Invocation) outcome() Result {
	r := Result{Status: inv.Status(), Chunks: inv.Chunks(), Payload: inv.payload}
	if inv.err == nil {
		o := inv.engine.Outcome()
		r.ContentType, r.FunctionError, r.ErrorType = o.ContentType, o.FunctionError, o.ErrorType
	}
	if r.ContentType == "" {
		inv.mu.Lock()
		r.ContentType = inv.streamType
		inv.mu.Unlock()
	}
	return r
}
