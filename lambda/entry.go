package lambda

import (
	"context"
	"os"
)

// Start runs a handler, and does not return.
//
// handler is a function whose arguments are any of these, in this order
//
//	context.Context    of the invocation: deadline, lambdacontext
//	TIn                the event, decoded from JSON
//	*ResponseStream    to write the answer to while it comes into being
//
// and whose results are none, an error, or TOut and an error: TOut is answered
// as JSON. Where it is an io.Reader (and JSON makes nothing or {} of it), what
// it gives is streamed; it is closed, if it can be, and its method ContentType,
// if it has one, names the type. Or handler is a Handler, which gets and gives
// bytes.
//
// Any other handler is reported to Lambda as an error of initialization.
//
// Outside Lambda, where AWS_LAMBDA_RUNTIME_API is not set, Start handles one
// event, from the file that is the program's argument or else from standard
// input, and prints the answer.
func Start(handler any, opts ...Option) { start(handler, opts) }

// StartTyped is Start for a function of which the compiler knows the types. It
// is called without reflection; and what Start would refuse does not compile.
func StartTyped[In, Out any](handler func(context.Context, In) (Out, error), opts ...Option) {
	o := newOptions(opts)
	start(&bound{options: o, call: typed(handler, o.codec)}, nil)
}

// StartWithOptions is Start.
func StartWithOptions(handler any, opts ...Option) { start(handler, opts) }

// HandlerFunc is a function that StartHandlerFunc takes.
type HandlerFunc[In, Out any] interface {
	func(context.Context, In) (Out, error)
}

// StartHandlerFunc is StartTyped.
func StartHandlerFunc[In, Out any, H HandlerFunc[In, Out]](handler H, opts ...Option) {
	StartTyped[In, Out](handler, opts...)
}

// StartWithContext is Start with a context that those of events are made from.
//
// Deprecated: use Start with WithContext.
func StartWithContext(ctx context.Context, handler any) { Start(handler, WithContext(ctx)) }

// StartHandler is Start.
//
// Deprecated: use Start.
func StartHandler(handler Handler) { Start(handler) }

// StartHandlerWithContext is StartWithContext.
//
// Deprecated: use Start with WithContext.
func StartHandlerWithContext(ctx context.Context, handler Handler) {
	Start(handler, WithContext(ctx))
}

// start runs a handler in Lambda or outside, and exits.
func start(handler any, opts []Option) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		exit(runLocally(bind(handler, opts), os.Args[1:], os.Stdin, os.Stdout))
		return
	}
	exit((&Runtime{Handler: handler, Options: opts}).Run(context.Background()))
}
