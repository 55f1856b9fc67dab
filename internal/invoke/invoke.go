// Package invoke is the way of one invocation from the API to an execution
// environment and back: which version runs, whether it may, what the event
// is, and how the outcome is told. Every kind of invocation passes through
// Service.Invoke; serve.go is its HTTP form for the operation Invoke.
package invoke

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/clock"
	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/jsonpayload"
	"github.com/lambhq/lamb/internal/pool"
	"github.com/lambhq/lamb/internal/trace"
)

// maxClientContext is the longest X-Amz-Client-Context, in characters of base64.
const maxClientContext = 3583

// Catalog is where versions are looked up; it is in memory.
type Catalog interface {
	Lookup(key function.Key, version string) (*function.Version, bool)
}

// Slots gives the right to run one invocation of a version.
type Slots interface {
	Acquire(ctx context.Context, v *function.Version) (*pool.Slot, error)
}

// Config is what a Service is made from. All but Clock, Log and Observe are
// required.
type Config struct {
	Catalog Catalog
	Slots   Slots
	// Observe is told of every invocation's end, for metrics. Nil: nobody is.
	Observe func(Observation)
	Clock   clock.Clock
	Log     *slog.Logger
}

// Observation is one invocation for the metrics.
type Observation struct {
	// Result is "success", "error" (the function's), "throttle" or "fault"
	// (lamb's).
	Result string
	// ErrorType is the outcome's, empty on success.
	ErrorType string
	// Duration is from admission to the answer.
	Duration time.Duration
}

// Service runs invocations.
type Service struct {
	cfg Config
}

// New makes a Service.
func New(cfg Config) *Service {
	if cfg.Clock == nil {
		cfg.Clock = clock.System
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Observe == nil {
		cfg.Observe = func(Observation) {}
	}
	return &Service{cfg: cfg}
}

// Request is one invocation as it was asked for.
type Request struct {
	// Ref is the function; its Qualifier as given.
	Ref function.Ref
	// RequestID is the invocation's id, also the API answer's.
	RequestID string
	// Payload is the event; empty stands for {}. It must stay unchanged until
	// Invoke has returned.
	Payload []byte
	// ClientContext is JSON, decoded already; may be empty.
	ClientContext string
	// TraceID is an X-Ray header; empty makes one.
	TraceID string
	// WantLog makes Invoke wait for the REPORT line.
	WantLog bool
}

// Result is what became of an invocation that ran.
type Result struct {
	execenv.Outcome
	ExecutedVersion string
	LogTail         string // if wanted
}

// Resolve finds the version that a request means and checks that it can be
// invoked. Errors are the API's.
func (s *Service) Resolve(ref function.Ref) (*function.Version, error) {
	version, ok := ref.Version()
	if ok {
		if v, found := s.cfg.Catalog.Lookup(ref.Key, version); found {
			return v, invocable(v)
		}
	}
	qualifier := ref.Qualifier
	if qualifier == "" {
		qualifier = function.Latest
	}
	return nil, api.NewResourceNotFound("Function not found: %s", ref.Key.QualifiedARN(qualifier))
}

func invocable(v *function.Version) error {
	if v.State == function.StateActive {
		return nil
	}
	return api.NewResourceConflict("The operation cannot be performed at this time. The function is currently in the following state: %s", v.State)
}

// maxAttempts bounds how many new environments an invocation tries when the
// ones it is given close under it. Idle ones do not count: all of them may
// have gone together, and each is tried once.
const maxAttempts = 3

// Invoke runs a request of a version and returns its outcome, which the
// caller releases. Failures of the function are outcomes; errors are the
// API's (throttling, shutting down, lamb's own faults). A caller that goes
// away does not end the invocation.
func (s *Service) Invoke(ctx context.Context, v *function.Version, req Request) (Result, error) {
	began := s.cfg.Clock.Now()
	inv, err := s.start(ctx, v, req, nil)
	if err != nil {
		return Result{}, err
	}
	<-inv.Answered()
	r := s.result(inv, v, began)
	if req.WantLog {
		<-inv.Finished()
		r.LogTail = inv.LogTail()
	}
	return r, nil
}

// Begin is Invoke for a caller who does not wait: unless it returns an error,
// answered is called once with the result, perhaps before Begin returns, on a
// goroutine on which it must not block. There is no log tail.
func (s *Service) Begin(ctx context.Context, v *function.Version, req Request, answered func(Result)) error {
	began := s.cfg.Clock.Now()
	_, err := s.start(ctx, v, req, func(inv *execenv.Invocation) { answered(s.result(inv, v, began)) })
	return err
}

// result is what an answered invocation gave; the event is not used any more.
func (s *Service) result(inv *execenv.Invocation, v *function.Version, began time.Time) Result {
	inv.Retire()
	r := Result{Outcome: inv.Outcome(), ExecutedVersion: v.Version}
	o := Observation{Result: "success", ErrorType: r.ErrorType, Duration: s.cfg.Clock.Now().Sub(began)}
	if r.FunctionError != "" {
		o.Result = "error"
	}
	s.cfg.Observe(o)
	return r
}

// start gets a slot and hands the invocation to it. An error is the API's, and
// has been observed. answered may be nil; see execenv.Invocation.OnAnswered.
func (s *Service) start(ctx context.Context, v *function.Version, req Request, answered func(*execenv.Invocation)) (*execenv.Invocation, error) {
	inv, err := s.place(ctx, v, req, answered)
	if err == nil {
		return inv, nil
	}
	err = s.apiError(err, v)
	result := "fault"
	if _, throttled := err.(*api.TooManyRequestsException); throttled {
		result = "throttle"
	}
	s.cfg.Observe(Observation{Result: result})
	return nil, err
}

// place finds an environment that takes the invocation.
func (s *Service) place(ctx context.Context, v *function.Version, req Request, answered func(*execenv.Invocation)) (*execenv.Invocation, error) {
	event := s.event(req)
	for attempts := 0; ; {
		slot, err := s.cfg.Slots.Acquire(ctx, v)
		if err != nil {
			return nil, err
		}
		if slot.Cold() {
			attempts++
		}
		inv := execenv.NewInvocation(event, execenv.Buffered{})
		inv.WantLog = req.WantLog
		if answered != nil {
			inv.OnAnswered(func() { answered(inv) })
		}
		err = slot.Invoke(inv)
		if err == nil {
			return inv, nil
		}
		if attempts == maxAttempts || !errors.Is(err, execenv.ErrClosed) && !errors.Is(err, execenv.ErrBusy) {
			return nil, err
		}
	}
}

func (s *Service) event(req Request) envapi.Event {
	e := envapi.Event{
		RequestID:     req.RequestID,
		InvokedARN:    req.Ref.ARN(),
		TraceID:       req.TraceID,
		ClientContext: req.ClientContext,
		Body:          req.Payload,
	}
	if e.TraceID == "" {
		e.TraceID = trace.New(s.cfg.Clock.Now())
	}
	if len(e.Body) == 0 {
		e.Body = []byte("{}")
	}
	return e
}

// apiError turns what went wrong before the function ran into the API's words.
func (s *Service) apiError(err error, v *function.Version) error {
	var throttled *pool.ThrottledError
	if errors.As(err, &throttled) {
		s.cfg.Log.Warn("invocation throttled", "function", v.Key.Name, "reason", throttled.Detail)
		e := api.NewTooManyRequests("Rate Exceeded.")
		e.Reason = throttled.Reason
		e.RetryAfterSeconds = strconv.Itoa(max(1, int(throttled.RetryAfter.Seconds())))
		return e
	}
	var already api.Error
	if errors.As(err, &already) {
		return err
	}
	s.cfg.Log.Error("invocation could not start", "function", v.Key.Name, "version", v.Version, "err", err)
	return api.NewService("The execution environment could not be started.")
}

// checkPayload refuses an event that is not JSON.
func checkPayload(payload []byte) error {
	if len(payload) == 0 {
		return nil
	}
	if err := jsonpayload.Check(payload); err != nil {
		return api.NewInvalidRequestContent("Could not parse request body into json: Could not parse payload into json: %v", err)
	}
	return nil
}

// decodeClientContext reads the header X-Amz-Client-Context.
func decodeClientContext(header string) (string, error) {
	if header == "" {
		return "", nil
	}
	if len(header) > maxClientContext {
		return "", api.NewInvalidRequestContent("Client context must be no more than %d bytes when base64-encoded", maxClientContext)
	}
	b, err := base64.StdEncoding.DecodeString(header)
	if err == nil {
		// Compact: it goes into a header, where white space could be harmful.
		var one bytes.Buffer
		if err = json.Compact(&one, b); err == nil {
			return one.String(), nil
		}
	}
	return "", api.NewInvalidRequestContent("Client context must be a valid Base64-encoded JSON object.")
}
