// Package launcher makes execution environments for versions: it finds the
// code, the runtime and a sandbox, mints the credentials, builds the
// variables, and gives everything back when the environment closes.
package launcher

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/lambhq/lamb/internal/auth"
	"github.com/lambhq/lamb/internal/clock"
	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/pool"
	"github.com/lambhq/lamb/internal/rolecreds"
	"github.com/lambhq/lamb/internal/runtimes"
	"github.com/lambhq/lamb/internal/sandbox"
)

// maxFiles is the number of open files a function may have, as on AWS;
// maxProcesses the number of its processes and threads.
const (
	maxFiles     = 1024
	maxProcesses = 1024
	// maxFilesMany is that of functions that serve several invocations at once.
	maxFilesMany = 4096
)

// Config is what a Launcher is made from. All but Clock and Log are required;
// OtherEndpoint may be empty.
type Config struct {
	// Code is where the code of versions is.
	Code      Code
	Runtimes  *runtimes.Resolver
	Sandboxes sandbox.Provider
	Keyring   *auth.Keyring
	// Access is what the minted credentials may do.
	Access auth.Access
	// InitLimit is how long an init may take; what AWS gives the kind of
	// initialization when zero.
	InitLimit time.Duration
	// Logs makes the destination of one environment's log.
	Logs func(v *function.Version, stream string) execenv.Logs
	// Roles has the credentials of roles whose source the operator has named;
	// nil mints all.
	Roles *rolecreds.Sources
	// Mounts are further folders of every environment; see sandbox.Spec.
	Mounts []sandbox.Mount
	// LambdaEndpoint is where functions reach the Lambda API, OtherEndpoint
	// where the other AWS services are.
	LambdaEndpoint, OtherEndpoint string
	// FreezeAfter, NoCPULimits and Totals: see execenv.Config.
	Totals      *execenv.Totals
	FreezeAfter time.Duration
	NoCPULimits bool
	Clock       clock.Clock
	Log         *slog.Logger
}

// Launcher makes environments.
type Launcher struct {
	cfg     Config
	buffers *envapi.Buffers // of all environments
}

// New makes a Launcher.
func New(cfg Config) *Launcher {
	if cfg.Clock == nil {
		cfg.Clock = clock.System
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Launcher{cfg: cfg, buffers: envapi.NewBuffers()}
}

// environment is an execution environment with what was lent to it.
type environment struct {
	*execenv.Environment
	undo []func()
	// resume is what it is resumed with after its init; nil if it is not.
	resume *execenv.Credentials
}

// Close implements pool.Environment.
func (e *environment) Close() error {
	err := e.Environment.Close()
	e.giveBack()
	return err
}

func (e *environment) giveBack() {
	for i := len(e.undo) - 1; i >= 0; i-- {
		e.undo[i]()
	}
	e.undo = nil
}

// Launch makes an environment for a version; see pool.Config.Launch. What the
// function's owner can mend (no bootstrap, no interpreter, code for another
// processor) is not an error here but a function error of every invocation.
func (l *Launcher) Launch(ctx context.Context, v *function.Version, released func()) (pool.Environment, error) {
	e := &environment{}
	if err := l.launch(ctx, v, initialization(v), e, released); err != nil {
		e.giveBack()
		return nil, fmt.Errorf("launch %s: %w", v.Key.QualifiedARN(v.Version), err)
	}
	return e, nil
}

// launch makes an environment for a version. The function is told the kind of
// initialization by a variable, and subscribers by events: both come from here.
func (l *Launcher) launch(ctx context.Context, v *function.Version, kind execenv.Initialization, e *environment, released func()) error {
	run := v.Runs()
	task, opt, release, err := l.cfg.Code.Folders(ctx, run)
	if err != nil {
		return err
	}
	e.undo = append(e.undo, release)
	extensions, err := externalExtensions(opt)
	if err != nil {
		return err
	}

	rt, failure, err := l.runtime(ctx, run.Config)
	if err != nil {
		return err
	}
	id := newID()
	creds, refresh, err := l.credentials(ctx, id, v, e)
	if err != nil {
		return err
	}
	box, err := l.cfg.Sandboxes.Create(ctx, sandbox.Spec{
		ID: id, Task: task, Opt: opt, Runtime: rt.Dir, Lang: rt.Lang, Mounts: l.cfg.Mounts,
		MemoryMB: run.Config.MemoryMB, TmpMB: run.Config.TmpMB,
		MaxProcesses: maxProcesses, MaxFiles: filesOf(run.Config),
	})
	if err != nil {
		return err
	}
	boot := execenv.Bootstrap{Failure: failure}
	if failure == nil {
		boot = command(rt, run.Config, box.Paths(), task, opt)
	}
	token := ""
	if kind == execenv.SnapStart {
		e.resume, token = &creds, newID()
	}
	stream := streamName(l.cfg.Clock.Now(), v, run.Config)
	e.Environment = execenv.New(execenv.Config{
		ID: id, Version: v, Sandbox: box, Bootstrap: boot,
		Env: execenv.Variables(execenv.VariablesInput{
			Version: v, Paths: box.Paths(), RuntimeAPI: box.Address(), LogStream: stream,
			Language:    rt.Env(box.Paths()),
			Credentials: creds, CredentialsToken: token, Initialization: kind, MaxConcurrency: run.Config.MaxConcurrency,
			LambdaEndpoint: l.cfg.LambdaEndpoint, OtherEndpoint: l.cfg.OtherEndpoint,
		}),
		Initialization: kind, MaxConcurrency: run.Config.MaxConcurrency, Credentials: creds, CredentialsToken: token, Refresh: refresh,
		InitLimit:  l.cfg.InitLimit,
		Extensions: extensions, LogStream: stream,
		Logs:        l.cfg.Logs(v, stream),
		Totals:      l.cfg.Totals,
		Released:    func(*execenv.Environment) { released() },
		Buffers:     l.buffers,
		FreezeAfter: l.cfg.FreezeAfter, NoCPULimits: l.cfg.NoCPULimits,
		Clock: l.cfg.Clock,
		Log:   l.cfg.Log.With("function", v.Key.Name, "version", v.Version, "environment", id),
	})
	return nil
}

// filesOf is how many open files a function may have.
func filesOf(c function.Config) int {
	if c.MaxConcurrency > 0 {
		return maxFilesMany
	}
	return maxFiles
}

// runtime finds the interpreter, or says why there is none.
func (l *Launcher) runtime(ctx context.Context, c function.Config) (*runtimes.Runtime, *execenv.BootstrapFailure, error) {
	rt, err := l.cfg.Runtimes.Resolve(ctx, c.Runtime)
	var missing *runtimes.Error
	switch {
	case errors.As(err, &missing):
		return &runtimes.Runtime{ID: c.Runtime}, &execenv.BootstrapFailure{Type: "Runtime.InvalidEntrypoint", Cause: missing.Text}, nil
	case err != nil:
		return nil, nil, err
	}
	return rt, nil, nil
}

// command is the runtime's command line inside the sandbox. The code and the
// layers are in the folders task and opt here.
func command(rt *runtimes.Runtime, c function.Config, p sandbox.Paths, task, opt string) execenv.Bootstrap {
	if rt.Interpreter == "" {
		return bootstrap(p, task, opt)
	}
	interpreter := filepath.Join(p.Lang, rt.Interpreter)
	program := filepath.Join(p.Runtime, rt.Program)
	if wrapper := c.Environment["AWS_LAMBDA_EXEC_WRAPPER"]; wrapper != "" {
		return execenv.Bootstrap{Path: inside(wrapper, p), Args: []string{interpreter, program}}
	}
	return execenv.Bootstrap{Path: interpreter, Args: []string{program}}
}

// bootstrap is the program of a function that brings its runtime: in its code,
// or else in its layers.
func bootstrap(p sandbox.Paths, task, opt string) execenv.Bootstrap {
	for _, dir := range []struct{ here, inside string }{{task, p.Task}, {opt, p.Opt}} {
		if dir.here == "" {
			continue
		}
		path := filepath.Join(dir.here, "bootstrap")
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			continue
		}
		if why := foreignBinary(path, runtime.GOOS, runtime.GOARCH); why != "" {
			return execenv.Bootstrap{Failure: &execenv.BootstrapFailure{Type: "Runtime.InvalidEntrypoint", Cause: why}}
		}
		return execenv.Bootstrap{Path: filepath.Join(dir.inside, "bootstrap")}
	}
	return execenv.Bootstrap{Failure: execenv.InvalidEntrypoint()}
}

// inside maps a path under AWS's folders to where a sandbox without a file
// system of its own shows them.
func inside(path string, p sandbox.Paths) string {
	for aws, here := range map[string]string{"/var/task/": p.Task, "/opt/": p.Opt} {
		if rest, ok := strings.CutPrefix(path, aws); ok && here != "" {
			return filepath.Join(here, rest)
		}
	}
	return path
}

// streamName names an environment's log stream as the service does.
func streamName(now time.Time, v *function.Version, c function.Config) string {
	name := ""
	if c.Logging.Group != "/aws/lambda/"+v.Key.Name {
		name = v.Key.Name // a group that functions share
	}
	return now.UTC().Format("2006/01/02/") + name + "[" + v.Version + "]" + newID()
}

// newID is 32 random hex digits.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
