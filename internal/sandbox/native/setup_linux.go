package native

import (
	"encoding/binary"
	"path"

	"golang.org/x/sys/unix"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/relay"
)

// RuntimePort is where lamb listens inside every sandbox.
const RuntimePort = 9001

// fdListener is the listener in process 1 while it sets up: the helper socket
// and the root come before it.
const fdListener = fdReceived + 2

// runtimeIP is AWS's address of the Runtime API, on the sandbox's own loopback.
var runtimeIP = [4]byte{169, 254, 100, 1}

// hostName is every sandbox's host name. Its hosts file knows it by both of
// AWS's names: extensions listen on either.
const (
	hostName  = "sandbox"
	hostNames = hostName + " " + hostName + ".localdomain"
)

// storeDir is where a shell has the folders that a spec may name, until it is
// configured.
const storeDir = ".s"

// scratchDir is where a shell, as long as it has the stores, makes the files of
// its own: in memory, because ext4 takes longer for two than all else here does.
const scratchDir = storeDir + "/scratch"

// bind is one mount of a host folder or file into the root. The target is
// relative to the root.
type bind struct{ from, to string }

// rootPlan says what a sandbox's root consists of. It is the same for all
// shells of a provider.
type rootPlan struct {
	skeleton string   // a folder with every mount point and the generated files
	system   []bind   // read-only, nosuid, nodev
	devices  []string // names in /dev
	readOnly []string // names in /proc that become read-only
	hidden   []string // names in /proc that read as empty
}

// shellPlan is what differs between shells.
type shellPlan struct {
	name   string   // unique in the provider
	rooted bool     // it has a copy of the template's root
	groups int      // files come, after the mount, that take it into so many control groups of version 1
	tmp    string   // the host folder that becomes /tmp; empty: a mount comes with the script
	files  []file   // generated for this shell
	stores []string // host folders, at /.s/0, /.s/1 …
	mounts []sandbox.Mount

	network string // see Config.Network
}

// file is one in the root.
type file struct{ name, content string }

// attributes appends a mount_setattr: flags for a mount and those below it.
func (s *script) attributes(path string, flags uint64, recursive bool) {
	how := 0
	if recursive {
		how = unix.AT_RECURSIVE
	}
	attr := s.words(flags, 0, 0, 0)
	s.call("protect "+path, unix.SYS_MOUNT_SETATTR, unix.AT_FDCWD, s.text(path), how, attr, 32)
}

func (s *script) bind(b bind, flags uint64) {
	s.call("bind "+b.from, unix.SYS_MOUNT, s.text(b.from), s.text(b.to), 0, unix.MS_BIND|unix.MS_REC, 0)
	if flags != 0 {
		s.attributes(b.to, flags, true)
	}
}

const readOnlyTree = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV

// setup is a shell's first script: it makes everything that does not depend
// on the function and reports with the root, the listener and the sockets of
// the private network.
func (m *image) setup(root *rootPlan, shell *shellPlan) *script {
	s := m.newScript()
	s.call("setsid", unix.SYS_SETSID) // Ctrl-C is for lamb
	// Lamb's end before this line shows as the end of the socket.
	s.call("end with lamb", unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, int(unix.SIGKILL), 0, 0, 0)
	tasks := fdMessage
	if shell.tmp == "" {
		tasks++
	}
	s.enter(tasks, shell.groups)
	// Keyrings are inherited; a kernel without them has nothing to hide.
	s.try("new session keyring", unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, 0)
	if !shell.rooted {
		s.process()
		s.root(root, shell.stores)
		if len(shell.files) > 0 {
			s.scratch()
		}
	}
	s.generate(shell, tasks+shell.groups)
	s.own(root, shell)
	if !shell.rooted {
		s.pivot()
	}
	s.call("sethostname", unix.SYS_SETHOSTNAME, s.text(hostName), len(hostName))
	s.call("close descriptors", unix.SYS_CLOSE_RANGE, fdMessage, ^uint32(0), 0)
	mask := s.words(1 << (uint(unix.SIGCHLD) - 1))
	s.call("signalfd", unix.SYS_SIGNALFD4, -1, mask, 8, unix.SFD_CLOEXEC|unix.SFD_NONBLOCK)
	s.call("sigprocmask", unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, mask, 0, 8)
	// fdReceived; what follows is handed over.
	s.call("socket", unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	s.call("open /", unix.SYS_OPENAT, unix.AT_FDCWD, s.text("/"), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if shell.network != NetworkHost {
		s.network()
	}
	if shell.network == NetworkPrivate {
		s.openRelay()
	}
	s.call("seccomp", unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, m.base.filters[0])
	s.hand(shell.handed())
	s.call("close descriptors", unix.SYS_CLOSE_RANGE, fdReceived, ^uint32(0), 0)
	s.jump(m.base.park)
	return s
}

// enter moves the process into n control groups, by their files from this
// descriptor on. The kernel moves one that moves itself at once: to have lamb
// move it would wait for every CPU of the host.
func (s *script) enter(first, n int) {
	itself := s.text("0")
	for i := range n {
		s.call("enter its control group", unix.SYS_WRITE, first+i, itself, 1)
	}
}

func (m *image) newScript() *script {
	return &script{base: messageBase, failTo: m.base.failed}
}

// process makes the process what programs should inherit.
func (s *script) process() {
	for capability := range 64 {
		// Those that the kernel does not have are errors.
		s.try("drop capability", unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, capability, 0, 0, 0)
	}
	s.call("umask", unix.SYS_UMASK, 0o022)
	action := s.room(32) // SIG_DFL, without flags
	for signal := 1; signal <= 64; signal++ {
		if signal != int(unix.SIGKILL) && signal != int(unix.SIGSTOP) {
			s.try("sigaction", unix.SYS_RT_SIGACTION, signal, action, 0, 8)
		}
	}
	s.limit(unix.RLIMIT_CORE, 0)
	s.limit(unix.RLIMIT_MEMLOCK, 64<<10)
}

// limit sets a limit for this process and its children; raising one may be
// refused, the lower one stays then.
func (s *script) limit(resource int, value uint64) {
	s.try("limit", unix.SYS_PRLIMIT64, 0, resource, s.words(value, value), 0)
}

// template gives a forker the root that most shells have, and what their
// programs inherit: shells that it forks have copies of both.
func (m *image) template(root *rootPlan, stores []string) *script {
	s := m.newScript()
	s.process()
	s.call("unshare", unix.SYS_UNSHARE, unix.CLONE_NEWNS)
	s.root(root, stores)
	s.scratch()
	s.pivot()
	s.call("report", unix.SYS_SENDTO, fdControl, s.words(reportDone), 8, unix.MSG_NOSIGNAL)
	s.jump(m.base.park)
	return s
}

// root makes what is the same in many sandboxes, and goes there.
func (s *script) root(root *rootPlan, stores []string) {
	const private = unix.MS_REC | unix.MS_PRIVATE
	s.call("make mounts private", unix.SYS_MOUNT, 0, s.text("/"), 0, private, 0)
	s.call("bind the root", unix.SYS_MOUNT, s.text(root.skeleton), s.text(root.skeleton), 0, unix.MS_BIND, 0)
	s.call("enter the root", unix.SYS_CHDIR, s.text(root.skeleton))
	for _, b := range root.system {
		s.bind(b, readOnlyTree)
	}
	for _, name := range root.devices {
		s.bind(bind{"/dev/" + name, "dev/" + name}, 0)
	}
	s.bind(bind{storeDir, storeDir}, 0) // so that one umount takes them all
	for i, store := range stores {
		s.bind(bind{store, storeName(i)}, readOnlyTree)
	}
}

// scratch is where generate makes files. The shells of a template share it: none
// sees a file of another's, which has no name when the script is done.
func (s *script) scratch() {
	s.call("mount a place for files", unix.SYS_MOUNT, s.text("tmpfs"), s.text(scratchDir), s.text("tmpfs"),
		unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, s.text("mode=700"))
}

// generate makes a shell's files, read-only, in the root that is the working
// folder. fd is the lowest descriptor that is free.
func (s *script) generate(shell *shellPlan, fd int) {
	for _, f := range shell.files {
		// Others may be at it at once. Without its name it ends with the sandbox.
		scratch := s.text(path.Join(scratchDir, shell.name+"-"+path.Base(f.name)))
		const how = unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY | unix.O_CLOEXEC
		s.call("make "+f.name, unix.SYS_OPENAT, unix.AT_FDCWD, scratch, how, 0o644)
		s.call("write "+f.name, unix.SYS_WRITE, fd, s.text(f.content), len(f.content))
		s.call("close "+f.name, unix.SYS_CLOSE, fd)
		s.call("place "+f.name, unix.SYS_MOUNT, scratch, s.text(f.name), 0, unix.MS_BIND, 0)
		s.attributes(f.name, readOnlyTree, false)
		s.call("let go of "+f.name, unix.SYS_UNLINKAT, unix.AT_FDCWD, scratch, 0)
	}
}

// own makes what each sandbox has for itself, in the root that is the working
// folder.
func (s *script) own(root *rootPlan, shell *shellPlan) {
	s.call("mount /proc", unix.SYS_MOUNT, s.text("proc"), s.text("proc"), s.text("proc"),
		unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, 0)
	for _, name := range root.readOnly {
		s.bind(bind{"proc/" + name, "proc/" + name}, unix.MOUNT_ATTR_RDONLY)
	}
	for _, name := range root.hidden {
		s.bind(bind{"dev/null", "proc/" + name}, 0)
	}
	if shell.tmp == "" {
		s.placeDisk()
	} else {
		s.bind(bind{shell.tmp, "tmp"}, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	}
	s.further(shell.mounts)
}

// pivot makes the working folder the root. The kernel looks at every thread of
// the machine for that, so it is done once for many shells where it can be.
func (s *script) pivot() {
	s.attributes(".", readOnlyTree, false)
	s.call("pivot_root", unix.SYS_PIVOT_ROOT, s.text("."), s.text("."))
	s.call("leave the host's root", unix.SYS_UMOUNT2, s.text("."), unix.MNT_DETACH)
	s.call("enter the root", unix.SYS_CHDIR, s.text("/"))
}

// further are the mounts of a function's own. /mnt becomes a file system with
// their places, which the root that all sandboxes share does not have.
func (s *script) further(mounts []sandbox.Mount) {
	if len(mounts) == 0 {
		return
	}
	const tree = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
	s.call("mount /mnt", unix.SYS_MOUNT, s.text("tmpfs"), s.text("mnt"), s.text("tmpfs"),
		unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, s.text("mode=755,size=64k"))
	for _, m := range mounts {
		to := m.To[1:] // in the root that is being made
		flags := uint64(tree)
		if !m.Writable {
			flags |= unix.MOUNT_ATTR_RDONLY
		}
		s.call("make "+m.To, unix.SYS_MKDIRAT, unix.AT_FDCWD, s.text(to), 0o755)
		s.bind(bind{m.From, to}, flags)
	}
	s.attributes("mnt", readOnlyTree, false)
}

func storeName(i int) string { return storeDir + "/" + string(rune('a'+i)) }

// handed is how many descriptors the setup hands over: the root, the listener
// of an own network, the sockets of a private one.
func (shell *shellPlan) handed() int {
	switch shell.network {
	case NetworkHost:
		return 1
	case NetworkPrivate:
		return maxHanded
	}
	return 2
}

// network brings loopback up, with the socket that was opened first, gives it
// AWS's address and opens the listener.
func (s *script) network() {
	request := func(name string, call int, device string, fill func([]byte)) {
		ifreq := make([]byte, 40)
		copy(ifreq, device)
		fill(ifreq[16:])
		s.call(name, unix.SYS_IOCTL, fdReceived, call, s.bytes(ifreq))
	}
	request("bring lo up", unix.SIOCSIFFLAGS, "lo", func(b []byte) {
		binary.NativeEndian.PutUint16(b, unix.IFF_UP|unix.IFF_RUNNING)
	})
	request("add an address", unix.SIOCSIFADDR, "lo:1", func(b []byte) { inet(b, runtimeIP, 0) })
	request("set its mask", unix.SIOCSIFNETMASK, "lo:1", func(b []byte) { inet(b, [4]byte{255, 255, 255, 255}, 0) })
	s.call("socket", unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	one := s.words(1)
	s.call("reuse the address", unix.SYS_SETSOCKOPT, fdListener, unix.SOL_SOCKET, unix.SO_REUSEADDR, one, 4)
	name := make([]byte, 16)
	inet(name, [4]byte{}, RuntimePort) // 127.0.0.1 and AWS's
	s.call("bind the listener", unix.SYS_BIND, fdListener, s.bytes(name), 16)
	s.call("listen", unix.SYS_LISTEN, fdListener, 128)
}

// inet fills a sockaddr_in.
func inet(b []byte, ip [4]byte, port uint16) {
	binary.NativeEndian.PutUint16(b, unix.AF_INET)
	binary.BigEndian.PutUint16(b[2:], port)
	copy(b[4:], ip[:])
}

// maxHanded is how many descriptors a script passes at most.
const maxHanded = 2 + relay.Sockets

// hand reports that the script is done and passes descriptors: those after the
// helper socket, n of them.
func (s *script) hand(n int) {
	msg := s.handing(s.words(reportDone, 0), 2, fdReceived+1, n)
	s.call("report", unix.SYS_SENDMSG, fdControl, msg, unix.MSG_NOSIGNAL)
}

// handing is the msghdr of a report, of that many words, that passes n
// descriptors from first on.
func (s *script) handing(report at, words, first, n int) at {
	control := make([]byte, unix.CmsgSpace(4*n))
	binary.NativeEndian.PutUint64(control, uint64(unix.CmsgLen(4*n)))
	binary.NativeEndian.PutUint32(control[8:], unix.SOL_SOCKET)
	binary.NativeEndian.PutUint32(control[12:], unix.SCM_RIGHTS)
	for i := range n {
		binary.NativeEndian.PutUint32(control[16+4*i:], uint32(first+i))
	}
	iov := s.words(report, 8*words)
	return s.words(0, 0, iov, 1, s.bytes(control), len(control), 0)
}
