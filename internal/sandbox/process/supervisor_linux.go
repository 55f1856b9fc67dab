package process

import (
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"

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
