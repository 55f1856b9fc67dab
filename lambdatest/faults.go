package lambdatest

import (
	"context"

	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/lambda/runtimeapi"
)

// Moment is when a faulty runtime fails.
type Moment int

// The moments.
const (
	// DuringInit is before the runtime asks for its first event.
	DuringInit Moment = iota
	// DuringInvocation is after it has been given an event.
	DuringInvocation
	// AfterResponse is after it has answered with the event itself, before it
	// asks for the next one: the caller has the answer, and the invocation fails
	// all the same (see Result).
	AfterResponse
)

// Crash is a runtime that exits with a status at a moment. With InTurn, it is
// followed by one that does better.
func Crash(at Moment, status int) Program {
	return faulty(at, func(context.Context) error {
		return ExitStatus(status)
	})
}

// Hang is a runtime that does nothing from a moment on, until it is killed.
func Hang(at Moment) Program {
	return faulty(at, func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
}

// HalfResponse is a runtime that breaks its answer off after half of the event,
// which it would be, and then hangs.
func HalfResponse() Program {
	return Go(func(ctx context.Context, p *Process) error {
		client := &runtimeapi.Client{Endpoint: p.Endpoint, Dial: p.Dial}
		var inv runtimeapi.Invocation
		if err := client.Next(&inv); err != nil {
			return err
		}
		s, err := client.PostStream(&inv, "application/json", runtimeapi.Unannounced)
		if err != nil {
			return err
		}
		if _, err := s.Write(inv.Payload[:len(inv.Payload)/2]); err != nil {
			return err
		}
		s.Abort()
		<-ctx.Done()
		return ctx.Err()
	})
}

// loses is a responder that fails with every response (Request.LoseResponse).
type loses struct{ execenv.Responder }

// Begin implements execenv.Responder.
func (l loses) Begin(h envapi.Header) execenv.Body { return lostBody{l.Responder.Begin(h)} }

type lostBody struct{ execenv.Body }

// Write implements execenv.Body.
func (lostBody) Write([]byte) *envapi.Error { return envapi.ErrInternal }

// faulty is a runtime that fails at a moment.
func faulty(at Moment, fail func(context.Context) error) Program {
	return Go(func(ctx context.Context, p *Process) error {
		client := &runtimeapi.Client{Endpoint: p.Endpoint, Dial: p.Dial}
		var inv runtimeapi.Invocation
		if at > DuringInit {
			if err := client.Next(&inv); err != nil {
				return err
			}
		}
		if at == AfterResponse {
			if err := client.PostResponse(&inv, "application/json", inv.Payload); err != nil {
				return err
			}
		}
		return fail(ctx)
	})
}
