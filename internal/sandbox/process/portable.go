//go:build unix

package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
)

// portable starts programs as children of lamb, in process groups of their
// own. A process that leaves its group (setsid, setpgid) escapes Kill and
// Close, and nothing ends the programs when lamb is killed.
type portable struct{}

var portableNotes = engineNotes{missing: []string{
	"A process that leaves its process group, as daemons do, is not ended with its sandbox, and kill -9 of lamb leaves functions running.",
	"Idle functions are not frozen, and the number of open files is not limited.",
}}

func (portable) open() (group, error) {
	return &portableGroup{procs: map[*proc]int{}, groups: map[int]struct{}{}}, nil
}

// shutdown has nothing left to end: the sandboxes were closed before.
func (portable) shutdown() error { return nil }

type portableGroup struct {
	mu sync.Mutex // guards what follows
	// procs are the live programs with their process ids; a program is its
	// process group's leader.
	procs map[*proc]int
	// groups are the process groups that outlived their leader. Its process
	// id is not given to another process as long as the group has a member.
	groups map[int]struct{}
	peak   int64
	wait   sync.WaitGroup // of the goroutines that wait for programs
}

func (g *portableGroup) start(p program) (*proc, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	files := []*os.File{null, p.stdout, p.stderr}
	for i, f := range files {
		if f == nil {
			files[i] = null
		}
	}
	files = append(files, p.extra...)
	if p.logs > 0 {
		files = append(files, make([]*os.File, p.logs+1-len(files))...) // nil: closed
		files[p.logs] = files[1]
	}
	env := p.env
	if env == nil {
		env = []string{} // nil would mean lamb's own
	}
	if err := hideDescriptors(); err != nil {
		return nil, err
	}
	// Not os/exec, which removes duplicates from the environment.
	child, err := os.StartProcess(p.path, p.argv, &os.ProcAttr{
		Dir: p.dir, Env: env, Files: files, Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		return nil, err
	}
	started := &proc{done: make(chan struct{})}
	started.signal = func(sig syscall.Signal) error { return g.signal(started, sig) }
	g.mu.Lock()
	g.procs[started] = child.Pid
	g.mu.Unlock()
	g.wait.Go(func() { g.await(started, child) })
	return started, nil
}

// await learns how a program ends.
func (g *portableGroup) await(p *proc, child *os.Process) {
	state, err := child.Wait()
	g.mu.Lock()
	delete(g.procs, p)
	if syscall.Kill(-child.Pid, 0) != syscall.ESRCH {
		g.groups[child.Pid] = struct{}{}
	}
	exit := sandbox.Exit{Code: -1}
	if err == nil {
		if status, ok := state.Sys().(syscall.WaitStatus); ok {
			exit = exitOf(status)
		}
		if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
			g.peak = max(g.peak, maxRSSBytes(usage))
		}
	}
	g.mu.Unlock()
	p.finish(exit)
}

func (g *portableGroup) signal(p *proc, sig syscall.Signal) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	pid, alive := g.procs[p]
	if !alive {
		return nil
	}
	// The program may have been reaped this moment.
	if err := syscall.Kill(-pid, sig); err != nil && err != syscall.ESRCH {
		return err
	}
	return nil
}

func (g *portableGroup) kill(ctx context.Context) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for delay := time.Millisecond; ; delay = min(2*delay, 20*time.Millisecond) {
		err := g.killOnce()
		if err == nil {
			break
		}
		pause.Reset(delay)
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-pause.C:
		}
	}
	g.wait.Wait()
	return nil
}

// errAlive says that killed processes are not gone yet.
var errAlive = errors.New("processes are still there")

// killOnce kills all groups; nil means that there were none.
func (g *portableGroup) killOnce() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, pid := range g.procs {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // gone groups are what we want
	}
	for pid := range g.groups {
		if syscall.Kill(-pid, syscall.SIGKILL) == syscall.ESRCH || onlyZombies(pid) {
			delete(g.groups, pid)
		}
	}
	if len(g.procs)+len(g.groups) > 0 {
		return errAlive
	}
	return nil
}

func (g *portableGroup) freeze(context.Context) error { return sandbox.ErrUnsupported }
func (g *portableGroup) thaw(context.Context) error   { return sandbox.ErrUnsupported }

// usage knows the memory of programs that have ended only, and counts
// programs, not what they have started.
func (g *portableGroup) usage() (sandbox.Usage, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	u := sandbox.Usage{MemoryPeakBytes: g.peak, Processes: len(g.procs)}
	for _, pid := range g.procs {
		u.MemoryPeakBytes = max(u.MemoryPeakBytes, residentPeak(pid))
	}
	return u, nil
}

func (g *portableGroup) release() {}
