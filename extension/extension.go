package extension

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"
)

// Extension is an extension: what it is called and what it does. Of its
// functions only those that it needs are set; they run one after the other.
type Extension struct {
	// Name is what it registers under; empty means the name of the program's
	// file, which an external extension has to have.
	Name string
	// Internal tells that it runs inside a function's process. Internal
	// extensions get no shutdown.
	Internal bool
	// Features are asked for when it registers, such as AccountID.
	Features []string

	// Init runs after Register and before the first event. Telemetry is
	// subscribed to here, and nowhere else.
	Init func(ctx context.Context, c *Client, r *Registration) error
	// Invoke runs beside the function's invocation, and may go on after it: for
	// as long as it does, the environment is not frozen, and it is billed.
	// ctx ends when the invocation times out.
	Invoke func(ctx context.Context, e *InvokeEvent) error
	// Shutdown runs at the end of the environment; ctx ends shortly before the
	// process is killed, up to 2 s later.
	Shutdown func(ctx context.Context, e *ShutdownEvent) error

	// Endpoint is host and port of the API; empty means AWS_LAMBDA_RUNTIME_API.
	Endpoint string
	// Dial opens connections; see [Client].
	Dial func(endpoint string) (io.ReadWriteCloser, error)
}

// Fault is an error with a type for Lambda's logs. Those of other errors are
// "Extension.UnknownReason".
type Fault struct {
	// Type is of the form "Extension.Reason".
	Type string
	Err  error
}

// Error is the type and the error's text.
func (f *Fault) Error() string { return f.Type + ": " + f.Err.Error() }

// Unwrap returns Err.
func (f *Fault) Unwrap() error { return f.Err }

// faultType is what Lambda is told about err.
func faultType(err error) string {
	fault := (*Fault)(nil)
	if errors.As(err, &fault) {
		return fault.Type
	}
	return "Extension.UnknownReason"
}

// shutdownMargin is how long before the process is killed the context of
// Shutdown ends: time to leave in good order.
const shutdownMargin = 50 * time.Millisecond

// Start runs an external extension, and does not return: the process ends
// after the shutdown, or when something has failed.
func Start(x *Extension) {
	if err := x.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	os.Exit(0)
}

// Run registers the extension and gives it events until the shutdown, or until
// ctx is done: then it returns nil. Errors of the extension's own functions,
// and their panics, are reported to Lambda and returned.
func (x *Extension) Run(ctx context.Context) error {
	s, err := x.open(ctx)
	if err != nil {
		return err
	}
	return s.loop(ctx)
}

// Go is Run for an internal extension: it returns when the extension is
// registered and initialized, which has to be before the function's first
// event. After that, events are handled beside the function until ctx is done;
// wait returns what ended it.
//
//	lambda.Start(handler, lambda.WithInit(func(ctx context.Context) error {
//		_, err := x.Go(ctx)
//		return err
//	}))
func (x *Extension) Go(ctx context.Context) (wait func() error, err error) {
	s, err := x.open(ctx)
	if err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- s.loop(ctx) }()
	return func() error {
		err := <-ended
		ended <- err // for whoever asks next
		return err
	}, nil
}

// session is a registered extension.
type session struct {
	*Extension
	client *Client
}

// errInternal is why an internal extension with Shutdown cannot run.
var errInternal = errors.New("an internal extension gets no SHUTDOWN: use lambda.WithEnableSIGTERM")

// open registers and initializes.
func (x *Extension) open(ctx context.Context) (*session, error) {
	if x.Internal && x.Shutdown != nil {
		return nil, errInternal
	}
	s := &session{x, &Client{Endpoint: x.Endpoint, Dial: x.Dial}}
	if s.client.Endpoint == "" {
		s.client.Endpoint = os.Getenv("AWS_LAMBDA_RUNTIME_API")
	}
	name := x.Name
	if name == "" {
		name = filepath.Base(os.Args[0])
	}
	var events []EventType
	if x.Invoke != nil {
		events = append(events, Invoke)
	}
	if x.Shutdown != nil {
		events = append(events, Shutdown)
	}
	r, err := s.client.Register(name, events, x.Features...)
	if err == nil && x.Init != nil {
		if err = guard(func() error { return x.Init(ctx, s.client, r) }); err != nil {
			err = and(err, s.client.InitError(faultType(err), err))
		}
	}
	if err != nil {
		return nil, and(err, s.client.Close())
	}
	return s, nil
}

// loop handles events.
func (s *session) loop(ctx context.Context) error {
	defer s.client.Close()
	stop := context.AfterFunc(ctx, s.client.Stop)
	defer stop()
	for {
		e, err := s.client.Next()
		if errors.Is(err, ErrStopped) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := guard(func() error { return s.handle(ctx, e) }); err != nil {
			return and(err, s.client.ExitError(faultType(err), err))
		}
		if e.Type == Shutdown {
			return nil
		}
	}
}

// handle handles one event.
func (s *session) handle(ctx context.Context, e *Event) error {
	switch {
	case e.Invoke != nil && s.Invoke != nil:
		ctx, cancel := context.WithDeadline(ctx, e.Deadline)
		defer cancel()
		return s.Invoke(ctx, e.Invoke)
	case e.Shutdown != nil && s.Shutdown != nil:
		ctx, cancel := context.WithDeadline(ctx, e.Deadline.Add(-shutdownMargin))
		defer cancel()
		return s.Shutdown(ctx, e.Shutdown)
	}
	return nil
}

// and is err, with what failed besides. An error that is alone stays what it is:
// Lambda shows its type.
func and(err, besides error) error {
	if besides == nil {
		return err
	}
	return errors.Join(err, besides)
}

// guard makes an error of a panic.
func guard(f func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &Fault{"Extension.Panic", fmt.Errorf("%v", value)}
		}
	}()
	return f()
}
