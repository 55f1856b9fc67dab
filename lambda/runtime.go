package lambda

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/lambhq/lamb/lambda/runtimeapi"
)

// Runtime runs one handler, as Start does, in programs that bring their own
// settings or go on afterwards: tests above all. Only Handler is needed.
type Runtime struct {
	// Handler is any function that Start takes, or a Handler.
	Handler any
	// Options of the handler.
	Options []Option
	// Endpoint is host and port of the Runtime API; empty means
	// AWS_LAMBDA_RUNTIME_API.
	Endpoint string
	// Getenv reads settings: AWS_LAMBDA_RUNTIME_API, AWS_LAMBDA_LOG_FORMAT,
	// AWS_LAMBDA_MAX_CONCURRENCY and AWS_LAMBDA_INITIALIZATION_TYPE. nil means
	// os.Getenv.
	Getenv func(name string) string
	// Setenv sets _X_AMZN_TRACE_ID for every event, where there is one at a
	// time. nil means os.Setenv; a test with several handlers in its process
	// passes one that does nothing.
	Setenv func(name, value string) error
	// Dial opens connections to the endpoint; see [runtimeapi.Client].
	Dial func(endpoint string) (io.ReadWriteCloser, error)
}

// runner is a Runtime with its defaults filled in.
type runner struct {
	handler     *bound
	endpoint    string
	dial        func(endpoint string) (io.ReadWriteCloser, error)
	concurrency int
	snapStart   bool
	jsonLog     bool
	setenv      func(name, value string) error
	traceID     string // the last one set
	now         func() time.Time
}

// errNoEndpoint is why Run cannot run.
var errNoEndpoint = errors.New("expected AWS Lambda environment variables [AWS_LAMBDA_RUNTIME_API] are not defined")

func newRunner(r *Runtime) (*runner, error) {
	getenv := r.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	run := &runner{
		handler: bind(r.Handler, r.Options), endpoint: r.Endpoint, dial: r.Dial, setenv: r.Setenv,
		concurrency: 1, jsonLog: getenv("AWS_LAMBDA_LOG_FORMAT") == "JSON", now: time.Now,
		snapStart: getenv("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start",
	}
	if run.endpoint == "" {
		run.endpoint = getenv("AWS_LAMBDA_RUNTIME_API")
	}
	if run.endpoint == "" {
		return nil, errNoEndpoint
	}
	if run.setenv == nil {
		run.setenv = os.Setenv
	}
	if n, err := strconv.Atoi(getenv("AWS_LAMBDA_MAX_CONCURRENCY")); err == nil && n > 1 {
		run.concurrency = n
		if run.dial == nil {
			// A thread for every connection would be too many.
			run.dial = func(endpoint string) (io.ReadWriteCloser, error) { return net.Dial("tcp", endpoint) }
		}
	}
	return run, nil
}

// Run runs the handler until ctx is done or SIGTERM has come (if asked for by
// WithEnableSIGTERM): then it returns nil, as soon as no event is being
// handled. Any error is a reason to exit: where the service has to know of it,
// it has been told.
func (r *Runtime) Run(ctx context.Context) error {
	run, err := newRunner(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	workers := make([]*worker, run.concurrency)
	for i := range workers {
		workers[i] = newWorker(run)
	}
	stop := context.AfterFunc(ctx, func() {
		for _, w := range workers {
			w.client.Stop()
		}
	})
	defer stop()
	if run.handler.sigterm {
		end := run.awaitSIGTERM(cancel)
		defer end()
	}
	if err := run.initialize(ctx, workers[0]); err != nil {
		return stopped(err)
	}
	return run.serve(workers, cancel)
}

// serve runs the workers until all have ended, and returns why the first did.
func (r *runner) serve(workers []*worker, cancel context.CancelCauseFunc) error {
	errs := make([]error, len(workers))
	work := func(i int) {
		// The others finish what they have in hand.
		defer cancel(nil)
		defer workers[i].client.Close()
		errs[i] = stopped(workers[i].run())
	}
	var others sync.WaitGroup
	for i := range workers[1:] {
		others.Go(func() { work(i + 1) })
	}
	work(0)
	others.Wait()
	return errors.Join(errs...)
}

// stopped is err, unless that only says that the runtime was to stop.
func stopped(err error) error {
	if errors.Is(err, runtimeapi.ErrStopped) {
		return nil
	}
	return err
}

// initialize runs what comes before the first event.
func (r *runner) initialize(ctx context.Context, w *worker) error {
	initError := w.client.PostInitError
	if err := r.handler.invalid; err != nil {
		return w.fatal(initError, "Runtime.InvalidHandler", fromError(err))
	}
	if err := w.hooks(ctx, r.handler.init, initError, ""); err != nil || !r.snapStart {
		return err
	}
	if err := w.hooks(ctx, r.handler.beforeSnapshot, initError, "Runtime.BeforeSnapshotError"); err != nil {
		return err
	}
	// No connection survives the snapshot but the one that waits for it.
	if err := w.client.RestoreNext(); err != nil {
		return err
	}
	return w.hooks(ctx, r.handler.afterRestore, w.client.PostRestoreError, "Runtime.AfterRestoreError")
}

// hooks runs hooks in order, up to the first that fails.
func (w *worker) hooks(ctx context.Context, hooks []Hook, post func(*failure) error, kind string) error {
	for _, hook := range hooks {
		if failed := call(func() error { return hook(ctx) }); failed != nil {
			return w.fatal(post, kind, failed)
		}
	}
	return nil
}

// fatal tells the service of an error that ends the process, and returns it.
// kind is the header's error type, if it is not to be the error's own.
func (w *worker) fatal(post func(*failure) error, kind string, e *Error) error {
	f, err := newFailure(e)
	if err != nil {
		return err
	}
	if kind != "" {
		f.Type = kind
	}
	w.logFailure("", f, e)
	if err := post(f); err != nil {
		return fmt.Errorf("%w; and it could not be reported: %w", e, err)
	}
	return e
}

// setTrace tells tracers about the event's trace, where there is one event at
// a time.
func (r *runner) setTrace(id string) error {
	if r.concurrency > 1 || id == r.traceID {
		return nil
	}
	r.traceID = id
	return r.setenv("_X_AMZN_TRACE_ID", id)
}

// exit ends the process as Lambda expects it after err.
func exit(err error) {
	if err != nil {
		log.Fatal(err)
	}
	os.Exit(0)
}
