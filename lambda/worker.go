package lambda

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"

	"github.com/lambhq/lamb/lambda/runtimeapi"
)

// worker serves one event after the other, on a connection of its own.
type worker struct {
	*runner
	client runtimeapi.Client
	inv    runtimeapi.Invocation
	result *result
	open   func(contentType string) (sink, error) // the stream of the event's answer
	buffer []byte                                 // for readers
}

func newWorker(r *runner) *worker {
	w := &worker{runner: r, result: newResult(r.handler.codec)}
	w.client = runtimeapi.Client{Endpoint: r.endpoint, Dial: r.dial}
	w.open = func(contentType string) (sink, error) { return w.openAs(contentType, runtimeapi.Announced) }
	return w
}

// errPanicked ends the process, whose state cannot be trusted any more.
var errPanicked = errors.New("calling the handler function resulted in a panic, the process should exit")

// run serves until something goes wrong that a new process must mend.
func (w *worker) run() error {
	for {
		if err := w.client.Next(&w.inv); err != nil {
			return err
		}
		if err := w.serve(); err != nil {
			return err
		}
	}
}

// serve handles the event that has come.
func (w *worker) serve() error {
	ctx, err := newInvocation(w.handler.base, &w.inv)
	if err != nil {
		return w.report("", fromError(err))
	}
	defer ctx.finish()
	if err := w.setTrace(ctx.traceID); err != nil {
		return err
	}
	r := w.result
	r.stream.open = w.open
	defer r.release()
	if failed := call(func() error { return w.handler.call(ctx, w.inv.Payload, r) }); failed != nil {
		if r.stream.sink != nil {
			return w.breakOff(ctx.lc.AwsRequestID, r.stream.sink, failed)
		}
		return w.report(ctx.lc.AwsRequestID, failed)
	}
	switch {
	case r.streamed:
		return w.endStream(&r.stream)
	case r.reader != nil:
		return w.sendReader(ctx.lc.AwsRequestID, r)
	}
	return w.posted(w.client.PostResponse(&w.inv, r.contentType, r.body))
}

// call runs a handler's code and makes an error of all that it can end with.
func call(f func() error) (failed *Error) {
	defer func() {
		if value := recover(); value != nil {
			failed = fromPanic(value)
		}
	}()
	if err := f(); err != nil {
		return fromError(err)
	}
	return nil
}

// posted decides what a refused answer means. An answer that was too large, or
// too late, is the invocation's affair, and the caller knows by now; after
// anything else the process ends, as aws-lambda-go's does.
func (w *worker) posted(err error) error {
	switch {
	case err == nil:
		return nil
	case isStatus(err, 413) || isStatus(err, 410):
		log.Print(err)
		return nil
	}
	return fmt.Errorf("unexpected error occurred when sending the function functionResponse to the API: %w", err)
}

// report answers the event with an error.
func (w *worker) report(requestID string, e *Error) error {
	f, err := newFailure(e)
	if err != nil {
		return err
	}
	w.logFailure(requestID, f, e)
	err = w.client.PostError(&w.inv, f)
	switch {
	case err != nil && !isStatus(err, 410) && !isStatus(err, 413):
		return fmt.Errorf("unexpected error occurred when sending the function error to the API: %w", err)
	case e.ShouldExit:
		return errPanicked
	}
	return nil
}

// openAs begins the answer as a stream.
func (w *worker) openAs(contentType string, mode runtimeapi.StreamMode) (sink, error) {
	return w.client.PostStream(&w.inv, contentType, mode)
}

// endStream ends an answer that the handler has written.
func (w *worker) endStream(s *ResponseStream) error {
	if err := s.begin(); err != nil { // it has written nothing
		return w.posted(err)
	}
	return w.posted(s.sink.Close())
}

// sendReader sends what the handler's reader gives. It goes without an
// announcement, as aws-lambda-go has it.
func (w *worker) sendReader(requestID string, r *result) error {
	if w.buffer == nil {
		w.buffer = make([]byte, copyBuffer)
	}
	s := &r.stream
	s.contentType = r.contentType
	s.open = func(contentType string) (sink, error) { return w.openAs(contentType, runtimeapi.Unannounced) }
	if err := s.begin(); err != nil {
		return w.posted(err)
	}
	var broken error // the stream
	failed := call(func() (err error) {
		err, broken = s.send(r.reader, w.buffer)
		return err
	})
	switch {
	case broken != nil:
		s.sink.Abort()
		return w.posted(broken)
	case failed != nil:
		return w.breakOff(requestID, s.sink, failed)
	}
	return w.posted(s.sink.Close())
}

// breakOff ends an answer that has begun with an error.
func (w *worker) breakOff(requestID string, s sink, e *Error) error {
	f, err := newFailure(e)
	if err != nil {
		s.Abort()
		return err
	}
	w.logFailure(requestID, f, e)
	f.Type = e.Type // aws-lambda-go's trailer has it without a category
	if err := w.posted(s.Fail(f)); err != nil {
		return err
	}
	if e.ShouldExit {
		return errPanicked
	}
	return nil
}

// logFailure writes an error to the function's log.
func (w *worker) logFailure(requestID string, f *failure, e *Error) {
	if !w.jsonLog {
		log.Printf("%s", f.Body)
		return
	}
	line, err := json.Marshal(struct {
		Timestamp  string        `json:"timestamp"`
		Level      string        `json:"level"`
		RequestID  string        `json:"requestId,omitempty"`
		Message    string        `json:"message"`
		Type       string        `json:"errorType"`
		Text       string        `json:"errorMessage"`
		StackTrace []*StackFrame `json:"stackTrace,omitempty"`
	}{w.now().UTC().Format(timestamp), "ERROR", requestID, e.Message, e.Type, e.Message, e.StackTrace})
	if err == nil {
		_, err = log.Writer().Write(append(line, '\n'))
	}
	if err != nil {
		log.Print(err)
	}
}

// timestamp is how JSON logs have the time.
const timestamp = "2006-01-02T15:04:05.000Z"
