// Package server is the composition root: it builds every part of lamb from
// one Config, owns their lifetimes and the order in which they close.
//
//	datadir ▶ store ▶ artifacts ▶ catalog ▶ sandboxes ▶ launcher ▶ pool ▶ invoke ┐
//	                                     └▶ control ──────────────────────────────┴▶ gateway ▶ listener
//
// Close goes the other way: no new connections, the invocations in flight
// come to their end or to the deadline, environments and sandboxes, then what
// holds the records.
package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lambhq/lamb/internal/artifact"
	"github.com/lambhq/lamb/internal/auth"
	"github.com/lambhq/lamb/internal/catalog"
	"github.com/lambhq/lamb/internal/control"
	"github.com/lambhq/lamb/internal/cwlogs"
	"github.com/lambhq/lamb/internal/datadir"
	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/front"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/gateway"
	"github.com/lambhq/lamb/internal/invoke"
	"github.com/lambhq/lamb/internal/launcher"
	"github.com/lambhq/lamb/internal/logs"
	"github.com/lambhq/lamb/internal/metrics"
	"github.com/lambhq/lamb/internal/pool"
	"github.com/lambhq/lamb/internal/runtimes"
	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/relay"
	"github.com/lambhq/lamb/internal/store"
)

// Server is a running lamb.
type Server struct {
	cfg      Config
	listener net.Listener
	front    *front.Server // the listener's connections
	http     *http.Server  // those that front leaves, and functions' own
	inside   *insideListener
	served   chan error // what http.Serve returned
	ready    atomic.Bool

	dir       *datadir.Dir
	db        *store.DB
	artifacts *artifact.Store
	catalog   *catalog.Catalog
	sandboxes sandbox.Provider
	// awaitSandboxes waits for what beginSandboxes began.
	awaitSandboxes func() (sandbox.Provider, error)
	runtimes       *runtimes.Resolver
	console        *console
	logs           *logs.Store // nil: no lines are kept
	control        *control.Control
	launcher       *launcher.Launcher
	pool           *pool.Pool
	invoke         *invoke.Service
	links          *auth.Links
	keyring        *auth.Keyring
	totals         execenv.Totals
	registry       *metrics.Registry

	// undo closes what has been opened, in reverse order; the context ends
	// when invocations in flight have had their time.
	undo []func(ctx context.Context) error
}

// Start builds a server and begins to serve. On an error nothing is left open;
// it is a *ConfigError if cfg is to blame.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg.setDefaults()
	if err := cfg.check(); err != nil {
		return nil, &ConfigError{err}
	}
	s := &Server{cfg: cfg, served: make(chan error, 3), keyring: &auth.Keyring{}, registry: metrics.NewRegistry()}
	for _, open := range []func(context.Context) error{s.listen, s.openDir, s.beginSandboxes, s.openState, s.openExecution, s.openFrontDoor} {
		if err := open(ctx); err != nil {
			return nil, errors.Join(err, s.Close(context.Background()))
		}
	}
	s.warnOfOpenFiles()
	s.ready.Store(true)
	go func() { s.served <- s.front.Serve(s.listener) }()
	go func() { s.served <- s.http.Serve(s.front.Others()) }()
	go func() { s.served <- s.http.Serve(s.inside) }()
	return s, nil
}

func (s *Server) onClose(f func() error) {
	s.undo = append(s.undo, func(context.Context) error { return f() })
}

func (s *Server) onDrain(f func(ctx context.Context) error) { s.undo = append(s.undo, f) }

// listen comes first: a port in use is the most common mistake, and must not
// cost a migration.
func (s *Server) listen(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.cfg.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use by another program: stop it, or choose another address with --listen", s.cfg.Listen)
	}
	if err != nil {
		return err
	}
	s.listener = l
	s.onClose(func() error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return nil
}

// openDir opens the folder of all that lasts.
func (s *Server) openDir(context.Context) (err error) {
	if s.dir, err = openDir(s.cfg); err != nil {
		return err
	}
	s.onClose(s.dir.Close)
	return nil
}

// openState opens what lasts: records, code, and their snapshots.
func (s *Server) openState(ctx context.Context) (err error) {
	if s.db, err = store.Open(ctx, store.Options{Path: s.dir.State(), Log: s.cfg.Log}); err != nil {
		return err
	}
	s.onClose(s.db.Close)
	s.artifacts, err = artifact.Open(artifact.Options{Dir: s.dir.Code(), CacheDir: s.dir.Cache(), Log: s.cfg.Log})
	if err != nil {
		return err
	}
	s.onClose(s.artifacts.Close)
	if s.catalog, err = catalog.Load(ctx, s.db); err != nil {
		return err
	}
	s.onClose(func() error { s.catalog.Close(); return nil })

	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	if key, err = s.db.SetSettingOnce(ctx, "link-key", key); err != nil {
		return err
	}
	s.links, err = auth.NewLinks(key)
	return err
}

func openDir(cfg Config) (*datadir.Dir, error) {
	opts := datadir.Options{Log: cfg.Log}
	if cfg.Ephemeral {
		return datadir.Temporary(opts)
	}
	path := cfg.DataDir
	if path == "" {
		var err error
		if path, err = datadir.Default(); err != nil {
			return nil, err
		}
	}
	return datadir.Open(path, opts)
}

// beginSandboxes opens the sandboxes in the background: they are tried on this
// host, which takes about as long as opening the records does.
func (s *Server) beginSandboxes(context.Context) error {
	ports, err := s.cfg.hostPorts()
	if err != nil {
		return err
	}
	s.inside = newInsideListener()
	s.onClose(s.inside.Close)
	cfg := SandboxConfig{
		Kind: s.cfg.Sandbox, WorkDir: s.dir.Sandboxes(), Stores: append(interpreterStores(), s.dir.Cache()),
		Network: s.cfg.Network, Policy: relay.Policy{HostPorts: ports, LambdaPort: uint16(s.port())},
		Shells:    max(0, s.cfg.Shells),
		LambdaAPI: s.inside.dial, Log: s.cfg.Log,
	}
	open := make(chan struct{})
	var provider sandbox.Provider
	go func() {
		defer close(open)
		provider, err = OpenSandboxes(cfg)
	}()
	s.awaitSandboxes = func() (sandbox.Provider, error) {
		<-open
		return provider, err
	}
	s.onClose(func() error {
		if p, err := s.awaitSandboxes(); err == nil {
			return p.Close()
		}
		return nil // Start has said it, or ends for another reason
	})
	return nil
}

// openExecution opens what runs functions.
func (s *Server) openExecution(context.Context) (err error) {
	if s.sandboxes, err = s.awaitSandboxes(); err != nil {
		return err
	}
	if err := s.cfg.checkIsolation(s.sandboxes.Fingerprint()); err != nil {
		return err
	}
	if err := s.openLogs(); err != nil {
		return err
	}

	s.runtimes = runtimes.New(runtimes.Options{
		Path: filepath.SplitList(os.Getenv("PATH")), Interpreters: s.cfg.Interpreters,
		SDKDir: s.cfg.SDKDir, Dir: filepath.Join(s.dir.Cache(), "runtimes"), Log: s.cfg.Log,
	})
	s.launcher = launcher.New(launcher.Config{
		Code: launcher.Unpacked(s.artifacts), Sandboxes: s.sandboxes, Keyring: s.keyring, Access: s.cfg.Access, Roles: s.cfg.Roles,
		Runtimes:       s.runtimes,
		InitLimit:      s.cfg.InitLimit,
		Logs:           s.functionLogs,
		LambdaEndpoint: s.functionsURL(), OtherEndpoint: s.otherEndpoint(),
		FreezeAfter: s.freezeAfter(), NoCPULimits: s.cfg.NoCPULimits, Totals: &s.totals,
		Log: s.cfg.Log,
	})
	poolCfg := pool.Config{
		Launch: s.launcher.Launch, Limit: s.cfg.Concurrency, KeepAlive: s.cfg.KeepAlive,
		AvailableMemory: availableMemory, MemoryReserve: s.cfg.MemoryReserve, Log: s.cfg.Log,
	}
	if s.cfg.MemoryReserve < 0 {
		poolCfg.AvailableMemory = nil
	}
	s.pool = pool.New(poolCfg)
	s.onDrain(func(ctx context.Context) error {
		if s.pool.Close(ctx) != nil {
			return ErrCutOff
		}
		return nil
	})
	stop := s.catalog.OnChange(func(c store.Change[function.Version]) {
		s.pool.Changed(c.Ref.Key, c.Ref.Qualifier, c.New)
	})
	s.onClose(func() error { stop(); return nil })
	s.invoke = invoke.New(invoke.Config{
		Catalog: s.catalog, Slots: s.pool, Observe: s.metrics().observe, Bandwidth: s.cfg.Bandwidth, Log: s.cfg.Log,
	})
	return nil
}

// metrics registers what is told of invocations and environments.
func (s *Server) metrics() *serverMetrics {
	from := metricSources{Pool: s.pool.Stats, Totals: &s.totals, AvailableMemory: availableMemory, ReservedMemory: s.cfg.MemoryReserve}
	if native, ok := s.sandboxes.(interface{ Ready() int }); ok {
		from.ReadyShells = native.Ready
	}
	if s.logs != nil {
		from.Logs = s.logs.Stats
	}
	return newMetrics(s.registry, from)
}

// openFrontDoor opens the API.
func (s *Server) openFrontDoor(ctx context.Context) error {
	s.control = control.New(control.Config{
		Store: s.db, Artifacts: s.artifacts, CodeLocation: s.codeLocation, FunctionURL: s.functionURL, Log: s.cfg.Log,
		Limits: control.Limits{ConcurrentExecutions: s.cfg.Concurrency}, Activate: s.activate,
	})
	s.control.Start()
	s.onClose(func() error { s.control.Close(); return nil })
	if err := s.artifacts.Collect(ctx, s.db.CodeReferences); err != nil {
		s.cfg.Log.Warn("unused code could not be removed", "err", err)
	}
	metrics.GoRuntime(s.registry, "lamb_")
	metrics.Process(s.registry, "lamb_")
	cloudWatch, err := cwlogs.New(ctx, cwlogs.Config{Records: s.db, Logs: s.logs, Log: s.cfg.Log})
	if err != nil {
		return err
	}
	g, err := gateway.New(gateway.Config{
		Service: s.control, Logs: cloudWatch.Serve,
		Raw: map[string]gateway.RawHandler{
			"Invoke": s.invoke.Serve, "InvokeWithResponseStream": s.invoke.ServeStream,
		},
		FunctionURLs: s.functionURLs(), URLDomain: s.urlDomain(),
		Keyring: s.keyring, Account: s.cfg.Account, Hosts: s.cfg.Hosts, Insecure: s.cfg.Insecure,
		SpoolDir: s.dir.Spool(), Ready: s.ready.Load, Version: s.cfg.Version, Registry: s.registry,
		Views: map[string]gateway.View{"environments": s.environments},
		Links: s.links, Code: s.openCode, Log: s.cfg.Log,
	})
	if err != nil {
		return err
	}
	s.http = gateway.NewServer(g, s.cfg.Log)
	s.front = front.New(front.Config{
		Handler: g, Hot: gateway.IsInvoke,
		HeaderTimeout: gateway.HeaderTimeout, IdleTimeout: gateway.IdleTimeout, Log: s.cfg.Log,
	})
	s.onDrain(s.drain)
	return nil
}

// drain ends the front door: no new connections, and the requests that are
// being served come to their end, or to that of ctx. What had to be cut off
// the pool will tell.
func (s *Server) drain(ctx context.Context) error {
	s.ready.Store(false)
	err := s.listener.Close()
	if s.front.Shutdown(ctx) == nil && s.http.Shutdown(ctx) == nil {
		return errors.Join(err, s.front.Close())
	}
	return errors.Join(err, s.http.Close(), s.front.Close())
}

// activate finds a version's interpreter while the function is created, so
// that its first invocation does not look for it. That none is found is
// every invocation's error, not the function's: one may be installed later.
func (s *Server) activate(ctx context.Context, v *function.Version) error {
	if _, err := s.runtimes.Resolve(ctx, v.Config.Runtime); err != nil {
		s.cfg.Log.Warn("function has no runtime here", "function", v.Key.Name, "err", err)
	}
	if v.SnapStarts() {
		return s.snapshot(ctx, v)
	}
	return nil
}

// freezeAfter is how long an environment is idle until it is frozen; zero for
// never.
func (s *Server) freezeAfter() time.Duration {
	if !s.Fingerprint().Freeze {
		return 0
	}
	return execenv.DefaultFreezeAfter
}

// Interpreter is the path of the interpreter that a managed runtime's functions
// run on here. Errors are those of runtimes.Resolver.
func (s *Server) Interpreter(ctx context.Context, runtime string) (string, error) {
	rt, err := s.runtimes.Resolve(ctx, runtime)
	if err != nil {
		return "", err
	}
	return filepath.Join(rt.Lang, rt.Interpreter), nil
}

// Fingerprint says what isolation and limits are in force.
func (s *Server) Fingerprint() sandbox.Fingerprint {
	fp := s.sandboxes.Fingerprint()
	fp.Freeze = fp.Freeze && !s.cfg.NoFreeze
	if fp.CPU && s.cfg.NoCPULimits {
		fp.CPU = false
		fp.Missing = slices.Concat(fp.Missing, []string{"CPU is not limited: --cpu-limits off."})
	}
	return fp
}

// DataDir is where the server keeps its data.
func (s *Server) DataDir() string { return s.dir.Path() }

// Wait returns when ctx ends or the server fails; Close must follow.
func (s *Server) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.served:
		return fmt.Errorf("server stopped: %w", err)
	}
}

// ErrCutOff is returned by Close when invocations had to be cut off.
var ErrCutOff = errors.New("invocations in flight were cut off")

// Close closes everything. Invocations in flight may go on until the drain
// time is over or ctx ends.
func (s *Server) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Drain)
	defer cancel()
	var errs []error
	for i := len(s.undo) - 1; i >= 0; i-- {
		errs = append(errs, s.undo[i](ctx))
	}
	s.undo = nil
	return errors.Join(errs...)
}
