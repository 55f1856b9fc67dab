// Package functionurl is the data plane of function URLs: it turns HTTP
// requests into events of payload format 2.0, and what functions return into
// answers, at once or while the function writes it. Package gateway says which
// requests are for a URL, reads them and verifies who signed them.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
package functionurl

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/clock"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/invoke"
)

// MaxEvent is the largest event of a request, in bytes.
const MaxEvent = 6 << 20

// The values of function.URL.
const (
	// AuthIAM is the AuthType of URLs whose callers sign.
	AuthIAM        = "AWS_IAM"
	responseStream = "RESPONSE_STREAM"
)

// Catalog is where URLs and policies are looked up; it is in memory.
type Catalog interface {
	URL(id string) (*function.URL, bool)
	Policy(ref function.Ref) (*function.Policy, bool)
}

// Config is what a Handler is made from. All but Clock and Log are required.
type Config struct {
	Catalog Catalog
	Invoke  *invoke.Service
	// Domain is what on.aws is on AWS, without a port.
	Domain string
	Clock  clock.Clock
	Log    *slog.Logger
}

// Handler answers requests to URLs.
type Handler struct{ cfg Config }

// New makes a Handler.
func New(cfg Config) *Handler {
	if cfg.Clock == nil {
		cfg.Clock = clock.System
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Handler{cfg}
}

// Caller is who signed a request.
type Caller struct {
	AccessKey, Account string
	ARN                string
}

// Call is a request to a URL, read and verified.
type Call struct {
	URL       *function.URL
	RequestID string
	// Path is what comes after the URL, percent-encoded as it was sent.
	Path string
	// Body is good until Serve returns.
	Body []byte
	// Received is when the request had come, and BodyRead how long its body
	// took.
	Received time.Time
	BodyRead time.Duration
	// Caller is who signed; nil for a URL whose AuthType is NONE.
	Caller *Caller
}

// Find returns the URL with an id.
func (h *Handler) Find(id string) (*function.URL, bool) { return h.cfg.Catalog.URL(id) }

// Serve runs the function and answers with what it returns.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, c Call) {
	setCORS(w.Header(), r, c.URL.CORS)
	if !h.allowed(c) {
		h.Refuse(w, http.StatusForbidden, Forbidden)
		return
	}
	v, err := h.cfg.Invoke.Resolve(c.URL.Ref())
	if err == nil {
		_, err = invoke.Tenant(v, nil)
	}
	if err != nil {
		h.fail(w, err)
		return
	}
	req := invoke.Request{
		Ref: c.URL.Ref(), RequestID: c.RequestID, Trace: h.cfg.Invoke.Trace(v, r.Header.Get("X-Amzn-Trace-Id")),
		Received: c.Received, BodyRead: c.BodyRead,
	}
	if req.Payload, err = h.event(r, c, req.Trace.Header); err != nil {
		h.fail(w, err)
		return
	}
	if len(req.Payload) > MaxEvent {
		h.Refuse(w, http.StatusRequestEntityTooLarge, TooLarge)
		return
	}
	w.Header().Set("X-Amzn-Trace-Id", req.Trace.Header)
	a := &answer{w: w, r: r, cors: c.URL.CORS, control: http.NewResponseController(w)}
	if c.URL.InvokeMode == responseStream {
		err = h.stream(a, v, req)
	} else {
		err = h.buffered(a, v, req)
	}
	if err != nil {
		h.fail(w, err)
	}
}

// The texts of refusals.
const (
	Forbidden = "Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
	TooLarge  = "Request must be smaller than 6291456 bytes for the InvokeFunctionUrl operation"
)

// Refuse answers with an error of the URL's, not the function's.
func (h *Handler) Refuse(w http.ResponseWriter, status int, message string) {
	body, err := json.Marshal(struct{ Message string }{message})
	if err != nil { // a string always marshals
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller that has gone is nobody's error
}

// fail answers with what went wrong before the function ran.
func (h *Handler) fail(w http.ResponseWriter, err error) {
	e := api.Error(nil)
	if !errors.As(err, &e) {
		h.cfg.Log.Error("function URL failed", "err", err)
		h.Refuse(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	h.Refuse(w, e.HTTPStatus(), e.ErrorMessage())
}

// badGateway is the answer to what is the function's fault.
func badGateway(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusBadGateway)
	_, _ = w.Write([]byte("Internal Server Error"))
}
