package native

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lambhq/lamb/internal/sandbox"
)

// spawner makes shells' process 1. A fork copies the table of open files, of
// which lamb has ten for every sandbox: so lamb has forkers do it, processes
// without any.
//
// It does so on threads that live as long as the provider: a parent-death
// signal is sent when the thread that started a process ends.
type spawner struct {
	image    *image
	null     *os.File
	template func() *script // what makes a forker one with the template's root
	requests chan spawnRequest
	running  sync.WaitGroup

	mu     sync.RWMutex // guards closed; held while sending a request
	closed bool
}

type spawnRequest struct {
	rooted bool       // by a forker that has the template's root
	flags  uint64     // namespaces
	files  []*os.File // its end of the control socket, and the group of version 2, if any
	answer chan<- spawned
}

type spawned struct {
	pid int
	err error
}

func newSpawner(threads int, m *image, null *os.File, template func() *script) *spawner {
	s := &spawner{image: m, null: null, template: template, requests: make(chan spawnRequest)}
	for range threads {
		s.running.Go(s.run)
	}
	return s
}

func (s *spawner) run() {
	// Never unlocked: the thread ends with the goroutine.
	runtime.LockOSThread()
	forkers := map[bool]*forker{} // by rooted, once there is something to do
	for r := range s.requests {
		var a spawned
		forkers[r.rooted], a = s.fork(forkers[r.rooted], r)
		r.answer <- a
	}
	for _, f := range forkers {
		if f != nil {
			_ = f.close() // nothing is left to be done about it
		}
	}
}

// fork has a forker, or a new one, make a process 1. It returns the forker for
// the next; nil when there is none.
func (s *spawner) fork(f *forker, r spawnRequest) (*forker, spawned) {
	if f != nil {
		pid, err := f.fork(r)
		switch {
		case !f.broken:
			return f, spawned{pid, err}
		case !errors.Is(err, errEnded):
			return nil, spawned{0, errors.Join(err, f.close())}
		}
		// It was killed by somebody, before it could do anything.
		if err := f.close(); err != nil {
			return nil, spawned{0, err}
		}
	}
	f, err := s.startForker()
	if err != nil {
		return nil, spawned{0, err}
	}
	if r.rooted {
		if err := f.run(s.template()); err != nil {
			return nil, spawned{0, errors.Join(fmt.Errorf("make the root of the sandboxes: %w", err), f.close())}
		}
	}
	pid, err := f.fork(r)
	if f.broken {
		return nil, spawned{0, errors.Join(err, f.close())}
	}
	return f, spawned{pid, err}
}

// start makes a process 1, in new namespaces, that waits for its first script.
// Rooted, it has the template's root. files are its end of the control socket
// and the control group to be born in, if there is one.
func (s *spawner) start(rooted bool, flags uint64, files ...*os.File) (int, error) {
	answer := make(chan spawned, 1)
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return 0, sandbox.ErrClosed
	}
	s.requests <- spawnRequest{rooted, flags, files, answer}
	s.mu.RUnlock()
	r := <-answer
	return r.pid, r.err
}

// close ends the threads, and with them what they have started.
func (s *spawner) close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.requests)
	}
	s.mu.Unlock()
	s.running.Wait()
}

// forker is a process of process 1's program, without a sandbox: it forks. Its
// children are lamb's.
type forker struct {
	image   *image
	pid     int
	control *control
	broken  bool // it does not do what it is told
}

// startForker starts one from the calling thread.
func (s *spawner) startForker() (*forker, error) {
	c, theirs, err := newControl()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	null := s.null.Fd()
	// The image among them, because ForkExec may put its own pipe over any
	// descriptor that it does not pass on.
	pid, err := syscall.ForkExec(imagePath, []string{"lamb-sandbox"}, &syscall.ProcAttr{
		Dir: "/", Env: []string{}, Files: []uintptr{null, null, null, theirs.Fd(), s.image.file.Fd()},
		Sys: &syscall.SysProcAttr{
			Setsid:    true, // Ctrl-C is for lamb
			Pdeathsig: syscall.SIGKILL,
		},
	})
	if err != nil {
		c.conn.Close()
		return nil, os.NewSyscallError("start the process that forks", err)
	}
	return &forker{image: s.image, pid: pid, control: c}, nil
}

// run has it run a script that reports its end.
func (f *forker) run(s *script) error {
	err := f.control.conn.SetDeadline(time.Now().Add(setupTimeout))
	if err == nil {
		err = f.control.send(s)
	}
	if err == nil {
		_, _, err = f.control.receive(s)
	}
	return err
}

// fork makes a process 1.
func (f *forker) fork(r spawnRequest) (int, error) {
	script := f.image.fork(r.flags, len(r.files) > 1)
	err := f.control.conn.SetDeadline(time.Now().Add(setupTimeout))
	if err == nil {
		err = f.control.send(script, r.files...)
	}
	if err != nil {
		f.broken = true
		return 0, fmt.Errorf("start process 1: %w", err)
	}
	answer, _, err := f.control.receive(script)
	if err != nil {
		// Not errEnded: there may be a process 1, so nobody may try again.
		f.broken = true
		return 0, errors.New("start process 1: no answer from the process that forks")
	}
	if errno := answer.errno(1); errno != 0 {
		return 0, os.NewSyscallError("start process 1", errno)
	}
	return int(answer.word(1)), nil
}

// close ends it; its children live on.
func (f *forker) close() error {
	f.control.conn.Close()
	// Not reaped yet, so the number is its own.
	if err := syscall.Kill(f.pid, syscall.SIGKILL); err != nil {
		return os.NewSyscallError("kill the process that forks", err)
	}
	return wait(f.pid)
}

// fork makes a child in new namespaces that has nothing but the first
// descriptor that came with the message, as its control socket, and waits for a
// script. It is born in the control group that came second, where one did. The
// report is its number, or the error.
func (m *image) fork(flags uint64, grouped bool) *script {
	s := m.newScript()
	s.failTo = nil
	report := s.words(reportDone, 0)
	// A child of lamb, which ends it, waits for it, and takes it along.
	flags |= unix.CLONE_PARENT
	var fork *op
	if grouped {
		// A struct clone_args, whose last word is the group.
		args := s.words(flags|unix.CLONE_INTO_CGROUP, 0, 0, 0, 0, 0, 0, 0, 0, 0, fdMessage+1)
		fork = s.try("fork", unix.SYS_CLONE3, args, 11*8)
	} else {
		fork = s.try("fork", unix.SYS_CLONE, flags|uint64(unix.SIGCHLD), 0, 0, 0, 0)
	}
	fork.store = report + 8
	s.try("close", unix.SYS_CLOSE_RANGE, fdMessage, ^uint32(0), 0)
	s.try("report", unix.SYS_SENDTO, fdControl, report, 16, unix.MSG_NOSIGNAL).onError = m.base.exit
	s.jump(m.base.park)

	own := s.try("take its socket", unix.SYS_DUP3, fdMessage, fdControl, unix.O_CLOEXEC)
	fork.onEqual, own.onError = own, m.base.exit
	s.try("close", unix.SYS_CLOSE_RANGE, fdMessage, ^uint32(0), 0)
	s.jump(m.base.park)
	return s
}
