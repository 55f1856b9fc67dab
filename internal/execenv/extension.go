package execenv

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/sandbox"
)

// maxExtensions is how many extensions an environment can have, external and
// internal ones together.
const maxExtensions = 10

// extensionState is the state of an extension. The names appear in error
// answers and are those of AWS's emulator.
type extensionState string

const (
	extensionStarted     extensionState = "Started" // its process runs, it has not registered
	extensionRegistered  extensionState = "Registered"
	extensionReady       extensionState = "Ready"
	extensionRunning     extensionState = "Running" // it has an event
	extensionInitError   extensionState = "InitError"
	extensionExitError   extensionState = "ExitError"
	extensionLaunchError extensionState = "LaunchError"
	extensionExited      extensionState = "Exited"
)

// extension is one extension of a life. All but name, external and ended is
// guarded by Environment.mu.
type extension struct {
	name     string
	external bool
	ended    chan struct{} // closed when an external one's process has ended
	// proc is nil for internal ones. An external one may have made calls before
	// it is set.
	proc sandbox.Proc

	id               string // empty until it has registered
	state            extensionState
	invoke, shutdown bool // what it has registered for
	// waiter is its open call of event/next; pending is an event that came when
	// there was none.
	waiter  *envapi.Waiter
	pending *envapi.ExtensionEvent
	errType string // why it failed, by its own account or the platform's
	// told: it has been given SHUTDOWN. acknowledged is closed when it asks for
	// another event after that (Config.NextAcknowledges).
	told         bool
	acknowledged chan struct{}
}

// move is nil when the extension may go from its state to another, and
// otherwise the API's answer, which calls it who.
func (x *extension) move(to extensionState, who string, from ...extensionState) *envapi.Error {
	if slices.Contains(from, x.state) {
		return nil
	}
	return &envapi.Error{Status: 403, Type: "Extension.InvalidExtensionState", Message: fmt.Sprintf(
		"State transition from %s to %s failed for extension %s. Error: State transition is not allowed", x.state, to, who)}
}

// busy reports whether the invocation in flight has to wait for it.
func (x *extension) busy() bool {
	return x.state == extensionRunning || x.pending != nil
}

// failed reports whether it may make no call any more.
func (x *extension) failed() bool {
	return x.state != extensionRegistered && x.state != extensionReady && x.state != extensionRunning
}

// events are the names of what it has registered for.
func (x *extension) events() []string {
	names := []string{}
	if x.invoke {
		names = append(names, "INVOKE")
	}
	if x.shutdown {
		names = append(names, "SHUTDOWN")
	}
	return names
}

// take makes ev what the extension gets next. The returned waiter, if there is
// one, is to be answered with ev when mu is free.
func (x *extension) take(ev *envapi.ExtensionEvent) *envapi.Waiter {
	w := x.waiter
	if w == nil {
		x.pending = ev
		return nil
	}
	x.waiter, x.state = nil, extensionRunning
	return w
}

// hand answers an extension's waiting call. If the connection has gone, the
// extension gets the event when it asks again.
func (e *Environment) hand(x *extension, w *envapi.Waiter, ev *envapi.ExtensionEvent) {
	if w.DeliverExtension(ev) == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if x.state != extensionRunning {
		return
	}
	x.state = extensionReady
	if again := x.take(ev); again != nil {
		e.wg.Go(func() { e.hand(x, again, ev) })
	}
}

// startExtensions starts the external extensions of a life, all at once, and
// waits until they have registered. It reports whether the init goes on.
func (e *Environment) startExtensions(l *life) bool {
	if len(e.cfg.Extensions) == 0 {
		return true
	}
	e.mu.Lock()
	for _, name := range e.cfg.Extensions {
		l.extensions = append(l.extensions, &extension{name: name, external: true, ended: make(chan struct{}), acknowledged: make(chan struct{}), state: extensionStarted})
	}
	all := slices.Clone(l.extensions)
	e.mu.Unlock()
	for i, x := range all {
		if err := e.startExtension(l, x, i); err != nil {
			e.cfg.Log.Warn("extension did not start", "extension", x.name, "err", err)
			e.mu.Lock()
			x.state = extensionLaunchError
			var cause string
			cause, x.errType = launchError(x.name, err)
			e.endInitLocked(l, failure{errType: errTypeExtensionLaunch, cause: cause})
			e.mu.Unlock()
			return false
		}
	}
	return l.awaitExtensions()
}

// awaitExtensions waits until the external extensions have registered, or the
// init has failed, and reports whether they have. The runtime is started after
// that; one that somebody else has started, and that asks for an event before,
// must not keep them from registering.
func (l *life) awaitExtensions() bool {
	select {
	case <-l.registered:
		return true
	case <-l.done:
		return false
	}
}

// errTooManyExtensions is why an extension is not started; AWS's callers see
// its text.
var errTooManyExtensions = errors.New("ErrTooManyExtensions")

// startExtension starts the process of one external extension.
func (e *Environment) startExtension(l *life, x *extension, index int) error {
	if index >= maxExtensions {
		return errTooManyExtensions
	}
	out, errs := e.book.extensionStreams()
	proc, err := e.cfg.Sandbox.Start(e.ctx, sandbox.Process{
		Path: filepath.Join(e.cfg.Sandbox.Paths().Opt, "extensions", x.name), Env: extensionVariables(e.cfg.Env),
		Dir: "/", Stdout: out, Stderr: errs,
	})
	if err != nil {
		return err
	}
	e.mu.Lock()
	x.proc = proc
	e.mu.Unlock()
	e.wg.Go(func() {
		<-proc.Done()
		e.extensionEnded(l, x, proc.Exit())
	})
	return nil
}

// launchError words why an extension could not be started, as AWS does: for the
// caller, and as the error type of the extension's state.
func launchError(name string, err error) (cause, errType string) {
	if errors.Is(err, errTooManyExtensions) {
		return err.Error(), "TooManyExtensions"
	}
	errType = "UnknownError"
	if errors.Is(err, fs.ErrPermission) {
		errType = "PermissionDenied"
	}
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		err = errno // without what only the operator should know
	}
	return "fork/exec /opt/extensions/" + name + ": " + err.Error(), errType
}

// extensionEnded handles the end of an external extension's process. That it
// ends at all before it is asked to is an error.
func (e *Environment) extensionEnded(l *life, x *extension, exit sandbox.Exit) {
	cause := exit.String()
	if cause == "" {
		cause = "exit code 0"
	}
	e.mu.Lock()
	if e.phase >= phaseResetting {
		x.state = extensionExited
	}
	close(x.ended)
	e.failLocked(l, failure{errType: x.fatal(), cause: cause})
}

// fatal is the error type of an environment that has failed because of x.
func (x *extension) fatal() string {
	switch x.state {
	case extensionInitError:
		return errTypeExtensionInit
	case extensionExitError:
		return errTypeExtensionExit
	}
	return errTypeExtensionCrash
}

// handing is an event on its way to an extension.
type handing struct {
	x  *extension
	w  *envapi.Waiter
	ev *envapi.ExtensionEvent
}

// announceLocked makes the invocation known to the extensions that asked for
// it: from here on it is not over before they have done with it. The result is
// for handAll, when mu is free and the runtime has its event.
func (e *Environment) announceLocked(inv *Invocation) []handing {
	if e.life == nil || len(e.life.extensions) == 0 {
		return nil
	}
	var (
		all  []handing
		body = invokeEvent(&inv.Event)
	)
	for _, x := range e.life.extensions {
		if !x.invoke || x.failed() {
			continue
		}
		inv.told = true
		ev := &envapi.ExtensionEvent{ID: newUUID(), Body: body}
		if w := x.take(ev); w != nil {
			all = append(all, handing{x, w, ev})
		}
	}
	return all
}

func (e *Environment) handAll(all []handing) {
	for _, h := range all {
		e.hand(h.x, h.w, h.ev)
	}
}

// invokeEvent is the event that extensions get; the payload is not for them.
func invokeEvent(ev *envapi.Event) []byte {
	type tracing struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	}
	event := struct {
		EventType  string   `json:"eventType"`
		DeadlineMs int64    `json:"deadlineMs"`
		RequestID  string   `json:"requestId"`
		ARN        string   `json:"invokedFunctionArn"`
		Tracing    *tracing `json:"tracing,omitempty"`
	}{EventType: "INVOKE", DeadlineMs: ev.DeadlineMs, RequestID: ev.RequestID, ARN: ev.InvokedARN}
	if ev.TraceID != "" {
		event.Tracing = &tracing{"X-Amzn-Trace-Id", ev.TraceID}
	}
	b, _ := json.Marshal(event) // strings and a number always marshal
	return b
}

// notForExtensions are the runtime's variables that external extensions do not
// get; neither do they get any whose name begins with an underscore.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
var notForExtensions = []string{
	"AWS_EXECUTION_ENV", maxConcurrencyVariable, "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
	"AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
}

// extensionVariables are the variables of external extensions.
func extensionVariables(runtime []string) []string {
	var vars []string
	for _, kv := range runtime {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "_") && !slices.Contains(notForExtensions, name) {
			vars = append(vars, kv)
		}
	}
	return vars
}

// newUUID is a random UUID (version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
