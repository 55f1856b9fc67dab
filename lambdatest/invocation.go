package lambdatest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/execenv"
)

// Request is an invocation to be. Its zero value is one with the event {}.
type Request struct {
	// Payload is the event.
	Payload []byte
	// RequestID is made up when empty, and so is TraceID, an X-Ray header.
	RequestID, TraceID string
	// FunctionARN is the ARN as the caller has it; the function's when empty.
	FunctionARN string
	// ClientContext and CognitoIdentity are JSON, as runtimes get them.
	ClientContext, CognitoIdentity string
	// TenantID is that of a function with tenant isolation.
	TenantID string
	// Timeout is the function's when zero, and at most that.
	Timeout time.Duration
	// Stream takes the response as InvokeWithResponseStream does: up to 200 MB,
	// piece by piece (Result.Chunks), and with errors within it.
	Stream bool
	// LoseResponse is a fault: the Runtime API answers the response with 500, a
	// container error, after which Lambda expects a runtime to exit at once. The
	// invocation fails with Sandbox.Failure. A response without a body comes
	// through.
	LoseResponse bool
	// Reservation is what Reserve gave.
	Reservation *Reservation
}

// Status is how far an invocation is.
type Status string

// The states of an invocation. The last three are those of one that the
// environment has done with.
const (
	Pending    Status = "Pending"    // it waits for those before
	InProgress Status = "InProgress" // the runtime or extensions are at work
	Success    Status = "Success"
	Failed     Status = "Error"
	TimedOut   Status = "Timeout"
)

// Invocation is one on its way through an environment.
type Invocation struct {
	env    *Environment
	engine *execenv.Invocation
	stream *execenv.Stream // nil for buffered responses

	answered, finished chan struct{}
	payload            []byte // copied from the engine's buffer
	err                error  // it was never taken; valid after finished

	mu     sync.Mutex
	status Status
	chunks []Chunk
	// streamType is the content type with which a stream has begun: callers have
	// it, whatever comes after.
	streamType string
}

// Chunk is a piece of a streamed response.
type Chunk struct {
	// At is when it came, since the invocation began.
	At   time.Duration
	Data []byte
}

// Call invokes the function with an event, a []byte or json.RawMessage as it is
// or anything else as JSON, and waits until the environment has done with it.
func (e *Environment) Call(event any) Result {
	e.t.Helper()
	return e.Do(Request{Payload: e.payload(event)})
}

// Do is Invoke and Wait.
func (e *Environment) Do(r Request) Result {
	e.t.Helper()
	return e.Invoke(r).Wait()
}

func (e *Environment) payload(event any) []byte {
	e.t.Helper()
	switch v := event.(type) {
	case []byte:
		return v
	case json.RawMessage:
		return v
	}
	b, err := json.Marshal(event)
	if err != nil {
		e.t.Fatalf("lambdatest: the event is no JSON: %v", err)
	}
	return b
}

// Invoke begins an invocation and returns at once. Those of one environment run
// one after the other, in the order of the calls, or as many at once as
// Config.Concurrency says.
func (e *Environment) Invoke(r Request) *Invocation {
	inv := e.newInvocation(r)
	e.mu.Lock()
	e.all = append(e.all, inv)
	e.queue = append(e.queue, inv)
	e.mu.Unlock()
	select {
	case e.work <- struct{}{}:
	default:
	}
	return inv
}

func (e *Environment) newInvocation(r Request) *Invocation {
	or := func(v, otherwise string) string {
		if v == "" {
			return otherwise
		}
		return v
	}
	if r.Payload == nil {
		r.Payload = []byte("{}")
	}
	inv := &Invocation{env: e, status: Pending, answered: make(chan struct{}), finished: make(chan struct{})}
	var responder execenv.Responder = execenv.Buffered{}
	if r.Stream {
		inv.stream = execenv.NewStream()
		responder = inv.stream
	}
	if r.LoseResponse {
		responder = loses{responder}
	}
	inv.engine = execenv.NewInvocation(envapi.Event{
		RequestID:  or(r.RequestID, newUUID()),
		InvokedARN: or(r.FunctionARN, e.version.Key.ARN()),
		TraceID:    or(r.TraceID, newTraceID(e.cfg.engineClock().Now())),
		TenantID:   r.TenantID, ClientContext: r.ClientContext, CognitoIdentity: r.CognitoIdentity, Body: r.Payload,
	}, responder)
	inv.engine.WantLog = true
	if r.Timeout == 0 { // the function's has whole seconds
		r.Timeout = e.cfg.Timeout
	}
	inv.engine.Terms = &execenv.Terms{Timeout: r.Timeout, Reservation: r.Reservation}
	return inv
}

// dispatch hands the invocations to the engine, as many at once as it takes.
func (e *Environment) dispatch() {
	slots := make(chan struct{}, max(1, e.cfg.Concurrency))
	defer func() { // those that are at work come to their end
		for range cap(slots) {
			slots <- struct{}{}
		}
	}()
	select {
	case <-e.initDone:
	case <-e.ctx.Done():
	}
	for {
		e.mu.Lock()
		var inv *Invocation
		if len(e.queue) > 0 {
			inv, e.queue = e.queue[0], e.queue[1:]
		}
		e.mu.Unlock()
		if inv != nil {
			slots <- struct{}{}
			e.wg.Go(func() {
				defer func() { <-slots }()
				inv.run()
			})
			continue
		}
		select {
		case <-e.work:
		case <-e.ctx.Done():
			e.mu.Lock()
			empty := len(e.queue) == 0
			e.mu.Unlock()
			if empty {
				return
			}
		}
	}
}

// run takes an invocation through the environment.
func (inv *Invocation) run() {
	inv.set(InProgress)
	if err := inv.env.engine.Invoke(inv.engine); err != nil {
		inv.err = err
		inv.set(Failed)
		close(inv.answered)
		close(inv.finished)
		return
	}
	var reader sync.WaitGroup
	if inv.stream != nil {
		reader.Go(inv.read)
	}
	<-inv.engine.Answered()
	o := inv.engine.Outcome()
	inv.payload = append([]byte(nil), o.Payload...)
	close(inv.answered)
	inv.env.journal.changes.tell()
	<-inv.engine.Finished()
	inv.engine.Retire()
	o.Release()
	reader.Wait()
	inv.set(statusOf(inv.engine.Record()))
	close(inv.finished)
	inv.env.journal.changes.tell()
}

func statusOf(r Record) Status {
	switch r.Status {
	case "success":
		return Success
	case "timeout":
		return TimedOut
	}
	return Failed
}

// read takes a streamed response.
func (inv *Invocation) read() {
	defer inv.stream.Leave()
	if h, ok := inv.stream.Begun(nil); ok {
		inv.mu.Lock()
		inv.streamType = h.ContentType
		inv.mu.Unlock()
	}
	for {
		p, err := inv.stream.Peek(nil)
		if err != nil {
			return // io.EOF
		}
		inv.mu.Lock()
		at := inv.env.cfg.engineClock().Now().Sub(inv.engine.Started())
		inv.chunks = append(inv.chunks, Chunk{At: at, Data: append([]byte(nil), p...)})
		inv.mu.Unlock()
		inv.stream.Advance(len(p))
		inv.env.journal.changes.tell()
	}
}

func (inv *Invocation) set(s Status) {
	inv.mu.Lock()
	inv.status = s
	inv.mu.Unlock()
	inv.env.journal.changes.tell()
}

// Status is how far it is.
func (inv *Invocation) Status() Status {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	return inv.status
}

// RequestID names it.
func (inv *Invocation) RequestID() string { return inv.engine.Event.RequestID }

// Chunks are the pieces of a streamed response so far.
func (inv *Invocation) Chunks() []Chunk {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	return append([]Chunk(nil), inv.chunks...)
}

// WaitAnswered waits until the caller has the answer, while the runtime and
// extensions may still be at work, and returns it. The result has no figures
// and no log. It ends the test if the answer does not come.
func (inv *Invocation) WaitAnswered() Result {
	inv.env.t.Helper()
	inv.env.await("the answer of invocation "+inv.RequestID(), inv.answered)
	return inv.outcome()
}

// Wait waits until the environment has done with the invocation. It ends the
// test if that does not happen, or if the environment did not take it: because
// it was closed, or reserved for another.
func (inv *Invocation) Wait() Result {
	inv.env.t.Helper()
	inv.env.await("the end of invocation "+inv.RequestID(), inv.finished)
	if inv.err != nil {
		inv.env.t.Fatalf("lambdatest: invocation %s: %v", inv.RequestID(), inv.err)
	}
	r := inv.outcome()
	r.Record, r.LogTail = inv.engine.Record(), inv.engine.LogTail()
	return r
}

// Err waits like Wait and says why the environment did not take the invocation,
// or nil: ErrClosed, ErrReserved and so on.
func (inv *Invocation) Err() error {
	inv.env.t.Helper()
	inv.env.await("the end of invocation "+inv.RequestID(), inv.finished)
	return inv.err
}

// Invocations are all that there have been, in the order of the calls.
func (e *Environment) Invocations() []*Invocation {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]*Invocation(nil), e.all...)
}

// Run waits until n invocations, those before the call among them, have come to
// their end, and shuts the environment down.
func (e *Environment) Run(n int) {
	e.t.Helper()
	e.waitFor(fmt.Sprintf("%d invocations", n), func() bool {
		over := 0
		for _, inv := range e.Invocations() {
			select {
			case <-inv.finished:
				over++
			default:
			}
		}
		return over >= n
	})
	e.Shutdown()
}

// newUUID is a random UUID (version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newTraceID is a trace header of a sampled trace.
func newTraceID(now time.Time) string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=1", now.Unix(), b[:12], b[12:])
}
