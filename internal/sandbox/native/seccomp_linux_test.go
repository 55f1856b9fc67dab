package native

import (
	"testing"

	"golang.org/x/sys/unix"
)

// judge runs a filter as the kernel does.
func judge(t *testing.T, program []unix.SockFilter, arch, nr uint32, args ...uint32) uint32 {
	t.Helper()
	word := func(offset uint32) uint32 {
		switch {
		case offset == dataNumber:
			return nr
		case offset == dataArch:
			return arch
		case (offset-dataArgs)%8 == 0 && int(offset-dataArgs)/8 < len(args):
			return args[(offset-dataArgs)/8]
		}
		return 0
	}
	var a uint32
	for pc := 0; pc < len(program); pc++ {
		f := program[pc]
		jump := func(yes bool) {
			if yes {
				pc += int(f.Jt)
			} else {
				pc += int(f.Jf)
			}
		}
		switch f.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = word(f.K)
		case unix.BPF_RET | unix.BPF_K:
			return f.K
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(f.K)
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			jump(a == f.K)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			jump(a >= f.K)
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			jump(a&f.K != 0)
		default:
			t.Fatalf("instruction %d: code %#x", pc, f.Code)
		}
	}
	t.Fatal("the filter has no end")
	return 0
}

func TestFilter(t *testing.T) {
	first, last := Filters()
	both := func(nr uint32, args ...uint32) uint32 {
		if got := judge(t, first, auditArch, nr, args...); got != answerAllow {
			return got
		}
		return judge(t, last, auditArch, nr, args...)
	}
	for _, needed := range []uint32{unix.SYS_MOUNT, unix.SYS_UMOUNT2} {
		if got := judge(t, first, auditArch, needed); got != answerAllow {
			t.Errorf("the first filter answers %#x to call %d", got, needed)
		}
	}
	denied := map[uint32]Denial{}
	for _, d := range Denials() {
		if d.Reason == "" || denied[d.Number].Name != "" {
			t.Errorf("%+v, also %q", d, denied[d.Number].Name)
		}
		denied[d.Number] = d
	}
	for nr := uint32(0); nr <= lastCall+10; nr++ {
		want := uint32(answerAllow)
		d, is := denied[nr]
		switch {
		case is:
			want = answer(d.Errno)
		case nr > lastCall:
			want = answer(unix.ENOSYS)
		case nr == unix.SYS_SOCKET, nr == unix.SYS_SOCKETPAIR: // without arguments: AF_UNSPEC
			want = answer(unix.EAFNOSUPPORT)
		}
		if got := both(nr); got != want {
			t.Errorf("call %d (%s): %#x, want %#x", nr, d.Name, got, want)
		}
	}
	for _, test := range []struct {
		what string
		nr   uint32
		args []uint32
		want uint32
	}{
		{"fork", unix.SYS_CLONE, []uint32{uint32(unix.SIGCHLD)}, answerAllow},
		{"thread", unix.SYS_CLONE, []uint32{0x3d0f00}, answerAllow},
		{"clone into a user namespace", unix.SYS_CLONE, []uint32{unix.CLONE_NEWUSER | 17}, answer(unix.EPERM)},
		{"clone into a group namespace", unix.SYS_CLONE, []uint32{unix.CLONE_NEWCGROUP}, answer(unix.EPERM)},
		{"unshare files", unix.SYS_UNSHARE, []uint32{unix.CLONE_FILES}, answerAllow},
		{"unshare time", unix.SYS_UNSHARE, []uint32{unix.CLONE_NEWTIME}, answer(unix.EPERM)},
		{"IPv4", unix.SYS_SOCKET, []uint32{unix.AF_INET}, answerAllow},
		{"IPv6", unix.SYS_SOCKET, []uint32{unix.AF_INET6}, answerAllow},
		{"unix", unix.SYS_SOCKET, []uint32{unix.AF_UNIX, 1, 0}, answerAllow},
		{"TCP", unix.SYS_SOCKET, []uint32{unix.AF_INET, 1, unix.IPPROTO_TCP}, answerAllow},
		{"ping by IPv6", unix.SYS_SOCKET, []uint32{unix.AF_INET6, 2, unix.IPPROTO_ICMPV6}, answerAllow},
		{"MPTCP, which Go tries", unix.SYS_SOCKET, []uint32{unix.AF_INET6, 1, unix.IPPROTO_MPTCP}, answerAllow},
		{"SCTP", unix.SYS_SOCKET, []uint32{unix.AF_INET, 1, unix.IPPROTO_SCTP}, answer(unix.EPROTONOSUPPORT)},
		{"DCCP by IPv6", unix.SYS_SOCKET, []uint32{unix.AF_INET6, 6, unix.IPPROTO_DCCP}, answer(unix.EPROTONOSUPPORT)},
		{"netlink", unix.SYS_SOCKET, []uint32{unix.AF_NETLINK, 3, unix.NETLINK_ROUTE}, answerAllow},
		{"uevents", unix.SYS_SOCKET, []uint32{unix.AF_NETLINK, 3, unix.NETLINK_KOBJECT_UEVENT}, answer(unix.EPROTONOSUPPORT)},
		{"unix pair", unix.SYS_SOCKETPAIR, []uint32{unix.AF_UNIX}, answerAllow},
		{"other pair", unix.SYS_SOCKETPAIR, []uint32{unix.AF_TIPC}, answer(unix.EAFNOSUPPORT)},
		{"vsock", unix.SYS_SOCKET, []uint32{unix.AF_VSOCK}, answer(unix.EAFNOSUPPORT)},
		{"own limits", unix.SYS_PRLIMIT64, []uint32{0}, answerAllow},
		{"another's limits", unix.SYS_PRLIMIT64, []uint32{1}, answer(unix.EPERM)},
		{"ask for the personality", unix.SYS_PERSONALITY, []uint32{^uint32(0)}, answerAllow},
		{"another personality", unix.SYS_PERSONALITY, []uint32{4}, answer(unix.EPERM)},
		{"window size", unix.SYS_IOCTL, []uint32{1, unix.TIOCGWINSZ}, answerAllow},
		{"type", unix.SYS_IOCTL, []uint32{0, unix.TIOCSTI}, answer(unix.EPERM)},
		{"x32", 0x40000000 + unix.SYS_GETPID, nil, answer(unix.ENOSYS)},
	} {
		if got := both(test.nr, test.args...); got != test.want {
			t.Errorf("%s: %#x, want %#x", test.what, got, test.want)
		}
	}
	if got := judge(t, first, auditArch+1, unix.SYS_GETPID); got != answer(unix.ENOSYS) {
		t.Errorf("another architecture: %#x", got)
	}
}

// TestFilterIsShort: the kernel runs it for every call.
func TestFilterIsShort(t *testing.T) {
	if first, last := Filters(); len(first) > 600 || len(last) > 20 {
		t.Errorf("%d and %d instructions", len(first), len(last))
	}
}
