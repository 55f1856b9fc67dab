//go:build unix

package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/hostfs"
	"github.com/lambhq/lamb/internal/sandbox/live"
	"github.com/lambhq/lamb/internal/sandbox/loopback"
	"github.com/lambhq/lamb/internal/sandbox/output"
)

// box is a process sandbox.
type box struct {
	provider *Provider
	spec     sandbox.Spec

	// Constant after open.
	dir      string
	paths    sandbox.Paths
	listener net.Listener
	address  string
	group    group

	life *live.Life

	outputs *output.Set
}

var (
	_ sandbox.Sandbox = (*box)(nil)
	_ sandbox.Dialer  = (*box)(nil)
)

func newBox(p *Provider, spec sandbox.Spec) *box {
	return &box{provider: p, spec: spec, life: live.NewLife(spec.ID), outputs: output.NewSet(p.buffers)}
}

// open makes what the sandbox consists of; after an error Close removes what
// was made.
func (b *box) open() error {
	b.dir = filepath.Join(b.provider.workDir, b.spec.ID)
	paths, err := makeFolder(b.dir, b.spec)
	if err != nil {
		return err
	}
	b.paths = paths
	if b.listener, err = b.provider.peers.Listen(os.Geteuid()); err != nil {
		return err
	}
	b.address = b.listener.Addr().String()
	b.group, err = b.provider.engine.open()
	return err
}

func (b *box) Paths() sandbox.Paths   { return b.paths }
func (b *box) Listener() net.Listener { return b.listener }
func (b *box) Address() string        { return b.address }

// Start implements sandbox.Sandbox. The context bounds the wait for other
// operations on the sandbox; a start that has begun is carried through.
func (b *box) Start(ctx context.Context, p sandbox.Process) (sandbox.Proc, error) {
	_, release, err := b.life.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Path, err)
	}
	defer release()
	if err = p.Check(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Path, err)
	}
	proc, err := b.start(p)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Path, err)
	}
	return proc, nil
}

func (b *box) start(p sandbox.Process) (sandbox.Proc, error) {
	dir := p.Dir
	if dir == "" {
		dir = b.paths.Task
	}
	out, err := b.outputs.Open(p.Stdout, p.Stderr)
	if err != nil {
		return nil, err
	}
	defer out.CloseWriters()
	// Before the program runs: what it writes first may be asked for at once.
	out.Start()
	proc, err := b.group.start(program{
		path:     p.Path,
		argv:     append([]string{p.Path}, p.Args...),
		env:      p.Env,
		dir:      dir,
		maxFiles: b.spec.MaxFiles,
		stdout:   out.Stdout,
		stderr:   out.Stderr,
		logs:     p.LogDescriptor,
		extra:    p.ExtraFiles,
	})
	if err != nil {
		return nil, explainStart(p.Path, dir, err)
	}
	return proc, nil
}

// Flush implements sandbox.Sandbox.
func (b *box) Flush() { b.outputs.Flush() }

// Freeze implements sandbox.Sandbox.
func (b *box) Freeze(ctx context.Context) error {
	return b.life.Exclusively(ctx, "freeze", func(ctx context.Context) error { return b.group.freeze(ctx) })
}

// Thaw implements sandbox.Sandbox.
func (b *box) Thaw(ctx context.Context) error {
	return b.life.Exclusively(ctx, "thaw", func(ctx context.Context) error { return b.group.thaw(ctx) })
}

// Kill implements sandbox.Sandbox. What the processes had written is handed to
// their writers before it returns.
func (b *box) Kill(ctx context.Context) error {
	return b.life.Exclusively(ctx, "kill", func(ctx context.Context) error {
		if err := b.group.kill(ctx); err != nil {
			return err
		}
		return b.outputs.FinishWithin(ctx)
	})
}

// Dial implements sandbox.Dialer: the sandbox's loopback is the host's.
func (b *box) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = b.life.Beside(ctx, "dial into", func(ctx context.Context) (err error) {
		conn, err = loopback.Dial(ctx, network, address)
		return err
	})
	return conn, err
}

// Usage implements sandbox.Sandbox.
func (b *box) Usage() (sandbox.Usage, error) {
	if b.life.Ended().Err() != nil {
		return sandbox.Usage{}, fmt.Errorf("usage of sandbox %s: %w", b.spec.ID, sandbox.ErrClosed)
	}
	u, err := b.group.usage()
	if err != nil {
		return sandbox.Usage{}, fmt.Errorf("usage of sandbox %s: %w", b.spec.ID, err)
	}
	return u, nil
}

// Close implements sandbox.Sandbox. It waits for a Write under way to return:
// the outputs' writers are not called after it.
func (b *box) Close() error { return b.life.End(b.close) }

func (b *box) close() error {
	var errs []error
	if b.group != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		errs = append(errs, b.group.kill(ctx))
	}
	if b.listener != nil {
		if err := b.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	b.outputs.Finish()
	if b.group != nil {
		b.group.release()
	}
	if b.dir != "" {
		errs = append(errs, hostfs.RemoveTree(b.dir))
	}
	b.provider.boxes.Forget(b.spec.ID)
	return errors.Join(errs...)
}

// proc is a started program, on every platform.
type proc struct {
	done   chan struct{} // closed when exit is set
	exit   sandbox.Exit  // valid after done is closed
	signal func(syscall.Signal) error
}

var _ sandbox.Proc = (*proc)(nil)

func (p *proc) Done() <-chan struct{} { return p.done }
func (p *proc) Exit() sandbox.Exit    { return p.exit }

// Signal implements sandbox.Proc.
func (p *proc) Signal(sig syscall.Signal) error {
	if sig <= 0 {
		return fmt.Errorf("signal %d: %w", int(sig), os.ErrInvalid)
	}
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := p.signal(sig); err != nil {
		return fmt.Errorf("send %s: %w", sig, err)
	}
	return nil
}

func (p *proc) finish(exit sandbox.Exit) {
	p.exit = exit
	close(p.done)
}

// exitOf translates what wait(2) reports.
func exitOf(status syscall.WaitStatus) sandbox.Exit {
	if status.Signaled() {
		return sandbox.Exit{Code: -1, Signal: status.Signal()}
	}
	return sandbox.Exit{Code: status.ExitStatus()}
}
