package process

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reap waits for children for ever: programs and the orphans they leave.
func (s *supervisor) reap() {
	for {
		// Without reaping: that happens under mu.
		var info unix.Siginfo
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT, nil)
		switch err {
		case nil:
			s.reapOne(int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), siginfoPid))))
		case unix.EINTR:
		default: // ECHILD: no child, so no descendant, until a program is started
			s.mu.Lock()
			s.announceReap(nil)
			s.mu.Unlock()
			<-s.newChild
		}
	}
}

// siginfoPid is the offset of si_pid: the union behind three ints is aligned
// as a pointer.
const siginfoPid = (12 + unsafe.Sizeof(uintptr(0)) - 1) &^ (unsafe.Sizeof(uintptr(0)) - 1)

func (s *supervisor) reapOne(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	box := s.boxOf(pid) // while it can be told
	var status syscall.WaitStatus
	var usage syscall.Rusage
	got, err := syscall.Wait4(pid, &status, syscall.WNOHANG, &usage)
	if err != nil || got != pid {
		return // a program whose execve failed; ForkExec reaps those
	}
	if c := s.programs[pid]; c != nil {
		delete(s.programs, pid)
		delete(c.box.programs, pid)
		// Between fork and exec a program shares this process's memory, and
		// the kernel counts that as the program's. What is not above it says
		// nothing.
		var own syscall.Rusage
		if syscall.Getrusage(syscall.RUSAGE_SELF, &own) == nil && usage.Maxrss > own.Maxrss {
			c.box.peak = max(c.box.peak, maxRSSBytes(&usage))
		}
		s.say(&report{op: opExit, id: c.id, a: int64(status)})
	}
	s.announceReap(box)
}

// boxOf tells whose a child is, nil when nobody knows; mu is held.
func (s *supervisor) boxOf(pid int) *cell {
	if c := s.programs[pid]; c != nil {
		return c.box
	}
	if mark, ok := markOf(pid); ok && s.marks && mark&^markBoxes == s.base {
		return s.boxes[uint32(mark&markBoxes)]
	}
	return nil
}

// announceReap wakes those who wait for processes of a box to be gone, or of
// any when it is nil; mu is held.
func (s *supervisor) announceReap(box *cell) {
	s.reaped.happened()
	if box != nil {
		box.reaped.happened()
		return
	}
	for _, box := range s.boxes {
		box.reaped.happened()
	}
}
