package process

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// minFiles is the lowest limit of open files under which this process can
// still start a program.
const minFiles = 64

// start starts a program, on the thread that stays.
func (s *supervisor) start(req *request, files []int) {
	stdio := []uintptr{uintptr(s.null), uintptr(s.null), uintptr(s.null)}
	next := 0
	take := func() uintptr {
		if next == len(files) {
			return uintptr(s.null)
		}
		next++
		return uintptr(files[next-1])
	}
	if req.outputs&outputStdout != 0 {
		stdio[1] = take()
	}
	if req.outputs&outputStderr != 0 {
		stdio[2] = take()
	}
	if req.outputs&outputBoth != 0 {
		stdio[1] = take()
		stdio[2] = stdio[1]
	}
	for next < len(files) {
		stdio = append(stdio, take())
	}
	for n := len(stdio); n < int(req.logs); n++ {
		stdio = append(stdio, ^uintptr(0)) // closed
	}
	if req.logs > 2 {
		stdio = append(stdio, stdio[1])
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.marks {
		_ = s.mark(s.base | uint64(req.box)) // tried in prepareMarks
		defer s.unmark()
	}
	limit := uint64(req.maxFiles)
	limited := limit > 0 && limit <= s.files.Max
	if limited {
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: max(limit, minFiles), Max: s.files.Max})
	}
	pid, err := syscall.ForkExec(req.path, req.argv, &syscall.ProcAttr{
		Dir: req.dir, Env: req.env, Files: stdio,
		Sys: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL},
	})
	if limited {
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &s.files)
	}
	r := &report{op: opReply, id: req.id}
	if err != nil {
		r.errno = unix.EIO
		if errno, ok := err.(syscall.Errno); ok {
			r.errno = errno
		}
		s.say(r)
		return
	}
	if limited {
		// The hard limit too, which cannot be raised again by this process
		// and so could not be set before.
		_ = unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: limit}, nil)
	}
	s.enter(pid, req)
	s.say(r)
}

// enter records a started program; mu is held.
func (s *supervisor) enter(pid int, req *request) {
	box := s.boxes[req.box]
	if box == nil {
		box = &cell{id: req.box, programs: map[int]struct{}{}, sessions: map[int]struct{}{}}
		s.boxes[req.box] = box
	}
	s.programs[pid] = &child{id: req.id, box: box}
	box.programs[pid] = struct{}{}
	box.sessions[pid] = struct{}{}
	select {
	case s.newChild <- struct{}{}:
	default:
	}
}

// signal sends a signal to a program's process group.
func (s *supervisor) signal(req *request) {
	r := &report{op: opReply, id: req.id}
	s.mu.Lock()
	defer s.mu.Unlock()
	if box := s.boxes[req.box]; box != nil {
		for pid := range box.programs {
			if s.programs[pid].id != req.target {
				continue
			}
			// Not reaped, so the number is its own, and so is its group's.
			if err := syscall.Kill(-pid, req.signal); err != nil && err != syscall.ESRCH {
				r.errno, _ = err.(syscall.Errno)
			}
		}
	}
	s.say(r)
}
