package native

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lambhq/lamb/internal/sandbox"
)

// proc is a started program.
type proc struct {
	box  *Box
	pid  int           // inside
	done chan struct{} // closed when exit is set
	exit sandbox.Exit  // valid after done is closed
}

var _ sandbox.Proc = (*proc)(nil)

// Done implements sandbox.Proc.
func (p *proc) Done() <-chan struct{} { return p.done }

// Exit implements sandbox.Proc.
func (p *proc) Exit() sandbox.Exit { return p.exit }

// maxSignal is Linux's.
const maxSignal = 64

// Signal implements sandbox.Proc. A frozen program gets it when it is thawed.
func (p *proc) Signal(sig syscall.Signal) error {
	if sig <= 0 || sig > maxSignal {
		return fmt.Errorf("signal %d: %w", int(sig), os.ErrInvalid)
	}
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := p.box.signal(-p.pid, sig); err != nil && err != errEnded {
		return fmt.Errorf("send %s: %w", sig, err)
	}
	return nil
}

func (p *proc) finish(exit sandbox.Exit) {
	p.exit = exit
	close(p.done)
}

// Start implements sandbox.Sandbox. The context bounds the wait for other
// operations on the sandbox; a start that has begun is carried through. It
// thaws a frozen sandbox.
func (b *Box) Start(ctx context.Context, p sandbox.Process) (sandbox.Proc, error) {
	ctx, release, err := b.life.Acquire(ctx)
	if err == nil {
		defer release()
		var started *proc
		if err = p.Check(); err == nil {
			err = b.thaw(ctx)
		}
		if err == nil {
			started, err = b.start(p)
		}
		if err == nil {
			return started, nil
		}
	}
	return nil, fmt.Errorf("start %s: %w", p.Path, err)
}

func (b *Box) start(p sandbox.Process) (*proc, error) {
	dir := p.Dir
	if dir == "" {
		dir = b.paths.Task
	}
	out, err := b.outputs.Open(p.Stdout, p.Stderr)
	if err != nil {
		return nil, err
	}
	defer out.CloseWriters()
	run := &program{
		path: p.Path, argv: append([]string{p.Path}, p.Args...), env: p.Env, dir: dir,
		maxFiles: openFiles(b.spec.MaxFiles), stdout: -1, stderr: -1, logs: p.LogDescriptor,
	}
	var files []*os.File
	add := func(f *os.File) (int, error) {
		files = append(files, f)
		// So that the program, another user, can open /dev/stdout.
		return len(files) - 1, f.Chmod(0o666)
	}
	if out.Stdout != nil {
		run.stdout, err = add(out.Stdout)
	}
	switch {
	case err != nil:
	case out.Stderr != nil && out.Stderr == out.Stdout:
		run.stderr = run.stdout
	case out.Stderr != nil:
		run.stderr, err = add(out.Stderr)
	}
	if err != nil {
		out.CloseReaders()
		return nil, err
	}
	for _, f := range p.ExtraFiles {
		run.extra = append(run.extra, len(files))
		files = append(files, f)
	}
	// Before the program runs: what it writes first may be asked for at once.
	out.Start()
	return b.launch(run, files)
}

// launch has process 1 start a program.
func (b *Box) launch(run *program, files []*os.File) (*proc, error) {
	b.started.Store(true)
	started := &proc{box: b, done: make(chan struct{})}
	answer := make(chan report, 1)
	heard := func(r report) {
		// Known before the report of its end, which may be the next one.
		if launchError(r) == nil {
			started.pid = int(r.word(2))
			b.mu.Lock()
			b.procs[started.pid] = started
			b.mu.Unlock()
		}
		answer <- r
	}
	image := b.provider.image
	write := func(n uint64) *script { return image.start(n, run) }
	// Carried through, but not beyond the end of the box.
	r, err := b.askFor(b.life.Ended(), answer, write, files, heard)
	if err != nil {
		if b.life.Ended().Err() != nil {
			err = sandbox.ErrClosed
		}
		return nil, err
	}
	if err := launchError(r); err != nil {
		return nil, b.shell.explain(run, err)
	}
	return started, nil
}

// launchError is what a report of a start says has failed; nil when nothing.
func launchError(r report) *stepError {
	for _, step := range []struct {
		word int
		name string
	}{{2, stepFork}, {3, stepPrepare}, {4, stepFolder}, {5, stepExecute}} {
		if errno := r.errno(step.word); errno != 0 {
			return &stepError{Step: step.name, Errno: errno}
		}
	}
	return nil
}

// Steps of a start.
const (
	stepFork    = "make a process"
	stepPrepare = "prepare a process"
	stepFolder  = "working folder"
	stepExecute = "execute"
)

// exited hears of every process that has ended, in the reading goroutine.
func (b *Box) exited(pid int, status syscall.WaitStatus, maxRSS int64) {
	b.mu.Lock()
	p := b.procs[pid]
	delete(b.procs, pid)
	b.peak = max(b.peak, maxRSS)
	oom := false
	if status.Signaled() && status.Signal() == syscall.SIGKILL {
		oom = b.kills.claim(b.shell.group.kills(), time.Now())
	}
	b.mu.Unlock()
	if p == nil {
		return // an orphan
	}
	if status.Signaled() {
		p.finish(sandbox.Exit{Code: -1, Signal: status.Signal(), OOM: oom})
		return
	}
	p.finish(sandbox.Exit{Code: status.ExitStatus()})
}

// nearLimit is by how much the mark may be below the limit when the kernel has
// ended a process: the page or few that it could not have are not counted.
const nearLimit = 1 << 20

// noticeKills looks whether the memory limit has ended a process. It is done
// beside other measurements, after invocations: what a function's child met in
// one is not taken for the reason of the function's own end in a later one.
func (b *Box) noticeKills() {
	n := b.shell.group.kills()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kills.notice(n, time.Now())
}

// abandon finishes what is left when process 1 has ended: everything has.
func (b *Box) abandon() {
	b.mu.Lock()
	defer b.mu.Unlock()
	oom := b.kills.claim(b.shell.group.kills(), time.Now())
	for pid, p := range b.procs {
		delete(b.procs, pid)
		p.finish(sandbox.Exit{Code: -1, Signal: syscall.SIGKILL, OOM: oom})
	}
}

// Usage implements sandbox.Sandbox.
func (b *Box) Usage() (sandbox.Usage, error) {
	if b.life.Ended().Err() != nil {
		return sandbox.Usage{}, fmt.Errorf("usage of sandbox %s: %w", b.spec.ID, sandbox.ErrClosed)
	}
	if !b.started.Load() {
		return sandbox.Usage{}, nil
	}
	var u sandbox.Usage
	if pids, ok := b.shell.group.procs(); ok {
		u.Processes = max(0, len(pids)-1) // process 1
	} else {
		u.Processes = len(b.shell.processes())
	}
	peak, ok := b.shell.group.peak()
	if !ok || peak >= int64(b.spec.MemoryMB)<<20-nearLimit {
		b.noticeKills()
	}
	if ok {
		u.MemoryPeakBytes = b.withoutCache(peak)
		return u, nil
	}
	u.MemoryPeakBytes = b.residentPeak()
	return u, nil
}

// residentPeak is the sum of the live processes' own high-water marks, or what
// it has been before.
func (b *Box) residentPeak() int64 {
	now := int64(0)
	for _, pid := range b.shell.processes() {
		now += b.shell.residentPeak(pid)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.peak = max(b.peak, now)
	return b.peak
}

// withoutCache is a group's high-water mark without the files that the kernel
// keeps in memory for as long as nobody needs it: what a function writes to
// /tmp is not its memory. The most cache that was seen is taken off, but what
// the processes themselves have had is never lost. The kernel is asked only
// when the mark has moved, or cannot move any more.
func (b *Box) withoutCache(mark int64) int64 {
	b.mu.Lock()
	same := mark == b.mark && mark < int64(b.spec.MemoryMB)<<20
	last := b.corrected
	b.mu.Unlock()
	if same {
		return last
	}
	cache, resident := b.shell.group.cache(), b.residentPeak()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mark, b.cache = mark, max(b.cache, cache)
	b.corrected = max(b.corrected, min(mark, max(resident, mark-b.cache)))
	return b.corrected
}

// openFiles is the limit for a program that is to have at most so many files:
// lamb's own hard limit may be lower, and nobody in a sandbox can exceed it.
func openFiles(wanted int) int {
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err != nil || own.Max > uint64(wanted) {
		return wanted
	}
	return int(own.Max)
}
