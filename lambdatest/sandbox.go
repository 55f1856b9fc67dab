package lambdatest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/loopback"
	"github.com/lambhq/lamb/internal/sandbox/process"
)

// leaveTime is how long box.Close waits for goroutines that were killed, so
// that a test that ends finds none of those that heed their context.
const leaveTime = time.Second

// bootstrapPath is how the engine calls the runtime's program here.
const bootstrapPath = "/var/task/bootstrap"

// box is the sandbox of an environment: goroutines, and processes where there
// is a program for one.
type box struct {
	cfg      *Config
	listener net.Listener
	tell     func() // that there is another program, or call
	calls    calls

	provider  sandbox.Provider // nil without processes, like processes
	processes sandbox.Sandbox
	opt       string // Config.Isolate: the folder that processes see as /opt

	mu      sync.Mutex
	closed  bool
	starts  map[string]int // by name
	running map[sandbox.Proc]struct{}
	copied  map[string]string // what is in opt, and what it is a copy of
	left    []*goroutine      // killed ones that had not returned
}

var (
	_ sandbox.Sandbox    = (*box)(nil)
	_ sandbox.Dialer     = (*box)(nil)
	_ sandbox.CPULimiter = (*box)(nil)
)

func newBox(cfg *Config, tell func()) (*box, error) {
	b := &box{cfg: cfg, tell: tell, starts: make(map[string]int), running: make(map[sandbox.Proc]struct{}), copied: make(map[string]string)}
	var err error
	if b.listener, err = net.Listen("tcp", cfg.Listen); err != nil {
		return nil, err
	}
	if cfg.RecordCalls {
		b.calls.tell = tell
		b.listener = &tapped{Listener: b.listener, calls: &b.calls}
	}
	if !cfg.has(Program.isProcess) {
		return b, nil
	}
	open, spec := b.openProcesses, sandbox.Spec{ID: "test", Task: cfg.Code}
	if cfg.Isolate {
		open = b.isolate
	}
	if err := open(spec); err != nil {
		return nil, errors.Join(err, b.closeProcesses(), b.listener.Close())
	}
	return b, nil
}

// openProcesses makes the sandbox for processes, without isolation.
func (b *box) openProcesses(spec sandbox.Spec) (err error) {
	if b.provider, err = process.New(process.Config{}); err != nil {
		return err
	}
	b.processes, err = b.provider.Create(context.Background(), spec)
	return err
}

// closeProcesses gives back what there is of the sandbox for processes.
func (b *box) closeProcesses() error {
	var errs []error
	if b.processes != nil {
		errs = append(errs, b.processes.Close())
	}
	if b.provider != nil {
		errs = append(errs, b.provider.Close())
	}
	if b.opt != "" {
		errs = append(errs, os.RemoveAll(b.opt))
	}
	return errors.Join(errs...)
}

// Paths implements sandbox.Sandbox: AWS's names, which goroutines are told; for
// processes they are this machine's.
func (b *box) Paths() sandbox.Paths {
	p := sandbox.Paths{Task: "/var/task", Opt: "/opt", Tmp: "/tmp"}
	switch {
	case b.processes != nil:
		p.Task, p.Tmp = b.processes.Paths().Task, b.processes.Paths().Tmp
	case b.cfg.has(Program.isAttached):
		p.Task = b.cfg.Code
	}
	return p
}

// Listener implements sandbox.Sandbox.
func (b *box) Listener() net.Listener { return b.listener }

// Address implements sandbox.Sandbox.
func (b *box) Address() string { return b.listener.Addr().String() }

// Start implements sandbox.Sandbox.
func (b *box) Start(ctx context.Context, p sandbox.Process) (sandbox.Proc, error) {
	name := filepath.Base(p.Path)
	program := b.cfg.Runtime
	if isExtension(p) {
		program = b.cfg.program(name)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, sandbox.ErrClosed
	}
	program = program.take(b.starts[name])
	b.starts[name]++
	proc, err := b.start(ctx, program, name, p)
	if err == nil {
		b.running[proc] = struct{}{}
		b.tell()
	}
	return proc, err
}

// isExtension tells whether the engine starts an extension, or else the runtime.
func isExtension(p sandbox.Process) bool { return filepath.Base(filepath.Dir(p.Path)) == "extensions" }

func (b *box) start(ctx context.Context, program Program, name string, p sandbox.Process) (sandbox.Proc, error) {
	switch {
	case program.run != nil:
		return startGoroutine(program.run, &Process{
			Name: name, Endpoint: b.Address(), Env: p.Env, Stdout: p.Stdout, Stderr: p.Stderr,
		}), nil
	case program.attached:
		return newAttached(name), nil
	}
	path, err := b.find(program.path, name, isExtension(p))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", notStarted(err), err)
	}
	p.Path, p.Args, p.ExtraFiles = path, append(program.args, p.Args...), program.files
	return b.processes.Start(ctx, p)
}

// find is the path of a program as processes see it.
func (b *box) find(program, name string, extension bool) (string, error) {
	switch {
	case b.opt == "":
		return lookPath(program)
	case extension:
		name = filepath.Join("extensions", name)
	}
	return b.inside(program, name)
}

// lookPath is the absolute path of a program of this machine.
func lookPath(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// notStarted is the sandbox's error for a program that was not found.
func notStarted(err error) error {
	if errors.Is(err, os.ErrPermission) {
		return sandbox.ErrNotExecutable
	}
	return sandbox.ErrNotFound
}

// Flush implements sandbox.Sandbox; what goroutines write needs none.
func (b *box) Flush() {
	if b.processes != nil {
		b.processes.Flush()
	}
}

// Freeze implements sandbox.Sandbox: processes stop.
func (b *box) Freeze(ctx context.Context) error {
	err := b.passToAttached(syscall.SIGSTOP)
	switch {
	case b.processes == nil:
	case b.provider.Fingerprint().Freeze:
		err = errors.Join(err, b.processes.Freeze(ctx))
	default:
		err = errors.Join(err, b.signalProcesses(syscall.SIGSTOP))
	}
	return err
}

// Thaw implements sandbox.Sandbox.
func (b *box) Thaw(ctx context.Context) error {
	err := b.passToAttached(syscall.SIGCONT)
	switch {
	case b.processes == nil:
	case b.provider.Fingerprint().Freeze:
		err = errors.Join(err, b.processes.Thaw(ctx))
	default:
		err = errors.Join(err, b.signalProcesses(syscall.SIGCONT))
	}
	return err
}

// signalProcesses is for a provider that cannot freeze: the process groups of
// the programs are told.
func (b *box) signalProcesses(sig syscall.Signal) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for p := range b.running {
		switch p.(type) {
		case *goroutine, *attached:
		default:
			errs = append(errs, p.Signal(sig))
		}
	}
	return errors.Join(errs...)
}

// Kill implements sandbox.Sandbox.
func (b *box) Kill(ctx context.Context) error {
	var errs []error
	b.mu.Lock()
	for p := range b.running {
		if g, ok := p.(*goroutine); ok {
			b.left = append(b.left, g)
			g.end(sandbox.Exit{Code: -1, Signal: syscall.SIGKILL})
		}
		if a, ok := p.(*attached); ok {
			errs = append(errs, a.Signal(syscall.SIGKILL))
		}
	}
	clear(b.running)
	b.mu.Unlock()
	if b.processes != nil {
		errs = append(errs, b.processes.Kill(ctx))
	}
	return errors.Join(errs...)
}

// Usage implements sandbox.Sandbox. The memory of goroutines is the test's.
func (b *box) Usage() (sandbox.Usage, error) {
	if b.processes == nil {
		return sandbox.Usage{}, nil
	}
	return b.processes.Usage()
}

// LimitCPU implements sandbox.CPULimiter, for isolated processes.
func (b *box) LimitCPU(ctx context.Context, limited bool) error {
	if cpu, ok := b.processes.(sandbox.CPULimiter); ok {
		return cpu.LimitCPU(ctx, limited)
	}
	return nil
}

// Dial implements sandbox.Dialer.
func (b *box) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return loopback.Dial(ctx, network, address)
}

// Close implements sandbox.Sandbox.
func (b *box) Close() error {
	b.mu.Lock()
	first := !b.closed
	b.closed = true
	b.mu.Unlock()
	if !first {
		return nil
	}
	return errors.Join(b.Kill(context.Background()), b.listener.Close(), b.closeProcesses())
}

// stragglers waits for the goroutines that were killed, and is the number of
// those that have not returned.
func (b *box) stragglers() int {
	limit := time.NewTimer(leaveTime)
	defer limit.Stop()
	n := 0
	for _, g := range b.left {
		select {
		case <-g.gone:
			continue
		default:
		}
		select {
		case <-g.gone:
		case <-limit.C:
			limit.Reset(0)
			n++
		}
	}
	return n
}
