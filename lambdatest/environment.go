package lambdatest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/function"
)

// Environment is one execution environment. Its methods may be called from any
// goroutine of the test; those that say so end the test, which is to be done
// from its own goroutine only.
type Environment struct {
	t       TB
	cfg     Config
	version *function.Version
	box     *box
	engine  *execenv.Environment
	vars    []string
	journal *journal

	// ctx ends when the environment is closed; wg counts its goroutines.
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	initDone   chan struct{}
	initResult InitResult // valid after initDone
	initErr    error

	mu    sync.Mutex
	queue []*Invocation // not handed to the engine yet
	all   []*Invocation
	work  chan struct{} // has a token when queue may not be empty
}

// New makes an environment and begins its init. It is closed with the test,
// whose log has the function's if the test has failed. A configuration that
// cannot be ends the test.
func New(t TB, cfg Config) *Environment {
	t.Helper()
	cfg.setDefaults()
	if err := cfg.check(); err != nil {
		t.Fatalf("lambdatest: %v", err)
	}
	if err := cfg.openCode(t); err != nil {
		t.Fatalf("lambdatest: %v", err)
	}
	journal := newJournal()
	box, err := newBox(&cfg, journal.changes.tell)
	if err != nil {
		t.Fatalf("lambdatest: %v", err)
	}
	e := &Environment{
		t: t, cfg: cfg, version: cfg.version(), box: box, journal: journal,
		initDone: make(chan struct{}), work: make(chan struct{}, 1),
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.vars = execenv.Variables(execenv.VariablesInput{
		Version: e.version, Paths: box.Paths(), RuntimeAPI: box.Address(), LogStream: cfg.LogStream,
		Credentials:    execenv.Credentials{AccessKeyID: "test", SecretAccessKey: "test", SessionToken: "test"},
		Initialization: cfg.initialization(), MaxConcurrency: cfg.Concurrency,
	})
	e.engine = execenv.New(execenv.Config{
		ID: "test", Version: e.version, Sandbox: box, Bootstrap: execenv.Bootstrap{Path: bootstrapPath},
		Initialization: cfg.initialization(), Env: e.vars, Extensions: cfg.extensionNames(),
		LogStream: cfg.LogStream, Events: e.journal, Logs: e.journal, Changed: e.journal.changes.tell,
		InitLimit: cfg.InitTimeout, FreezeAfter: cfg.FreezeAfter, Clock: cfg.engineClock(),
		MaxConcurrency: cfg.Concurrency, NextAcknowledges: true, Log: e.journal.logger(),
		Registration: cfg.Registration, RegistrationHeader: cfg.RegistrationHeader, NoCPULimits: !cfg.Isolate,
	})
	t.Cleanup(e.cleanup)
	e.wg.Go(e.initialise)
	e.wg.Go(e.dispatch)
	// What is attached may ask for an event from here on.
	e.waitFor("the init to begin", func() bool { return e.State().Phase != "Created" })
	return e
}

func (c *Config) check() error {
	if err := c.Runtime.check(); err != nil {
		return fmt.Errorf("Config.Runtime: %w", err)
	}
	for _, x := range c.Extensions {
		if x.Name == "" || x.Name != filepath.Base(x.Name) {
			return fmt.Errorf("Config.Extensions: %q is not the name of a file", x.Name)
		}
		if err := x.Program.check(); err != nil {
			return fmt.Errorf("Config.Extensions: %s: %w", x.Name, err)
		}
	}
	if c.Isolate && !c.has(Program.isProcess) {
		return errors.New("Config.Isolate: no program is a process (Exec), and others cannot be limited")
	}
	for name, value := range c.RegistrationHeader {
		if name == "" || strings.ContainsAny(name, ": \r\n") || strings.ContainsAny(value, "\r\n") {
			return fmt.Errorf("Config.RegistrationHeader: %q: %q is no header", name, value)
		}
	}
	return nil
}

// has tells whether there is a program that is something.
func (c *Config) has(is func(Program) bool) bool {
	return c.Runtime.any(is) || slices.ContainsFunc(c.Extensions, func(x Extension) bool { return x.Program.any(is) })
}

// openCode makes Code an absolute path, of a new folder if it is empty.
func (c *Config) openCode(t TB) (err error) {
	if c.Code == "" {
		c.Code = t.TempDir()
		return os.Chmod(c.Code, 0o755) // isolated processes may have a user of their own
	}
	c.Code, err = filepath.Abs(c.Code)
	return err
}

func (c *Config) extensionNames() []string {
	var names []string
	for _, x := range c.Extensions {
		names = append(names, x.Name)
	}
	return names
}

// InitResult is how an init ended; Err is nil, or why it failed: an *Error. The
// first invocation runs a failed init again.
type InitResult struct {
	Duration time.Duration
	Err      error
	// Payload is the error's JSON, if the runtime has reported one.
	Payload []byte
}

func (e *Environment) initialise() {
	defer close(e.initDone)
	r, err := e.engine.Init()
	e.initResult, e.initErr = InitResult{Duration: r.Duration, Err: initError(r), Payload: r.Payload}, err
	e.journal.changes.tell()
}

// initError is why an init has failed, in the runtime's words if it has some.
func initError(r execenv.InitResult) error {
	var reported struct {
		ErrorMessage string `json:"errorMessage"`
	}
	failed, ok := errors.AsType[*Error](r.Err)
	if !ok || failed.Message != "" || json.Unmarshal(r.Payload, &reported) != nil {
		return r.Err
	}
	return &Error{Type: failed.Type, Message: reported.ErrorMessage}
}

// Init waits for the end of the init that New began. A failed init does not end
// the test; see InitResult.
func (e *Environment) Init() InitResult {
	e.t.Helper()
	e.await("the end of the init", e.initDone)
	if e.initErr != nil {
		e.t.Fatalf("lambdatest: init: %v", e.initErr)
	}
	return e.initResult
}

// Endpoint is the address of the environment's APIs: AWS_LAMBDA_RUNTIME_API.
func (e *Environment) Endpoint() string { return e.box.Address() }

// Environ are the variables of the runtime, "NAME=VALUE", for a process that
// the test starts. (External extensions get fewer.)
func (e *Environment) Environ() []string { return append([]string(nil), e.vars...) }

// Close ends everything, as the test's end does: processes have AWS's time to
// end by themselves, for which a Clock goes on. Invocations that have not been
// answered are failures. It ends the test if something could not be ended.
func (e *Environment) Close() {
	e.t.Helper()
	if err := e.close(); err != nil {
		e.t.Fatalf("lambdatest: close: %v", err)
	}
}

func (e *Environment) close() error {
	if e.cfg.Clock != nil {
		defer e.cfg.Clock.run()()
	}
	err := e.engine.Close()
	e.cancel()
	e.wg.Wait()
	e.box.calls.wg.Wait()
	return err
}

// cleanup is Close at the end of the test, which may have failed.
func (e *Environment) cleanup() {
	if err := e.close(); err != nil {
		e.t.Errorf("lambdatest: close: %v", err)
	}
	if n := e.box.stragglers(); n > 0 {
		e.t.Logf("lambdatest: %d programs of %s go on: they have been killed and heed neither their context nor their connections", n, e.cfg.FunctionName)
	}
	if e.t.Failed() {
		e.t.Logf("log of %s:\n%s%s", e.cfg.FunctionName, e.Log(), e.journal.messages())
	}
}
