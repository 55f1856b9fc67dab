// Package cwlogs answers the part of the CloudWatch Logs API that reads and
// keeps functions' logs: AWS JSON 1.1, the operation named in X-Amz-Target. The
// lines are package logs'; what is said of a group (that it was made, how long
// its lines are kept, its tags) is a record of package store. It imports api,
// function, logs, store and clock.
//
// A group is there when it was made, or when a function has logged to it.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/Welcome.html
package cwlogs

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/clock"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/logs"
	"github.com/lambhq/lamb/internal/store"
)

// TargetPrefix begins the X-Amz-Target of every operation.
const TargetPrefix = "Logs_20140328."

// Records are the groups that were made, or of which something was said.
type Records interface {
	LogGroup(ctx context.Context, scope function.Scope, name string) (*store.LogGroup, error)
	ListLogGroups(ctx context.Context, scope function.Scope) ([]*store.LogGroup, error)
	PutLogGroup(ctx context.Context, g *store.LogGroup) error
	DeleteLogGroup(ctx context.Context, scope function.Scope, name string) error
	EachLogGroup(ctx context.Context, fn func(*store.LogGroup) error) error
}

// Config is what a Service is made from.
type Config struct {
	Records Records
	// Logs has the lines; nil: none are kept.
	Logs  *logs.Store
	Clock clock.Clock
	Log   *slog.Logger
}

// Service answers requests. It may be used from several goroutines.
type Service struct {
	cfg        Config
	operations map[string]operation
}

// operation decodes and serves one operation.
type operation func(ctx context.Context, scope function.Scope, body []byte) (any, error)

// New makes a Service, and has the lines of groups kept as long as their
// records say.
func New(ctx context.Context, cfg Config) (*Service, error) {
	if cfg.Clock == nil {
		cfg.Clock = clock.System
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{cfg: cfg}
	s.operations = map[string]operation{
		"CreateLogGroup":        serve(s.createLogGroup),
		"DeleteLogGroup":        serve(s.deleteLogGroup),
		"DeleteRetentionPolicy": serve(s.deleteRetentionPolicy),
		"DescribeLogGroups":     serve(s.describeLogGroups),
		"DescribeLogStreams":    serve(s.describeLogStreams),
		"FilterLogEvents":       serve(s.filterLogEvents),
		"GetLogEvents":          serve(s.getLogEvents),
		"ListTagsForResource":   serve(s.listTagsForResource),
		"ListTagsLogGroup":      serve(s.listTagsLogGroup),
		"PutRetentionPolicy":    serve(s.putRetentionPolicy),
		"TagResource":           serve(s.tagResource),
		"UntagResource":         serve(s.untagResource),
	}
	err := cfg.Records.EachLogGroup(ctx, func(g *store.LogGroup) error {
		s.keep(g)
		return nil
	})
	return s, err
}

// serve makes an operation of a method with an input of its own.
func serve[In any](method func(context.Context, function.Scope, *In) (any, error)) operation {
	return func(ctx context.Context, scope function.Scope, body []byte) (any, error) {
		in := new(In)
		if len(body) > 0 {
			if err := json.Unmarshal(body, in); err != nil {
				return nil, &Error{"SerializationException", "The request body is not what the operation takes: " + err.Error()}
			}
		}
		return method(ctx, scope, in)
	}
}

// Error is a refusal; every one of them is answered with status 400.
type Error struct{ Type, Message string }

func (e *Error) Error() string { return e.Type + ": " + e.Message }

func invalid(message string) error { return &Error{"InvalidParameterException", message} }

func noGroup() error {
	return &Error{"ResourceNotFoundException", "The specified log group does not exist."}
}

func noStream() error {
	return &Error{"ResourceNotFoundException", "The specified log stream does not exist."}
}

// Serve answers a request whose body is here; its context carries the
// api.Caller.
func (s *Service) Serve(w http.ResponseWriter, r *http.Request, body []byte) {
	caller := api.CallerFrom(r.Context())
	scope := function.Scope{Partition: caller.Partition, Account: caller.Account, Region: caller.Region}
	name := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), TargetPrefix)
	op, ok := s.operations[name]
	if !ok {
		WriteError(w, &Error{"UnknownOperationException", "lamb does not implement the operation " + name + " of CloudWatch Logs"})
		return
	}
	out, err := op(r.Context(), scope, body)
	if err != nil {
		var known *Error
		if !errors.As(err, &known) && r.Context().Err() == nil {
			s.cfg.Log.ErrorContext(r.Context(), "request for logs failed", "operation", name, "requestId", caller.RequestID, "err", err)
		}
		WriteError(w, err)
		return
	}
	write(w, http.StatusOK, out)
}

// WriteError answers with err; what is not an *Error is not told.
func WriteError(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	var known *Error
	if !errors.As(err, &known) {
		status, known = http.StatusInternalServerError, &Error{"ServiceUnavailableException", "The service cannot complete the request."}
	}
	write(w, status, struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{known.Type, known.Message})
}

func write(w http.ResponseWriter, status int, out any) {
	h := w.Header()
	h.Set("Content-Type", "application/x-amz-json-1.1")
	if out == nil { // an operation without an answer sends no body
		h.Set("Content-Length", "0")
		w.WriteHeader(status)
		return
	}
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(out) // a client that has gone is nobody's error
}

// now is the time as records carry it.
func (s *Service) now() time.Time { return s.cfg.Clock.Now().UTC().Truncate(time.Millisecond) }
