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
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/bandwidth"
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
	// LookupAlias returns the version that an invocation of an alias runs, for
	// a random number of at least 0 and below 1.
	LookupAlias(key function.Key, name string, random float64) (*function.Version, bool)
}

// Slots gives the right to run one invocation of a version, for a tenant where
// the function isolates them.
type Slots interface {
	Acquire(ctx context.Context, v *function.Version, tenant string) (*pool.Slot, error)
}

// Config is what a Service is made from. All but Random, Observe, Clock
// and Log are required.
type Config struct {
	Catalog Catalog
	Slots   Slots
	// Random divides the invocations of an alias between its versions; it is
	// called from several goroutines. Nil means rand.Float64.
	Random func() float64
	// Observe is told of every invocation's end, for metrics. Nil: nobody is.
	Observe func(Observation)
	// Bandwidth is that of each streamed response; the zero value does not
	// limit it.
	Bandwidth bandwidth.Limits
	Clock     clock.Clock
	Log       *slog.Logger
}

// Observation is one invocation for the metrics.
type Observation struct {
	// Function is the function's name. It exists: names that callers invent are
	// not observed.
	Function string
	// Result is "success", "error" (the function's), "throttle" or "fault"
	// (lamb's).
	Result string
	// ErrorType is the outcome's, empty on success.
	ErrorType string
	// Duration is from admission to the answer; zero for what did not run.
	Duration time.Duration
	// Init is how long the init took of the environment that was started for
	// this invocation; zero when none was, or none that took it.
	Init time.Duration
	// ResponseBytes is the length of the answer's payload.
	ResponseBytes int64
	// Streamed says that the response was streamed; Throughput is then its
	// bytes a second from the first to the last, zero if it has no end, and
	// Throttled how long it waited to keep its bandwidth.
	Streamed   bool
	Throughput float64
	Throttled  time.Duration
}

// Service runs invocations.
type Service struct {
	cfg    Config
	traces *trace.Tracer
}

// New makes a Service.
func New(cfg Config) *Service {
	if cfg.Clock == nil {
		cfg.Clock = clock.System
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	if cfg.Observe == nil {
		cfg.Observe = func(Observation) {}
	}
	return &Service{cfg: cfg, traces: trace.NewTracer(cfg.Clock)}
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
	// Trace is as Trace gives it; the zero value makes one.
	Trace trace.Context
	// TenantID is as Tenant gave it.
	TenantID string
	// WantLog makes Invoke wait for the REPORT line.
	WantLog bool
	// Received is when the caller's request had come, and BodyRead how long its
	// body took; zero when nobody knows.
	Received time.Time
	BodyRead time.Duration
}

// Result is what became of an invocation that ran.
type Result struct {
	execenv.Outcome
	ExecutedVersion string
	LogTail         string // if wanted
}

// Resolve finds the version that a request means and checks that it can be
// invoked. Of an alias with two versions it chooses one, anew with each call.
// Errors are the API's.
func (s *Service) Resolve(ref function.Ref) (*function.Version, error) {
	if v, found := s.lookup(ref); found {
		return v, invocable(v)
	}
	qualifier := ref.Qualifier
	if qualifier == "" {
		qualifier = function.Latest
	}
	return nil, api.NewResourceNotFound("Function not found: %s", ref.Key.QualifiedARN(qualifier))
}

func (s *Service) lookup(ref function.Ref) (*function.Version, bool) {
	if version, ok := ref.Version(); ok {
		return s.cfg.Catalog.Lookup(ref.Key, version)
	}
	return s.cfg.Catalog.LookupAlias(ref.Key, ref.Qualifier, s.cfg.Random())
}

func invocable(v *function.Version) error {
	if v.State == function.StateActive {
		return nil
	}
	return api.NewResourceConflict("The operation cannot be performed at this time. The function is currently in the following state: %s", v.State)
}

// Tenant is for whom a version is to run, of an invocation that names a tenant
// or, with nil, none; empty where the function does not isolate tenants.
// Errors are the API's; AWS's text for a tenant that is not wanted is not
// known.
func Tenant(v *function.Version, given *string) (string, error) {
	isolates := v.Config.TenantIsolation != "" // no update changes it
	switch {
	case isolates && given == nil:
		return "", api.NewInvalidParameterValue("The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again.")
	case !isolates && given != nil:
		return "", api.NewInvalidParameterValue("The invoked function is not enabled with tenancy configuration. Remove the tenant ID from your request and try again.")
	}
	return api.Value(given), nil
}

// Trace is the place in a trace of an invocation of a version: it goes on from
// the client's X-Ray header, which may be empty.
func (s *Service) Trace(v *function.Version, client string) trace.Context {
	if v.Runs().Config.TracingMode == api.TracingModeActive {
		return s.traces.Active(client, v.Key.ARN())
	}
	return s.traces.PassThrough(client)
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
	inv, err := s.start(ctx, v, req, execenv.Buffered{}, nil)
	if err != nil {
		return Result{}, err
	}
	<-inv.Answered()
	r := s.result(inv, v)
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
	_, err := s.start(ctx, v, req, execenv.Buffered{}, func(inv *placed) { answered(s.result(inv, v)) })
	return err
}

// placed is an invocation on its way through an environment.
type placed struct {
	*execenv.Invocation
	began time.Time
	init  time.Duration // of an environment that was started for it
	terms execenv.Terms
}

// result is what an answered invocation gave; the event is not used any more.
func (s *Service) result(inv *placed, v *function.Version) Result {
	inv.Retire()
	r := Result{Outcome: inv.Outcome(), ExecutedVersion: v.Version}
	o := s.observation(inv, v)
	o.ResponseBytes = int64(len(r.Payload))
	s.cfg.Observe(o)
	return r
}

// observation is what all kinds of answered invocations are observed by.
func (s *Service) observation(inv *placed, v *function.Version) Observation {
	outcome := inv.Outcome()
	o := Observation{
		Function: v.Key.Name, Result: "success", ErrorType: outcome.ErrorType,
		Duration: s.cfg.Clock.Now().Sub(inv.began), Init: inv.init,
	}
	if outcome.FunctionError != "" {
		o.Result = "error"
	}
	return o
}

// start gets a slot and hands the invocation to it. An error is the API's, and
// has been observed. answered may be nil; see execenv.Invocation.OnAnswered.
func (s *Service) start(ctx context.Context, v *function.Version, req Request, to execenv.Responder, answered func(*placed)) (*placed, error) {
	inv, err := s.place(ctx, v, req, to, answered)
	if err == nil {
		return inv, nil
	}
	err = s.apiError(err, v)
	result := "fault"
	if _, throttled := err.(*api.TooManyRequestsException); throttled {
		result = "throttle"
	}
	s.cfg.Observe(Observation{Function: v.Key.Name, Result: result})
	return nil, err
}

// place finds an environment that takes the invocation.
func (s *Service) place(ctx context.Context, v *function.Version, req Request, to execenv.Responder, answered func(*placed)) (*placed, error) {
	began := s.cfg.Clock.Now()
	event := s.event(v, req)
	for attempts := 0; ; {
		slot, err := s.cfg.Slots.Acquire(ctx, v, req.TenantID)
		if err != nil {
			return nil, err
		}
		if slot.Cold() {
			attempts++
		}
		inv := &placed{Invocation: execenv.NewInvocation(event, to), began: began, init: slot.InitTime()}
		inv.WantLog = req.WantLog
		inv.terms = execenv.Terms{Received: req.Received, RequestRead: req.BodyRead}
		inv.Terms = &inv.terms
		if answered != nil {
			inv.OnAnswered(func() { answered(inv) })
		}
		err = slot.Invoke(inv.Invocation)
		if err == nil {
			return inv, nil
		}
		if attempts == maxAttempts || !errors.Is(err, execenv.ErrClosed) && !errors.Is(err, execenv.ErrBusy) {
			return nil, err
		}
	}
}

func (s *Service) event(v *function.Version, req Request) envapi.Event {
	if req.Trace.Header == "" {
		req.Trace = s.Trace(v, "")
	}
	e := envapi.Event{
		RequestID:     req.RequestID,
		InvokedARN:    req.Ref.ARN(),
		TraceID:       req.Trace.Header,
		Segment:       req.Trace.Segment,
		CallerSegment: req.Trace.Caller,
		ClientContext: req.ClientContext,
		TenantID:      req.TenantID,
		Body:          req.Payload,
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
	if e := restoreError(err); e != nil {
		return e
	}
	var already api.Error
	if errors.As(err, &already) {
		return err
	}
	s.cfg.Log.Error("invocation could not start", "function", v.Key.Name, "version", v.Version, "err", err)
	return api.NewService("The execution environment could not be started.")
}

// restoreError is the API's error for an environment that could not be resumed,
// or nil. What the hook said is its owner's, and in the log.
func restoreError(err error) error {
	switch {
	case errors.Is(err, execenv.ErrRestoreHookTimeout):
		return api.NewSnapStartTimeout("Lambda couldn't restore the snapshot within the timeout limit.")
	case errors.Is(err, execenv.ErrRestoreHook):
		return api.NewSnapStart("The afterRestore() runtime hook encountered an error.")
	}
	return nil
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
