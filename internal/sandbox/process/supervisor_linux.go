package process

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// supervisorName is argv[0] of a supervisor: what ps shows, and what
// MaybeSupervise looks for.
const supervisorName = "lamb-process-supervisor"

// supervisorSocket is the descriptor of the supervisor's socket.
const supervisorSocket = 3

// supervisor is the process that is the parent of all programs. One goroutine
// stays on its thread for ever, because a program's parent-death signal is sent
// when the thread that started it ends; it reads requests and starts programs
// itself. That is not the process's first thread, whose children are the
// orphans: so a few are looked at to find them, and not every program. One
// goroutine reaps. Requests that look at many processes run in goroutines of
// their own.
type supervisor struct {
	base  uint64 // upper bits of the marks
	marks bool   // processes can be marked
	null  int    // /dev/null
	tid   int    // of the thread that starts programs
	files unix.Rlimit
	locks unix.Rlimit

	// lists is set where the kernel lists the children of threads.
	lists bool

	// newChild wakes the reaper when there may be children again.
	newChild chan struct{}

	// mu guards what follows and is held while a child is reaped and while one
	// is started: under it, the numbers of children are stable, and lists of
	// them only grow.
	mu       sync.Mutex
	programs map[int]*child
	boxes    map[uint32]*cell
	reaped   notice // something was reaped
}

// notice wakes all who wait for something to happen again. Its owner's lock
// guards it.
type notice chan struct{}

// next returns a channel that is closed when it happens.
func (n *notice) next() <-chan struct{} {
	if *n == nil {
		*n = make(notice)
	}
	return *n
}

func (n *notice) happened() {
	if *n != nil {
		close(*n)
		*n = nil
	}
}

// child is a program.
type child struct {
	id  uint64 // of its opStart
	box *cell
}

// cell is what the supervisor knows of a box.
type cell struct {
	id       uint32
	programs map[int]struct{} // the live ones' process ids
	sessions map[int]struct{} // every session that a program began
	frozen   []member         // what freeze has stopped
	moved    chan struct{}    // closed when the last freeze or thaw is done; nil before the first
	peak     int64            // the most memory in use so far, in bytes
	reaped   notice           // a process that may be of this box was reaped
}

// supervise is the supervisor's whole life.
func supervise() {
	// Until the end, so that no other goroutine is on this thread.
	runtime.LockOSThread()
	served := make(chan struct{})
	go superviseFrom(served)
	<-served
	unix.Exit(0) // nothing is left to run at exit
}

// superviseFrom supervises from the calling goroutine's thread, if that is not
// the first of the process, else from another's.
func superviseFrom(served chan<- struct{}) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		go superviseFrom(served) // this one keeps the first to itself
		select {}
	}
	s := &supervisor{
		tid:      unix.Gettid(),
		newChild: make(chan struct{}, 1),
		programs: map[int]*child{},
		boxes:    map[uint32]*cell{},
	}
	s.prepare()
	go s.reap()
	s.say(&report{op: opHello, a: boolNumber(s.marks), b: int64(s.base)})
	s.serve()
	s.endAll()
	close(served)
}

func boolNumber(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// prepare makes the process what its children should inherit. What fails here
// is a protection less, not a reason not to run.
func (s *supervisor) prepare() {
	// lamb may have been started with open descriptors; they are not ours to
	// close but must not reach programs.
	if unix.CloseRange(supervisorSocket, ^uint(0), unix.CLOSE_RANGE_CLOEXEC) != nil {
		_ = hideDescriptors()
	}
	// A signal that is handled here has its default action in programs, also
	// when lamb was started with it ignored (nohup); and none of them ends
	// the supervisor.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM,
		syscall.SIGPIPE, syscall.SIGALRM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU)
	defaultLibcSignals()
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	unix.Umask(0o022)
	// A crash must not leave a core file in the folder of the user's code.
	var core unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CORE, &core) == nil {
		core.Cur = 0
		_ = unix.Setrlimit(unix.RLIMIT_CORE, &core)
	}
	// Go raises its own limit and gives programs the former one, until the
	// limit is set explicitly: from here on programs have what is set here.
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &s.files) == nil {
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &s.files)
	}
	s.prepareMarks()
	_, err := newProcfs().children(nil, unix.Getpid(), unix.Getpid())
	s.lists = err == nil
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		os.Exit(1) // lamb sees the socket close
	}
	s.null = null
}

// prepareMarks finds out whether processes can be marked, and chooses marks
// that no other supervisor uses.
func (s *supervisor) prepareMarks() {
	if unix.Getrlimit(unix.RLIMIT_LOCKS, &s.locks) != nil {
		return
	}
	var random [4]byte
	if n, err := unix.Getrandom(random[:], 0); err != nil || n != len(random) {
		return
	}
	s.base = uint64(random[0])<<24 | uint64(random[1])<<16 | uint64(random[2])<<8 | uint64(random[3])
	s.base = (s.base | 1<<32) << markBits
	s.marks = s.mark(s.base) == nil
	if got, ok := markOf(0); !ok || got != s.base {
		s.marks = false
	}
	s.unmark()
}

// mark gives this process, and so the next child, a mark.
func (s *supervisor) mark(mark uint64) error {
	return unix.Prlimit(0, unix.RLIMIT_LOCKS, &unix.Rlimit{Cur: mark, Max: s.locks.Max}, nil)
}

func (s *supervisor) unmark() { _ = unix.Prlimit(0, unix.RLIMIT_LOCKS, &s.locks, nil) }

// say sends a report. When lamb is gone nobody listens: serve notices.
func (s *supervisor) say(r *report) {
	var buf [64]byte
	_, _ = unix.SendmsgN(supervisorSocket, r.append(buf[:0]), nil, nil, unix.MSG_NOSIGNAL)
}

// serve answers requests until lamb's end of the socket is closed.
func (s *supervisor) serve() {
	buf := make([]byte, maxMessage)
	rights := make([]byte, unix.CmsgSpace(4*maxRights))
	for {
		n, oobn, flags, _, err := unix.Recvmsg(supervisorSocket, buf, rights, unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return
		}
		files := receivedFiles(rights[:oobn])
		req, err := parseRequest(buf[:n])
		if err != nil || flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
			return
		}
		s.handle(req, files)
		for _, fd := range files {
			unix.Close(fd)
		}
	}
}

func receivedFiles(oob []byte) []int {
	if len(oob) == 0 {
		return nil
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	var files []int
	for _, m := range messages {
		if fds, err := unix.ParseUnixRights(&m); err == nil {
			files = append(files, fds...)
		}
	}
	return files
}

func (s *supervisor) handle(req *request, files []int) {
	switch req.op {
	case opStart:
		s.start(req, files)
	case opSignal:
		s.signal(req)
	case opRelease:
		s.mu.Lock()
		delete(s.boxes, req.box)
		s.mu.Unlock()
		s.say(&report{op: opReply, id: req.id})
	case opUsage:
		// Once over the processes that there are: shorter than a change of
		// threads, and part of every invocation.
		s.look(req)
	case opFreeze, opThaw:
		s.move(req)
	default:
		// These may take their time. They end by themselves; the process does
		// not outlive lamb for them.
		go s.look(req)
	}
}

// move freezes or thaws a box, in the order of the requests: a freeze may be
// under way when whoever asked for it has given it up and wants a thaw. Without
// one, a thaw is done at once, for the same reason as usage.
func (s *supervisor) move(req *request) {
	done := make(chan struct{})
	var before chan struct{}
	s.mu.Lock()
	if box := s.boxes[req.box]; box != nil {
		before, box.moved = box.moved, done
	}
	s.mu.Unlock()
	turn := func() {
		s.look(req)
		close(done)
	}
	if before != nil {
		select {
		case <-before:
		default:
			go func() {
				<-before
				turn()
			}()
			return
		}
	}
	if req.op == opThaw {
		turn()
	} else {
		go turn()
	}
}

// look serves the requests that look at a box's processes.
func (s *supervisor) look(req *request) {
	r := &report{op: opReply, id: req.id}
	s.mu.Lock()
	box := s.boxes[req.box]
	s.mu.Unlock()
	sweep := &sweeper{s: s, fs: newProcfs(), box: box}
	switch {
	case box == nil: // nothing was ever started there
	case req.op == opKill:
		sweep.kill(context.Background())
	case req.op == opFreeze:
		sweep.freeze()
	case req.op == opThaw:
		sweep.thaw()
	case req.op == opUsage:
		r.a, r.b = sweep.usage()
	default:
		r.errno = unix.ENOSYS
	}
	s.say(r)
}

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
	for n := 3; n < int(req.logs); n++ {
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
