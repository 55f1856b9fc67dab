package native

import (
	"cmp"
	"slices"

	"golang.org/x/sys/unix"
)

// Denial is a system call that programs in a sandbox may not make.
type Denial struct {
	Name   string
	Number uint32
	Errno  unix.Errno
	Reason string
}

// Denials is the published profile, without the calls whose arguments decide:
//
//   - clone and unshare: EPERM with a flag that makes a namespace
//   - clone3: ENOSYS, its flags cannot be seen; C libraries fall back to clone
//   - socket: EAFNOSUPPORT for all but unix, IPv4, IPv6 and netlink; of
//     netlink only the protocol of routes, of IPv4 and IPv6 only TCP, UDP, ICMP
//     and MPTCP: EPROTONOSUPPORT for others, which would load modules or tell
//     of the host's devices
//   - socketpair: EAFNOSUPPORT for all but unix
//   - prlimit64: EPERM for another process
//   - personality: EPERM for all but the values that programs use
//   - ioctl: EPERM for TIOCSTI and TIOCLINUX, which write into terminals
//
// Calls newer than this table (above lastCall) and calls of another
// architecture or ABI get ENOSYS. Everything else is allowed.
func Denials() []Denial {
	const (
		mounts     = "changes the file system tree"
		namespaces = "enters other namespaces"
		kernel     = "loads code into the kernel, or replaces it"
		keys       = "keyrings are not part of any namespace"
		others     = "reads or steers other processes"
		machine    = "changes the machine"
		surface    = "large attack surface in the kernel, not needed by functions"
		memory     = "places memory of the machine"
	)
	deny := func(reason string, errno unix.Errno, calls map[string]uint32) []Denial {
		var list []Denial
		for name, number := range calls {
			list = append(list, Denial{name, number, errno, reason})
		}
		return list
	}
	all := slices.Concat(
		deny(mounts, unix.EPERM, map[string]uint32{
			"mount": unix.SYS_MOUNT, "umount2": unix.SYS_UMOUNT2, "pivot_root": unix.SYS_PIVOT_ROOT,
			"chroot": unix.SYS_CHROOT, "move_mount": unix.SYS_MOVE_MOUNT, "open_tree": unix.SYS_OPEN_TREE,
			"fsopen": unix.SYS_FSOPEN, "fsconfig": unix.SYS_FSCONFIG, "fsmount": unix.SYS_FSMOUNT,
			"fspick": unix.SYS_FSPICK, "mount_setattr": unix.SYS_MOUNT_SETATTR, "open_tree_attr": sysOpenTreeAttr,
			"quotactl": unix.SYS_QUOTACTL, "quotactl_fd": unix.SYS_QUOTACTL_FD,
		}),
		deny(namespaces, unix.EPERM, map[string]uint32{
			"setns": unix.SYS_SETNS, "open_by_handle_at": unix.SYS_OPEN_BY_HANDLE_AT,
		}),
		deny(kernel, unix.EPERM, map[string]uint32{
			"init_module": unix.SYS_INIT_MODULE, "finit_module": unix.SYS_FINIT_MODULE,
			"delete_module": unix.SYS_DELETE_MODULE, "kexec_load": unix.SYS_KEXEC_LOAD,
			"kexec_file_load": unix.SYS_KEXEC_FILE_LOAD, "bpf": unix.SYS_BPF,
		}),
		deny(keys, unix.EPERM, map[string]uint32{
			"add_key": unix.SYS_ADD_KEY, "request_key": unix.SYS_REQUEST_KEY, "keyctl": unix.SYS_KEYCTL,
		}),
		deny(others, unix.EPERM, map[string]uint32{
			"ptrace": unix.SYS_PTRACE, "process_vm_readv": unix.SYS_PROCESS_VM_READV,
			"process_vm_writev": unix.SYS_PROCESS_VM_WRITEV, "kcmp": unix.SYS_KCMP,
			"pidfd_getfd": unix.SYS_PIDFD_GETFD, "process_madvise": unix.SYS_PROCESS_MADVISE,
			"process_mrelease": unix.SYS_PROCESS_MRELEASE,
		}),
		deny(machine, unix.EPERM, map[string]uint32{
			"reboot": unix.SYS_REBOOT, "swapon": unix.SYS_SWAPON, "swapoff": unix.SYS_SWAPOFF, "acct": unix.SYS_ACCT,
			"settimeofday": unix.SYS_SETTIMEOFDAY, "clock_settime": unix.SYS_CLOCK_SETTIME,
			"clock_adjtime": unix.SYS_CLOCK_ADJTIME, "adjtimex": unix.SYS_ADJTIMEX,
			"sethostname": unix.SYS_SETHOSTNAME, "setdomainname": unix.SYS_SETDOMAINNAME,
			"vhangup": unix.SYS_VHANGUP, "syslog": unix.SYS_SYSLOG,
		}),
		deny(surface, unix.EPERM, map[string]uint32{
			"io_uring_setup": unix.SYS_IO_URING_SETUP, "io_uring_enter": unix.SYS_IO_URING_ENTER,
			"io_uring_register": unix.SYS_IO_URING_REGISTER, "userfaultfd": unix.SYS_USERFAULTFD,
			"perf_event_open": unix.SYS_PERF_EVENT_OPEN, "fanotify_init": unix.SYS_FANOTIFY_INIT,
			"fanotify_mark": unix.SYS_FANOTIFY_MARK, "lookup_dcookie": unix.SYS_LOOKUP_DCOOKIE,
			"nfsservctl": unix.SYS_NFSSERVCTL, "memfd_secret": sysMemfdSecret,
		}),
		deny(memory, unix.EPERM, map[string]uint32{
			"mbind": unix.SYS_MBIND, "set_mempolicy": unix.SYS_SET_MEMPOLICY,
			"migrate_pages": unix.SYS_MIGRATE_PAGES, "move_pages": unix.SYS_MOVE_PAGES,
			"set_mempolicy_home_node": unix.SYS_SET_MEMPOLICY_HOME_NODE,
		}),
		deny("its flags cannot be seen", unix.ENOSYS, map[string]uint32{"clone3": unix.SYS_CLONE3}),
		archDenials(),
	)
	slices.SortFunc(all, func(a, b Denial) int { return cmp.Compare(a.Number, b.Number) })
	return all
}

const (
	// Numbers above 424 are the same on every architecture.
	sysMemfdSecret  = 447
	sysOpenTreeAttr = 467
	// lastCall is the newest call that this table has considered.
	lastCall = 469
	// newNamespaces is every flag of clone that makes a namespace.
	newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
		unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET
	// newTime is unshare's only: clone has the exit signal there.
	newTime = unix.CLONE_NEWTIME
)

// Offsets in struct seccomp_data, and how a filter answers.
const (
	dataNumber = 0
	dataArch   = 4
	dataArgs   = 16 // the lower half of an argument comes first

	answerAllow = unix.SECCOMP_RET_ALLOW
)

func answer(errno unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(errno) }

func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

func ret(answer uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: answer}
}

// when compares what was loaded: op is BPF_JEQ, BPF_JGE or BPF_JSET.
func when(op uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | op | unix.BPF_K, K: k, Jt: yes, Jf: no}
}

// masked denies when any bit of an argument's lower half is set.
func masked(arg uint32, bits uint32) []unix.SockFilter {
	return []unix.SockFilter{
		load(dataArgs + 8*arg), when(unix.BPF_JSET, bits, 0, 1), ret(answer(unix.EPERM)), ret(answerAllow),
	}
}

// oneOf denies when an argument's lower half is none of the values.
func oneOf(arg uint32, errno unix.Errno, values ...uint32) []unix.SockFilter {
	f := []unix.SockFilter{load(dataArgs + 8*arg)}
	for i, v := range values {
		f = append(f, when(unix.BPF_JEQ, v, uint8(len(values)-i), 0))
	}
	return append(f, ret(answer(errno)), ret(answerAllow))
}

// noneOf denies when an argument's lower half is one of the values.
func noneOf(arg uint32, values ...uint32) []unix.SockFilter {
	f := []unix.SockFilter{load(dataArgs + 8*arg)}
	for i, v := range values {
		f = append(f, when(unix.BPF_JEQ, v, uint8(len(values)-i), 0))
	}
	return append(f, ret(answerAllow), ret(answer(unix.EPERM)))
}

// sockets allows what functions need to talk: the families, and of each the
// protocols.
func sockets() []unix.SockFilter {
	const family, protocol = 0, 2
	internet := oneOf(protocol, unix.EPROTONOSUPPORT, 0, unix.IPPROTO_TCP, unix.IPPROTO_UDP,
		unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6, unix.IPPROTO_MPTCP)
	netlink := oneOf(protocol, unix.EPROTONOSUPPORT, unix.NETLINK_ROUTE)
	n := uint8(len(netlink))
	return slices.Concat([]unix.SockFilter{
		load(dataArgs + 8*family),
		when(unix.BPF_JEQ, unix.AF_INET, 5+n, 0),
		when(unix.BPF_JEQ, unix.AF_INET6, 4+n, 0),
		when(unix.BPF_JEQ, unix.AF_NETLINK, 3, 0),
		when(unix.BPF_JEQ, unix.AF_UNIX, 1, 0),
		ret(answer(unix.EAFNOSUPPORT)),
		ret(answerAllow),
	}, netlink, internet)
}

// span is a range of call numbers, from first to the next span's, that are
// treated alike.
type span struct {
	first uint32
	code  []unix.SockFilter
}

// Filters returns the profile as two BPF programs, of which a call must pass
// both. The first is installed while a shell is made, because that takes a
// tenth of a millisecond; process 1 needs mount and umount2 once more after
// that, so the second denies these two. They are binary searches, because the
// kernel runs them for every system call that may be denied.
func Filters() (first, last []unix.SockFilter) {
	late := map[uint32][]unix.SockFilter{}
	all := special()
	for _, nr := range []uint32{unix.SYS_MOUNT, unix.SYS_UMOUNT2} {
		late[nr] = all[nr]
		delete(all, nr)
	}
	// A call that nobody has considered yet, and x32's.
	all[lastCall+1] = []unix.SockFilter{ret(answer(unix.ENOSYS))}
	return compile(all), compile(late)
}

// special is what the profile says of calls that are not simply allowed.
func special() map[uint32][]unix.SockFilter {
	special := map[uint32][]unix.SockFilter{
		unix.SYS_CLONE:       masked(0, newNamespaces),
		unix.SYS_UNSHARE:     masked(0, newNamespaces|newTime),
		unix.SYS_SOCKET:      sockets(),
		unix.SYS_SOCKETPAIR:  oneOf(0, unix.EAFNOSUPPORT, unix.AF_UNIX),
		unix.SYS_PRLIMIT64:   oneOf(0, unix.EPERM, 0),
		unix.SYS_PERSONALITY: oneOf(0, unix.EPERM, 0, 8, 0x20000, 0x20008, 0x40000, ^uint32(0)),
		unix.SYS_IOCTL:       noneOf(1, unix.TIOCSTI, unix.TIOCLINUX),
	}
	for _, d := range Denials() {
		special[d.Number] = []unix.SockFilter{ret(answer(d.Errno))}
	}
	return special
}

// compile makes a program: each call of special has its own code, others are
// allowed, but what is above lastCall is as lastCall+1.
func compile(special map[uint32][]unix.SockFilter) []unix.SockFilter {
	numbers := make([]uint32, 0, len(special))
	for n := range special {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)

	allow := []unix.SockFilter{ret(answerAllow)}
	spans := []span{{0, allow}}
	for _, n := range numbers {
		if spans[len(spans)-1].first == n {
			spans = spans[:len(spans)-1]
		}
		spans = append(spans, span{n, special[n]})
		if n <= lastCall {
			spans = append(spans, span{n + 1, allow})
		}
	}

	program := []unix.SockFilter{
		load(dataArch), when(unix.BPF_JEQ, auditArch, 1, 0), ret(answer(unix.ENOSYS)), load(dataNumber),
	}
	return append(program, search(spans)...)
}

// search is a binary search tree over spans.
func search(spans []span) []unix.SockFilter {
	if len(spans) == 1 {
		return spans[0].code
	}
	middle := len(spans) / 2
	low, high := search(spans[:middle]), search(spans[middle:])
	if len(low) <= 255 {
		return slices.Concat([]unix.SockFilter{when(unix.BPF_JGE, spans[middle].first, uint8(len(low)), 0)}, low, high)
	}
	far := unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA, K: uint32(len(low))}
	return slices.Concat([]unix.SockFilter{when(unix.BPF_JGE, spans[middle].first, 0, 1), far}, low, high)
}
