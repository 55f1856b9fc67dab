// Package solo runs one version of a function in one execution environment of
// lamb's own engine and sandboxes, without a server: no API, no records, no
// port that others could reach. It is what lamb run is made of.
//
//	Open (folders, sandbox, interpreter) ─▶ Start (init) ─▶ Invoke, Invoke… ─▶ Close
package solo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/lambhq/lamb/internal/artifact"
	"github.com/lambhq/lamb/internal/auth"
	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/launcher"
	"github.com/lambhq/lamb/internal/pack"
	"github.com/lambhq/lamb/internal/pool"
	"github.com/lambhq/lamb/internal/runtimes"
	"github.com/lambhq/lamb/internal/sandbox"
)

// Config is what a Runner is made from.
type Config struct {
	// Version is the function. Its Code and Layers are ignored. Required.
	Version *function.Version
	// Sandboxes opens the provider, which works in a folder; the Runner closes
	// it. untried is said first: the provider need not find out whether sandboxes
	// work here, because where one does not it is opened again without. Required.
	Sandboxes func(workDir string, untried bool) (sandbox.Provider, error)
	// Interpreters and SDKDir: see runtimes.Options.
	Interpreters map[string]string
	SDKDir       string
	// Mounts are further folders of the function; see sandbox.Spec.
	Mounts []sandbox.Mount
	// Logs takes the log lines; nil discards them.
	Logs execenv.Logs
	// Log takes lamb's own messages; nil discards them.
	Log *slog.Logger
}

// Runner has one function's folders and sandbox.
type Runner struct {
	cfg       Config
	dir       string // of everything, removed by Close
	task, opt string
	provider  sandbox.Provider
	untried   bool // the provider is, see Config.Sandboxes
	env       pool.Environment
}

// Open makes the folders and the sandbox; nothing runs yet.
func Open(cfg Config) (*Runner, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := os.MkdirTemp("", "lamb-run-")
	if err != nil {
		return nil, err
	}
	r := &Runner{cfg: cfg, dir: dir, task: filepath.Join(dir, "cache", "task"), opt: filepath.Join(dir, "cache", "opt")}
	// The sandbox's user has to come through.
	err = os.Chmod(dir, 0o755)
	for _, sub := range []string{r.task, r.opt, filepath.Join(dir, "sandboxes")} {
		err = errors.Join(err, os.MkdirAll(sub, 0o755))
	}
	if err == nil {
		err = r.open(true)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Runner) open(untried bool) (err error) {
	r.untried = untried
	r.provider, err = r.cfg.Sandboxes(filepath.Join(r.dir, "sandboxes"), untried)
	return err
}

// Fingerprint says what isolation the function has.
func (r *Runner) Fingerprint() sandbox.Fingerprint { return r.provider.Fingerprint() }

// AddCode puts files where the function's code is; AddLayer puts them where
// layers are, over those of earlier layers.
func (r *Runner) AddCode(files []pack.File) error { return pack.Copy(r.task, files) }

// AddLayer is AddCode for a layer.
func (r *Runner) AddLayer(files []pack.File) error { return pack.Copy(r.opt, files) }

// AddCodeZip and AddLayerZip unpack an archive, which is looked at as lamb
// serve does.
func (r *Runner) AddCodeZip(ctx context.Context, zip string) error {
	return r.unpack(ctx, zip, r.task)
}

// AddLayerZip is AddCodeZip for a layer.
func (r *Runner) AddLayerZip(ctx context.Context, zip string) error {
	return r.unpack(ctx, zip, r.opt)
}

func (r *Runner) unpack(ctx context.Context, zip, to string) (err error) {
	work, err := os.MkdirTemp(r.dir, "unpack-")
	if err != nil {
		return err
	}
	zips, trees := filepath.Join(work, "zips"), filepath.Join(work, "trees")
	if err := errors.Join(os.Mkdir(zips, 0o700), os.Mkdir(trees, 0o755)); err != nil {
		return err
	}
	store, err := artifact.Open(artifact.Options{Dir: zips, CacheDir: trees, Log: r.cfg.Log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	f, err := os.Open(zip)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	pinned, err := store.Add(ctx, f, info.Size())
	if err != nil {
		return fmt.Errorf("%s: %w", zip, err)
	}
	defer pinned.Release()
	tree, err := store.Tree(ctx, pinned.SHA256)
	if err != nil {
		return err
	}
	defer tree.Release()
	files, err := pack.Folder(tree.Path, nil)
	if err != nil {
		return err
	}
	return pack.Copy(to, files)
}

// Folders implements launcher.Code.
func (r *Runner) Folders(context.Context, function.Content) (task, opt string, release func(), err error) {
	entries, err := os.ReadDir(r.opt)
	if len(entries) > 0 {
		opt = r.opt
	}
	return r.task, opt, func() {}, err
}

// Start makes the environment and runs its init; it says how long the two took.
// Failures of the function are no errors: the first invocation tries again, as
// on AWS.
func (r *Runner) Start(ctx context.Context) (launched, initialised time.Duration, err error) {
	began := time.Now()
	env, err := r.launch(ctx)
	if err != nil && r.untried {
		if err := errors.Join(r.provider.Close(), r.open(false)); err != nil {
			return 0, 0, err
		}
		env, err = r.launch(ctx)
	}
	launched = time.Since(began)
	if err != nil {
		return launched, 0, err
	}
	r.env = env
	began = time.Now()
	_, err = env.Init()
	return launched, time.Since(began), err
}

// launch makes the environment.
func (r *Runner) launch(ctx context.Context) (pool.Environment, error) {
	launch := launcher.New(launcher.Config{
		Code: r, Sandboxes: r.provider, Mounts: r.cfg.Mounts, Keyring: &auth.Keyring{}, Access: auth.AccessNone,
		Runtimes: runtimes.New(runtimes.Options{
			Path: filepath.SplitList(os.Getenv("PATH")), Interpreters: r.cfg.Interpreters, SDKDir: r.cfg.SDKDir,
			Dir: filepath.Join(r.dir, "cache", "runtimes"), Log: r.cfg.Log,
		}),
		Logs: func(*function.Version, string) execenv.Logs { return r.cfg.Logs },
		Log:  r.cfg.Log,
	})
	return launch.Launch(ctx, r.cfg.Version, func() {}) // Invoke sees when it is free again
}

// Result is what became of one invocation.
type Result struct {
	execenv.Outcome
	// Answered is how long the caller waited, Finished until the environment
	// was ready for the next event.
	Answered, Finished time.Duration
}

// Invoke runs one event and waits until the environment has done with it.
func (r *Runner) Invoke(ctx context.Context, requestID, traceID string, event []byte, clientContext string) (Result, error) {
	inv := execenv.NewInvocation(envapi.Event{
		RequestID: requestID, InvokedARN: r.cfg.Version.Key.ARN(), TraceID: traceID, ClientContext: clientContext, Body: event,
	}, nil)
	inv.WantLog = true
	began := time.Now()
	if err := r.env.Invoke(inv); err != nil {
		return Result{}, err
	}
	select {
	case <-inv.Answered():
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
	answered := time.Since(began)
	select {
	case <-inv.Finished():
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
	inv.Retire()
	r.env.Freed()
	return Result{Outcome: inv.Outcome(), Answered: answered, Finished: time.Since(began)}, nil
}

// Close ends everything and removes the folders.
func (r *Runner) Close() error {
	var errs []error
	if r.env != nil {
		errs = append(errs, r.env.Close())
	}
	if r.provider != nil {
		errs = append(errs, r.provider.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(r.dir))...)
}
