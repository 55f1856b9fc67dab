// Package lambdahttp serves an http.Handler on AWS Lambda: behind a function
// URL, an API Gateway (REST or HTTP, payload version 1.0 or 2.0) or an
// Application Load Balancer. Which of them a request comes from is seen from
// the event.
//
//	func main() {
//		http.HandleFunc("GET /hello", hello)
//		lambdahttp.Start(http.DefaultServeMux)
//	}
//
// Where the function URL has InvokeMode RESPONSE_STREAM, or an API Gateway
// streams, StartStreaming takes the place of Start: an event does not tell, and
// the answer has another form.
//
// See https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
package lambdahttp

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/lambhq/lamb/lambda"
)

// Start serves requests with h, each answered in one piece of up to 6 MB. It
// does not return. nil means http.DefaultServeMux.
func Start(h http.Handler, opts ...lambda.Option) { lambda.Start(Wrap(h), opts...) }

// StartStreaming serves requests with h, whose answers callers get while they
// are written, up to 200 MB: after every Flush, and whenever 4 KB have come
// together. It does not return.
func StartStreaming(h http.Handler, opts ...lambda.Option) { lambda.Start(WrapStreaming(h), opts...) }

// Wrap makes a handler for lambda.Start of h, for middleware and tests.
func Wrap(h http.Handler) func(context.Context, json.RawMessage) (*Response, error) {
	h = orDefault(h)
	return func(ctx context.Context, event json.RawMessage) (*Response, error) {
		e, r, err := newRequest(ctx, event)
		if err != nil {
			return nil, err
		}
		w := &buffered{header: http.Header{}}
		h.ServeHTTP(w, r)
		return e.respond(w), nil
	}
}

// WrapStreaming is Wrap for answers that are streamed.
func WrapStreaming(h http.Handler) func(context.Context, json.RawMessage, *lambda.ResponseStream) error {
	h = orDefault(h)
	return func(ctx context.Context, event json.RawMessage, s *lambda.ResponseStream) error {
		_, r, err := newRequest(ctx, event)
		if err != nil {
			return err
		}
		w := newStreamed(s)
		h.ServeHTTP(w, r)
		return w.finish()
	}
}

func orDefault(h http.Handler) http.Handler {
	if h == nil {
		return http.DefaultServeMux
	}
	return h
}

type eventKey struct{}

// EventFromContext is the event that a request was made of, from the request's
// context: for what net/http has no place for, such as the authorizer's result.
func EventFromContext(ctx context.Context) (json.RawMessage, bool) {
	event, ok := ctx.Value(eventKey{}).(json.RawMessage)
	return event, ok
}
