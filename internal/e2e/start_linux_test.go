package e2e

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// starter starts processes from a thread that lives as long as the test, so
// that the kernel ends them when it ends in any way: PDEATHSIG is about the
// thread that started the process.
var starter = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// start starts a process that does not outlive the test.
func start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	done := make(chan error)
	starter() <- func() { done <- cmd.Start() }
	return <-done
}

// watched is a process by descriptor, which no later process can take over.
type watched struct{ pid, fd int }

// watch begins to watch processes. Those that have ended already are left out.
func watch(t testing.TB, pids ...int) []watched {
	t.Helper()
	var all []watched
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if err == unix.ESRCH {
			continue
		}
		if err == unix.ENOSYS {
			t.Skip("this kernel has no pidfd_open")
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
		all = append(all, watched{pid, fd})
	}
	return all
}

// mustEnd waits for the end of the processes.
func mustEnd(t testing.TB, processes []watched) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for _, p := range processes {
		for {
			fds := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
			n, err := unix.Poll(fds, int(max(0, time.Until(deadline)).Milliseconds()))
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				t.Errorf("process %d is still there", p.pid)
				_ = unix.PidfdSendSignal(p.fd, unix.SIGKILL, nil, 0)
			}
			break
		}
	}
}
