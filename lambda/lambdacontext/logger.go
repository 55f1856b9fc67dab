package lambdacontext

import (
	"context"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
)

// Levels of AWS_LAMBDA_LOG_LEVEL that slog has no names for.
const (
	LevelTrace = slog.Level(-8)
	LevelFatal = slog.Level(12)
)

// LogOption adds a field to the records of a logger.
type LogOption func(*logOptions)

type logOptions struct{ fields []logField }

// logField is something of the invocation that goes into records.
type logField struct {
	name  string
	value func(*LambdaContext) string
}

// WithFunctionARN adds the ARN that was invoked, as functionArn.
func WithFunctionARN() LogOption {
	return func(o *logOptions) {
		o.fields = append(o.fields, logField{"functionArn", func(lc *LambdaContext) string { return lc.InvokedFunctionArn }})
	}
}

// WithTenantID adds the tenant, as tenantId, where there is one.
func WithTenantID() LogOption {
	return func(o *logOptions) {
		o.fields = append(o.fields, logField{"tenantId", func(lc *LambdaContext) string { return lc.TenantID }})
	}
}

// NewLogger is a logger with the handler of NewLogHandler.
func NewLogger(options ...LogOption) *slog.Logger { return slog.New(NewLogHandler(options...)) }

// NewLogHandler makes a handler that writes to standard output what Lambda
// understands: in the format of AWS_LAMBDA_LOG_FORMAT (JSON, otherwise text),
// from the level of AWS_LAMBDA_LOG_LEVEL up (TRACE, DEBUG, INFO, WARN, ERROR
// or FATAL, otherwise INFO), with the members timestamp, level and message.
// Records that are logged with an invocation's context have its requestId,
// beside the message whatever groups the logger has.
func NewLogHandler(options ...LogOption) slog.Handler {
	return newLogHandler(os.Stdout, os.Getenv, options)
}

func newLogHandler(w io.Writer, getenv func(string) string, options []LogOption) slog.Handler {
	var o logOptions
	for _, option := range options {
		option(&o)
	}
	settings := slog.HandlerOptions{Level: logLevel(getenv("AWS_LAMBDA_LOG_LEVEL")), ReplaceAttr: ReplaceAttr}
	h := &logHandler{fields: o.fields}
	if getenv("AWS_LAMBDA_LOG_FORMAT") == "JSON" {
		h.inner = slog.NewJSONHandler(w, &settings)
	} else {
		h.inner = slog.NewTextHandler(w, &settings)
	}
	h.ungrouped = h.inner
	return h
}

// logLevel reads AWS_LAMBDA_LOG_LEVEL.
func logLevel(name string) slog.Level {
	switch strings.ToUpper(name) {
	case "TRACE":
		return LevelTrace
	case "DEBUG":
		return slog.LevelDebug
	case "WARN":
		return slog.LevelWarn
	case "ERROR":
		return slog.LevelError
	case "FATAL":
		return LevelFatal
	default:
		return slog.LevelInfo
	}
}

// ReplaceAttr gives slog's own attributes the names that Lambda looks for:
// timestamp and message, and TRACE and FATAL as levels. It is for handlers
// that are made otherwise than by NewLogHandler.
func ReplaceAttr(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.TimeKey:
		a.Key = "timestamp"
	case slog.MessageKey:
		a.Key = "message"
	case slog.LevelKey:
		switch level, _ := a.Value.Any().(slog.Level); {
		case level <= LevelTrace:
			a.Value = slog.StringValue("TRACE")
		case level >= LevelFatal:
			a.Value = slog.StringValue("FATAL")
		}
	}
	return a
}

// logHandler adds an invocation's fields to records.
type logHandler struct {
	inner  slog.Handler
	fields []logField

	// What a logger with groups is made of: the handler before the first group,
	// and what was done to it since, so that an invocation's fields can go in
	// front of the group.
	ungrouped slog.Handler
	since     []func(slog.Handler) slog.Handler
}

// Enabled tells whether the level is logged.
func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.inner.Enabled(ctx, level)
}

// Handle writes a record.
func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	lc, ok := FromContext(ctx)
	if !ok {
		return h.inner.Handle(ctx, r)
	}
	attrs := make([]slog.Attr, 0, 4)
	attrs = append(attrs, slog.String("requestId", lc.AwsRequestID))
	for _, f := range h.fields {
		if value := f.value(lc); value != "" {
			attrs = append(attrs, slog.String(f.name, value))
		}
	}
	if len(h.since) == 0 {
		r = r.Clone() // whoever made it may add to it
		r.AddAttrs(attrs...)
		return h.inner.Handle(ctx, r)
	}
	inner := h.ungrouped.WithAttrs(attrs)
	for _, step := range h.since {
		inner = step(inner)
	}
	return inner.Handle(ctx, r)
}

// WithAttrs is the handler with more attributes in every record.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	step := func(inner slog.Handler) slog.Handler { return inner.WithAttrs(attrs) }
	if len(h.since) == 0 {
		inner := step(h.inner)
		return &logHandler{inner: inner, fields: h.fields, ungrouped: inner}
	}
	return h.with(step)
}

// WithGroup is the handler with all that follows in a group.
func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.with(func(inner slog.Handler) slog.Handler { return inner.WithGroup(name) })
}

func (h *logHandler) with(step func(slog.Handler) slog.Handler) slog.Handler {
	return &logHandler{
		inner: step(h.inner), fields: h.fields,
		ungrouped: h.ungrouped, since: append(slices.Clip(h.since), step),
	}
}
