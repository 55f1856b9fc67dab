package native

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/live"
	"github.com/lambhq/lamb/internal/sandbox/output"
)

// Address is where processes in sandboxes with a network of their own reach
// the Runtime API.
const Address = "169.254.100.1:9001"

// Box is a native sandbox.
type Box struct {
	provider *Provider
	spec     sandbox.Spec
	shell    *shell
	paths    sandbox.Paths
	outputs  *output.Set

	life *live.Life
	// frozen is changed by exclusive operations only.
	frozen bool

	reading sync.WaitGroup
	// dialing holds an element while process 1 is to make a socket.
	dialing chan struct{}

	started atomic.Bool // a program was started: before that, nothing is used

	mu    sync.Mutex // guards what follows
	procs map[int]*proc
	peak  int64 // the most memory that an ended process had, in bytes
	// mark is the group's high-water mark as it was last looked at, cache the
	// most that files had of it, corrected what Usage said.
	mark, cache, corrected int64
	kills                  victims
}

var _ sandbox.Sandbox = (*Box)(nil)

func newBox(p *Provider, spec sandbox.Spec) *Box {
	b := &Box{
		provider: p, spec: spec, life: live.NewLife(spec.ID),
		outputs: output.NewSet(p.buffers), procs: map[int]*proc{},
		dialing: make(chan struct{}, 1),
	}
	b.paths = sandbox.Paths{Task: "/var/task", Opt: "/opt", Tmp: "/tmp"} // /opt is empty without layers, as on AWS
	if spec.Runtime != "" {
		b.paths.Runtime = "/var/runtime"
	}
	if spec.Lang != "" {
		b.paths.Lang = "/var/lang"
	}
	return b
}

// folders are the spec's, with their places inside; without links, which
// would lead elsewhere inside.
func folders(spec sandbox.Spec) ([]bind, error) {
	var list []bind
	for _, f := range []bind{
		{spec.Task, "var/task"}, {spec.Opt, "opt"}, {spec.Runtime, "var/runtime"}, {spec.Lang, "var/lang"},
	} {
		if f.from == "" {
			continue
		}
		real, err := filepath.EvalSymlinks(f.from)
		if err != nil {
			return nil, err
		}
		list = append(list, bind{real, f.to})
	}
	return list, nil
}

// open makes the sandbox of a shell.
func (b *Box) open() error {
	sh, mounts, err := b.provider.pool.take(b.spec)
	if err != nil {
		return err
	}
	b.shell = sh
	c := &configuration{
		mounts: mounts, who: b.provider.identity(sh.user), maxProcesses: b.spec.MaxProcesses,
	}
	sh.serve(b.spec.ID)
	err = sh.configure(c, b.spec.MemoryMB)
	b.reading.Go(func() {
		sh.control.read(b.exited)
		b.abandon()
	})
	return err
}

// Paths implements sandbox.Sandbox: they are AWS's.
func (b *Box) Paths() sandbox.Paths { return b.paths }

// Listener implements sandbox.Sandbox.
func (b *Box) Listener() net.Listener { return b.shell.listener }

// Address implements sandbox.Sandbox.
func (b *Box) Address() string { return b.shell.address }

// Flush implements sandbox.Sandbox.
func (b *Box) Flush() { b.outputs.Flush() }

// Freeze implements sandbox.Sandbox.
func (b *Box) Freeze(ctx context.Context) error {
	return b.life.Exclusively(ctx, "freeze", func(ctx context.Context) error {
		b.frozen = true
		if b.provider.groups.freezes {
			return b.shell.group.freeze(ctx, true)
		}
		if err := b.signal(-1, syscall.SIGSTOP); err != nil {
			return err
		}
		return b.awaitStopped(ctx)
	})
}

// Thaw implements sandbox.Sandbox.
func (b *Box) Thaw(ctx context.Context) error { return b.life.Exclusively(ctx, "thaw", b.thaw) }

func (b *Box) thaw(ctx context.Context) error {
	if !b.frozen {
		return nil
	}
	var err error
	if b.provider.groups.freezes {
		err = b.shell.group.freeze(ctx, false)
	} else {
		err = b.signal(-1, syscall.SIGCONT)
	}
	if err == nil {
		b.frozen = false
	}
	return err
}

// Kill implements sandbox.Sandbox. What the processes had written is handed to
// their writers before it returns.
func (b *Box) Kill(ctx context.Context) error {
	return b.life.Exclusively(ctx, "kill", func(ctx context.Context) error {
		if b.frozen && b.provider.groups.freezes {
			// First those that are frozen: they must not run again.
			if err := b.killFrozen(); err != nil {
				return err
			}
			if err := b.thaw(ctx); err != nil {
				return err
			}
		}
		b.frozen = false
		image := b.provider.image
		if _, err := b.ask(ctx, func(n uint64) *script { return image.killAll(n) }); err != nil && !b.dead() {
			return err
		}
		// Everybody's end has been reported before the answer.
		b.mu.Lock()
		b.kills.settle(b.shell.group.kills())
		b.mu.Unlock()
		return b.outputs.FinishWithin(ctx)
	})
}

// killFrozen kills every process but process 1 while none of them runs: none
// can start another.
func (b *Box) killFrozen() error {
	pids, _ := b.shell.group.procs()
	for _, pid := range pids {
		// Frozen with its parent, so nobody reaps it: the number is its own.
		if pid == b.shell.pid {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
			return os.NewSyscallError("kill", err)
		}
	}
	return nil
}

// ask sends a request and waits for its answer.
func (b *Box) ask(ctx context.Context, write func(number uint64) *script, files ...*os.File) (report, error) {
	answer := make(chan report, 1)
	return b.askFor(ctx, answer, write, files, func(r report) { answer <- r })
}

// askFor is ask with something to do in the reading goroutine, before any
// later report is looked at; heard puts the report into answer.
func (b *Box) askFor(ctx context.Context, answer <-chan report, write func(uint64) *script, files []*os.File, heard func(report)) (report, error) {
	c := b.shell.control
	number := c.request(func(r report, _ []int) bool {
		heard(r)
		return false
	})
	if err := c.submit(number, write(number), files...); err != nil {
		return nil, err
	}
	select {
	case r := <-answer:
		return r, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.dead:
		return nil, c.cause
	}
}

// dead tells whether process 1 has ended, and with it everything.
func (b *Box) dead() bool {
	select {
	case <-b.shell.control.dead:
		return true
	default:
		return false
	}
}

// signal has process 1 send a signal; nobody waits for it.
func (b *Box) signal(target int, sig syscall.Signal) error {
	return b.shell.control.send(b.provider.image.signal(0, target, sig))
}

// Close implements sandbox.Sandbox. It waits for a Write under way to return:
// the outputs' writers are not called after it.
func (b *Box) Close() error { return b.life.End(b.close) }

func (b *Box) close() error {
	var err error
	if b.shell != nil {
		err = b.shell.end()
	}
	b.reading.Wait()
	b.outputs.Finish()
	b.provider.boxes.Forget(b.spec.ID)
	return err
}

// awaitStopped waits until every process but process 1 has stopped: a signal
// takes a moment to be acted on.
func (b *Box) awaitStopped(ctx context.Context) error {
	for pause := 20 * time.Microsecond; ; pause = min(2*pause, 5*time.Millisecond) {
		if b.shell.stopped() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}
