package native

import (
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
		pid, err := syscall.ForkExec(r.path, []string{"lamb-sandbox"}, r.attr)
		r.answer <- spawned{pid, err}
	}
}

// start starts a program.
func (s *spawner) start(path string, attr *syscall.ProcAttr) (int, error) {
	answer := make(chan spawned, 1)
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return 0, sandbox.ErrClosed
	}
	s.requests <- spawnRequest{path, attr, answer}
	s.mu.RUnlock()
	r := <-answer
	if r.err != nil {
		return 0, os.NewSyscallError("start process 1", r.err)
	}
	return r.pid, nil
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
