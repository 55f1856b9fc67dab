package native

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"

	"github.com/lambhq/lamb/internal/sandbox"
)

// spawner starts processes on threads that live as long as the provider: a
// parent-death signal is sent when the thread that started a process ends.
type spawner struct {
	requests chan spawnRequest
	running  sync.WaitGroup

	mu     sync.RWMutex // guards closed; held while sending a request
	closed bool
}

type spawnRequest struct {
	path   string
	attr   *syscall.ProcAttr
	group  *group
	answer chan<- spawned
}

type spawned struct {
	pid int
	err error
}

func newSpawner(threads int) *spawner {
	s := &spawner{requests: make(chan spawnRequest)}
	for range threads {
		s.running.Go(s.run)
	}
	return s
}

func (s *spawner) run() {
	// Never unlocked: the thread ends with the goroutine.
	runtime.LockOSThread()
	for r := range s.requests {
		// In the child's groups while it is born: to move it there afterwards
		// would wait for every CPU of the host, tens of milliseconds.
		entered := r.group.enter()
		pid, err := syscall.ForkExec(r.path, []string{"lamb-sandbox"}, r.attr)
		if err != nil {
			err = os.NewSyscallError("start process 1", err)
		} else if entered != nil {
			err = r.group.join(pid)
		}
		// What cannot be left now is left with the next start, if not before.
		r.answer <- spawned{pid, errors.Join(err, r.group.leave())}
	}
}

// start starts a program in a group. The process may be there also when there
// is an error.
func (s *spawner) start(path string, attr *syscall.ProcAttr, g *group) (int, error) {
	answer := make(chan spawned, 1)
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return 0, sandbox.ErrClosed
	}
	s.requests <- spawnRequest{path, attr, g, answer}
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
