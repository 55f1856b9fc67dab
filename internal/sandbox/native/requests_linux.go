package native

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// identity is who the processes of a sandbox are, inside.
type identity struct {
	uid, gid int
	// change is false where the process is that user already (rootless).
	change bool
}

// configuration is what a shell is told when it becomes a sandbox.
type configuration struct {
	mounts       []bind // from below /.s
	who          identity
	maxProcesses int
}

// configure makes a shell the sandbox of one function and gives up every
// privilege; nothing untrusted has run before its end.
func (m *image) configure(c *configuration) *script {
	s := m.newScript()
	for _, b := range c.mounts {
		s.bind(b, 0) // read-only, nosuid, nodev as the store's mount is
	}
	s.call("leave the stores", unix.SYS_UMOUNT2, s.text("/"+storeDir), unix.MNT_DETACH)
	if c.maxProcesses > 0 {
		n := uint64(c.maxProcesses) + 1 // process 1
		s.limit(unix.RLIMIT_NPROC, n)
	}
	if c.who.change {
		s.call("setgroups", unix.SYS_SETGROUPS, 0, 0)
		s.call("setresgid", unix.SYS_SETRESGID, c.who.gid, c.who.gid, c.who.gid)
		s.call("setresuid", unix.SYS_SETRESUID, c.who.uid, c.who.uid, c.who.uid)
	}
	s.call("clear ambient capabilities", unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	header := s.words(uint64(unix.LINUX_CAPABILITY_VERSION_3), 0)
	s.call("drop capabilities", unix.SYS_CAPSET, header, s.words(0, 0, 0))
	s.call("hide process 1", unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	// A change of user has cleared it. Lamb's end before this line shows as
	// the end of the socket.
	s.call("end with lamb", unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, int(unix.SIGKILL), 0, 0, 0)
	s.call("no new privileges", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	s.call("seccomp", unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, m.base.filters[1])
	s.jump(m.base.loop)
	return s
}

// done sends a report of n words and goes on serving.
func (s *script) done(m *image, report at, n int) *op {
	o := s.try("report", unix.SYS_SENDTO, fdControl, report, 8*n, unix.MSG_NOSIGNAL)
	o.onError, o.next = m.base.exit, m.base.loop
	return o
}

// program is what start runs.
type program struct {
	path      string
	argv, env []string
	dir       string
	maxFiles  int
	// stdout and stderr are indices of the descriptors that come with the
	// message, or -1 for /dev/null.
	stdout, stderr int
	logs           int // another descriptor of the program for stdout; 0 for none
	// extra are indices like these, of the program's descriptors from 3 on.
	extra []int
}

// start runs a program. Its report is: process or error, what went wrong
// before execve, what went wrong in chdir, what went wrong in execve.
//
// The child shares process 1's memory, and process 1 waits, until the program
// runs: that is how it tells of an error.
func (m *image) start(request uint64, p *program) *script {
	s := m.newScript()
	s.failTo = nil
	report := s.words(reportDone, request, 0, 0, 0, 0)
	reply := &op{name: "close", nr: uint64(unix.SYS_CLOSE_RANGE), args: [6]any{fdReceived, ^uint32(0), 0}}
	const likeVfork = unix.CLONE_VM | unix.CLONE_VFORK | int(unix.SIGCHLD)
	fork := s.try("fork", unix.SYS_CLONE, likeVfork, 0, 0, 0, 0)
	fork.store, fork.next = report+16, reply
	s.place(reply)
	s.done(m, report, 6)

	quit := &op{name: "exit", nr: uint64(unix.SYS_EXIT_GROUP), args: [6]any{127}}
	quit.next = quit
	must := func(where at, name string, nr uintptr, args ...any) *op {
		o := s.try(name, nr, args...)
		o.store, o.onError = where, quit
		return o
	}
	fork.onEqual = must(report+24, "setsid", unix.SYS_SETSID)
	must(report+24, "sigprocmask", unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, s.words(0), 0, 8)
	for fd, from := range []int{1: p.stdout, 2: p.stderr} {
		if fd > 0 && from >= 0 {
			must(report+24, "dup3", unix.SYS_DUP3, fdReceived+from, fd, 0)
		}
	}
	// In this order none is overwritten that is needed yet: each has come as a
	// higher descriptor than it becomes.
	for i, from := range p.extra {
		must(report+24, "dup3", unix.SYS_DUP3, fdReceived+from, 3+i, 0)
	}
	must(report+24, "close-on-exec", unix.SYS_CLOSE_RANGE, 3+len(p.extra), ^uint32(0), unix.CLOSE_RANGE_CLOEXEC)
	if p.logs > 0 && p.stdout >= 0 {
		must(report+24, "dup3", unix.SYS_DUP3, 1, p.logs, 0)
	}
	if p.maxFiles > 0 {
		n := uint64(p.maxFiles)
		must(report+24, "limit files", unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, s.words(n, n), 0)
	}
	must(report+32, "chdir", unix.SYS_CHDIR, s.text(p.dir))
	must(report+40, "execve", unix.SYS_EXECVE, s.text(p.path), s.texts(p.argv), s.texts(p.env))
	s.place(quit)
	return s
}

// killAll ends every process but process 1 and reports when all are gone: it
// is the parent of each that loses its own.
func (m *image) killAll(request uint64) *script {
	s := m.newScript()
	s.try("kill", unix.SYS_KILL, -1, int(unix.SIGKILL)) // ESRCH: there is none
	reap := s.try("reap", unix.SYS_WAIT4, -1, m.base.status, wAll, m.base.usage)
	reap.store = m.base.exited + 8
	say := s.try("report", unix.SYS_SENDTO, fdControl, m.base.exited, exitedSize, unix.MSG_NOSIGNAL)
	say.onError, say.next = m.base.exit, reap
	reap.onError = s.done(m, s.words(reportDone, request), 2)
	return s
}

// signal sends a signal: to a program's group by its negative number, to all
// but process 1 by -1. Its report is the result.
func (m *image) signal(request uint64, target int, sig syscall.Signal) *script {
	s := m.newScript()
	report := s.words(reportDone, request, 0)
	s.try("kill", unix.SYS_KILL, target, int(sig)).store = report + 16
	s.done(m, report, 3)
	return s
}

// socket opens a TCP socket in the sandbox's network and passes it. Its report
// is the result: of opening it, or, when it could not be passed, of that.
func (m *image) socket(request uint64) *script {
	s := m.newScript()
	s.failTo = nil
	report := s.words(reportDone, request, 0)
	const kind = unix.SOCK_STREAM | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	open := s.try("socket", unix.SYS_SOCKET, unix.AF_INET, kind, 0)
	pass := s.try("pass", unix.SYS_SENDMSG, fdControl, s.handing(report, 3, fdReceived, 1), unix.MSG_NOSIGNAL)
	say := s.try("report", unix.SYS_SENDTO, fdControl, report, 8*3, unix.MSG_NOSIGNAL)
	tidy := s.try("close", unix.SYS_CLOSE_RANGE, fdReceived, ^uint32(0), 0)
	open.store, open.onError = report+16, say
	pass.store, pass.onError, pass.next = report+16, say, tidy
	say.onError = m.base.exit
	tidy.next = m.base.loop
	return s
}
