package lambda

import (
	"context"
)

// Option is a setting of a handler.
type Option func(*options)

type options struct {
	*codec
	base           context.Context
	values         [][2]any
	init           []Hook
	beforeSnapshot []Hook
	afterRestore   []Hook
	sigterm        bool
	onSIGTERM      []func()
}

func newOptions(opts []Option) *options {
	o := &options{codec: &codec{}, base: context.Background()}
	for _, opt := range opts {
		opt(o)
	}
	for _, v := range o.values {
		o.base = context.WithValue(o.base, v[0], v[1])
	}
	return o
}

// Hook is called once, before or between events. When it fails, Lambda is told
// and the process exits.
type Hook func(ctx context.Context) error

// WithContext sets what the contexts of all events are made from.
func WithContext(ctx context.Context) Option { return func(o *options) { o.base = ctx } }

// WithContextValue adds a value to the contexts of all events, on top of
// WithContext's.
func WithContextValue(key, value any) Option {
	return func(o *options) { o.values = append(o.values, [2]any{key, value}) }
}

// WithSetEscapeHTML has <, > and & escaped in JSON answers, which they are not
// otherwise.
func WithSetEscapeHTML(escape bool) Option { return func(o *options) { o.escapeHTML = escape } }

// WithSetIndent has JSON answers indented as by [json.Encoder.SetIndent]; they
// end with a line feed then.
func WithSetIndent(prefix, indent string) Option {
	return func(o *options) { o.prefix, o.indent = prefix, indent }
}

// WithUseNumber has numbers decoded into any become a [json.Number].
func WithUseNumber(use bool) Option { return func(o *options) { o.useNumber = use } }

// WithDisallowUnknownFields has events refused that have members which the
// handler's type has not.
func WithDisallowUnknownFields(disallow bool) Option {
	return func(o *options) { o.disallowUnknownFields = disallow }
}

// WithInit has a hook run before the first event, as part of the environment's
// initialization: its error is reported as such, where one in main would be
// seen as an exit only. It may be given more than once. The limit for all of
// the initialization is 10 s.
func WithInit(hook Hook) Option {
	return func(o *options) { o.init = append(o.init, hook) }
}

// WithBeforeSnapshot has a hook run before the snapshot of an environment with
// SnapStart is taken, after WithInit's: to close connections, say. Elsewhere it
// is not run.
func WithBeforeSnapshot(hook Hook) Option {
	return func(o *options) { o.beforeSnapshot = append(o.beforeSnapshot, hook) }
}

// WithAfterRestore has a hook run whenever an environment has been restored
// from a snapshot, before its first event: to make what copies must not share.
// The limit is 10 s. Elsewhere it is not run.
func WithAfterRestore(hook Hook) Option {
	return func(o *options) { o.afterRestore = append(o.afterRestore, hook) }
}

// WithEnableSIGTERM has Lambda send SIGTERM before it ends the environment,
// which it does not do otherwise (it takes an internal extension, named
// GoLangEnableSIGTERM). The callbacks are run then, in order; after that the
// process exits as soon as no event is being handled. Lambda kills it 500 ms
// after the signal, or 300 ms if there are external extensions.
func WithEnableSIGTERM(callbacks ...func()) Option {
	return func(o *options) {
		o.sigterm = true
		o.onSIGTERM = append(o.onSIGTERM, callbacks...)
	}
}
