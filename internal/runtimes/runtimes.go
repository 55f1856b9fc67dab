// Package runtimes knows how a function's runtime identifier becomes a program
// to start: it brings lamb's own runtime programs for Python and Node.js
// (embedded, unpacked on first use) and finds the interpreter for them on the
// host. It starts nothing but short questions to interpreters, imports nothing
// of execution environments, and does all of its work on the first use of a
// runtime, never when lamb starts.
//
//	runtime id ─▶ configured? ─▶ exact version on this host? ─▶ nearest, with a warning
//	                                │ candidates: PATH, version managers, the usual folders;
//	                                ▼ each is asked once for its version and prefix
//	                          Runtime{Lang, Interpreter, Dir, Program}
package runtimes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/clock"
)

// DefaultRetry is how long a failed resolution is remembered, so that a burst
// of invocations does not search the disk again for each of them.
const DefaultRetry = 5 * time.Second

// DefaultInexact is how long another version than the one asked for is
// remembered: who follows the warning and installs it need not restart lamb.
const DefaultInexact = time.Minute

// DefaultProbeTimeout bounds one question to an interpreter. Version managers'
// wrappers are shell scripts and take a good part of a second on a busy host.
const DefaultProbeTimeout = 10 * time.Second

// What an Error is about, for errors.Is.
var (
	// ErrNotSupported: lamb has no runtime program for this identifier.
	ErrNotSupported = errors.New("runtime is not supported")
	// ErrNotInstalled: no interpreter on this host can run it.
	ErrNotInstalled = errors.New("interpreter is not installed")
)

// Error is a failed resolution in words for the function's owner.
type Error struct {
	Runtime string // the identifier asked for
	Text    string // a sentence that says what is missing and what to do
	Kind    error  // ErrNotSupported or ErrNotInstalled
}

func (e *Error) Error() string { return e.Text }

// Unwrap returns Kind.
func (e *Error) Unwrap() error { return e.Kind }

// Options configures a Resolver.
type Options struct {
	// Path holds the folders of PATH, in order.
	Path []string
	// Interpreters maps a runtime identifier ("python3.12") or a family
	// ("python", "nodejs") to the path of an interpreter. What is configured is
	// used, even if its version is another one; then with a warning.
	Interpreters map[string]string
	// SDKDir holds the AWS SDKs that functions can import without bringing
	// them: SDKDir/python and SDKDir/nodejs/node_modules. Empty: whatever the
	// interpreter finds by itself, and npm's global folder.
	SDKDir string
	// Dir is where the embedded programs are unpacked; it is created.
	Dir string
	// Home is where version managers are looked for; empty means the user's
	// home folder.
	Home string
	// Getenv reads the environment (PYENV_ROOT, NVM_DIR, ...); nil means os.Getenv.
	Getenv func(string) string
	// SystemDirs are searched after Path; nil means the usual folders of the
	// platform.
	SystemDirs []string
	// Clock times the Retry window; nil means the machine's.
	Clock clock.Clock
	// Retry replaces DefaultRetry if positive.
	Retry time.Duration
	// ProbeTimeout replaces DefaultProbeTimeout if positive.
	ProbeTimeout time.Duration
	// Log gets a warning when a runtime is not exact; nil discards.
	Log *slog.Logger
}

// Runtime is how to start functions of one runtime identifier. It is
// immutable and shared.
type Runtime struct {
	ID     string // as asked for, "python3.12"
	Family string // "python", "nodejs" or "provided"
	// Lang is the interpreter's prefix on the host ("/usr",
	// "/home/u/.pyenv/versions/3.12.1"): sandbox.Spec.Lang. Empty for
	// provided.*.
	Lang string
	// Interpreter is the interpreter's path relative to Lang. Empty for
	// provided.*, which start the function's own bootstrap.
	Interpreter string
	// Dir is the host folder with lamb's runtime program:
	// sandbox.Spec.Runtime and LAMBDA_RUNTIME_DIR. Empty for provided.*.
	Dir string
	// Program is the runtime program's path relative to Dir. The interpreter
	// is started with it as the only argument.
	Program string
	// Version is the interpreter's own, "3.12.1"; empty for provided.*.
	Version string
	// Exact tells whether Version is of the series that ID names. When it is
	// not, Warning is a sentence about it.
	Exact   bool
	Warning string

	series   int      // that the ID names: 12 for python3.12, 20 for nodejs20.x
	actual   int      // of the interpreter found
	sdkPaths []string // host folders with SDKs, last in the search path
}

// Resolver finds runtimes. Its methods may be called from several goroutines.
type Resolver struct {
	opts Options
	log  *slog.Logger

	mu      sync.Mutex // guards the maps, not what is in them
	entries map[string]*entry
	probes  map[probeKey]*interpreter
}

// entry is one identifier's resolution.
type entry struct {
	// turn holds one token: who has it may search and may touch the rest. A
	// channel, because waiting for it must end with the waiter's context.
	turn    chan struct{}
	runtime *Runtime
	err     error
	at      time.Time // when runtime or err was found
	warned  string    // the last warning that was logged
}

// New returns a Resolver; nothing is searched or unpacked yet.
func New(opts Options) *Resolver {
	if opts.Getenv == nil {
		opts.Getenv = os.Getenv
	}
	if opts.Home == "" {
		opts.Home, _ = os.UserHomeDir() // without one, version managers are not found
	}
	if opts.SystemDirs == nil {
		opts.SystemDirs = systemDirs()
	}
	if opts.Clock == nil {
		opts.Clock = clock.System
	}
	if opts.Retry <= 0 {
		opts.Retry = DefaultRetry
	}
	if opts.ProbeTimeout <= 0 {
		opts.ProbeTimeout = DefaultProbeTimeout
	}
	log := opts.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Resolver{
		opts:    opts,
		log:     log,
		entries: map[string]*entry{},
		probes:  map[probeKey]*interpreter{},
	}
}

// Resolve returns how to start functions of a runtime identifier. A success is
// remembered for as long as the interpreter exists, one of another version for
// a minute, a failure for a few seconds; simultaneous callers share one search. An *Error says in words why
// there is no such runtime here; any other error is the host's.
func (r *Resolver) Resolve(ctx context.Context, runtimeID string) (*Runtime, error) {
	id, err := parseID(runtimeID)
	if err != nil {
		return nil, err
	}
	if id.lang == nil {
		return &Runtime{ID: runtimeID, Family: id.family, Exact: true}, nil
	}
	e := r.entry(runtimeID)
	select {
	case <-e.turn:
	case <-ctx.Done():
		return nil, fmt.Errorf("resolving runtime %s: %w", runtimeID, ctx.Err())
	}
	defer func() { e.turn <- struct{}{} }()
	age := r.opts.Clock.Now().Sub(e.at)
	if e.runtime != nil && (e.runtime.Exact || age < DefaultInexact) && e.runtime.exists() {
		return e.runtime, nil
	}
	if e.err != nil && age < r.opts.Retry {
		return nil, e.err
	}
	e.runtime, e.err = nil, nil
	found, err := r.resolve(ctx, id)
	if err != nil {
		if ctx.Err() == nil { // a caller who gave up proves nothing
			e.err, e.at = err, r.opts.Clock.Now()
		}
		return nil, err
	}
	e.runtime, e.at = found, r.opts.Clock.Now()
	if found.Warning != "" && found.Warning != e.warned {
		e.warned = found.Warning
		r.log.Warn(found.Warning, "runtime", found.ID, "version", found.Version, "prefix", found.Lang)
	}
	return found, nil
}

func (r *Resolver) entry(runtimeID string) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[runtimeID]
	if e == nil {
		e = &entry{turn: make(chan struct{}, 1)}
		e.turn <- struct{}{}
		r.entries[runtimeID] = e
	}
	return e
}

func (r *Resolver) resolve(ctx context.Context, id identifier) (*Runtime, error) {
	found, err := r.choose(ctx, id)
	if err != nil {
		return nil, err
	}
	dir, err := r.unpack(ctx, id.lang, found)
	if err != nil {
		return nil, fmt.Errorf("unpacking the runtime program of %s: %w", id.text, err)
	}
	rt := &Runtime{
		ID:          id.text,
		Family:      id.family,
		Lang:        found.prefix,
		Interpreter: found.rel,
		Dir:         dir,
		Program:     id.lang.program,
		Version:     found.version.String(),
		series:      id.series,
		actual:      id.lang.series(found.version),
		sdkPaths:    r.sdkPaths(id.lang, found),
	}
	rt.Exact = rt.actual == rt.series
	if !rt.Exact {
		why := "no " + id.lang.describe(id.series) + " on this host"
		if key, path := r.configured(id); path != "" {
			why = path + " is configured for " + key
		}
		rt.Warning = fmt.Sprintf("%s: %s functions run on %s %s", why, id.text, id.lang.title, rt.Version)
	}
	return rt, nil
}

// exists tells whether the interpreter and the program are still there.
func (rt *Runtime) exists() bool {
	for _, p := range []string{filepath.Join(rt.Lang, rt.Interpreter), filepath.Join(rt.Dir, rt.Program)} {
		if _, err := os.Stat(p); err != nil {
			return false
		}
	}
	return true
}
