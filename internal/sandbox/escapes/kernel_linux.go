package escapes

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func namespaces() []Attempt {
	unshare := func(flags int) func(Target) error {
		return func(Target) error {
			// On a thread that is thrown away.
			done := make(chan error)
			go func() {
				runtime.LockOSThread()
				done <- unix.Unshare(flags)
			}()
			return <-done
		}
	}
	clone := func(flags uintptr) func(Target) error {
		return func(Target) error {
			cmd := exec.Command("/bin/true")
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
			return cmd.Run()
		}
	}
	return []Attempt{
		{"unshare a user namespace", unshare(unix.CLONE_NEWUSER | unix.CLONE_FS)},
		{"unshare a mount namespace", unshare(unix.CLONE_NEWNS)},
		{"unshare a network namespace", unshare(unix.CLONE_NEWNET)},
		{"unshare a control group namespace", unshare(unix.CLONE_NEWCGROUP)},
		{"unshare a time namespace", unshare(unix.CLONE_NEWTIME)},
		{"clone into a user namespace", clone(unix.CLONE_NEWUSER)},
		{"clone into user and mount namespaces", clone(unix.CLONE_NEWUSER | unix.CLONE_NEWNS)},
		{"clone into a process namespace", clone(unix.CLONE_NEWPID)},
		{"clone3 into a user namespace", func(Target) error {
			args := make([]uint64, 11)
			args[0], args[4] = unix.CLONE_NEWUSER, uint64(unix.SIGCHLD)
			pid, _, errno := unix.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args[0])), 88, 0)
			if errno != 0 {
				return errno
			}
			if pid == 0 {
				unix.Exit(0)
			}
			return nil
		}},
		{"enter process 1's mount namespace", func(Target) error { return enter("/proc/1/ns/mnt", unix.CLONE_NEWNS) }},
		{"enter its own network namespace", func(Target) error { return enter("/proc/self/ns/net", unix.CLONE_NEWNET) }},
		{"mount a tmpfs", func(Target) error { return unix.Mount("x", os.TempDir(), "tmpfs", 0, "") }},
		{"mount proc", func(Target) error { return unix.Mount("proc", os.TempDir(), "proc", 0, "") }},
		{"make the code writable", func(Target) error {
			return unix.Mount("", "/var/task", "", unix.MS_REMOUNT|unix.MS_BIND, "")
		}},
		{"make the code writable by attributes", func(Target) error {
			return unix.MountSetattr(unix.AT_FDCWD, "/var/task", 0, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY})
		}},
		{"uncover /proc/sys", func(Target) error { return unix.Unmount("/proc/sys", unix.MNT_DETACH) }},
		{"change the root", func(Target) error { return unix.Chroot(os.TempDir()) }},
		{"pivot the root", func(Target) error { return unix.PivotRoot("/tmp", "/tmp") }},
		{"open a file system", func(Target) error { _, err := unix.Fsopen("proc", 0); return err }},
		{"clone a mount", func(Target) error { _, err := unix.OpenTree(unix.AT_FDCWD, "/", unix.OPEN_TREE_CLONE); return err }},
		{"move a mount", func(Target) error { return unix.MoveMount(unix.AT_FDCWD, "/var/task", unix.AT_FDCWD, "/opt", 0) }},
	}
}

func enter(path string, kind int) error {
	fd, err := unix.Open(path, unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- unix.Setns(fd, kind)
	}()
	return <-done
}

func kernel() []Attempt {
	name, zero := []byte("escape\x00"), make([]byte, 128)
	try := func(nr uintptr, args ...uintptr) func(Target) error {
		return func(Target) error { return call(nr, args...) }
	}
	return []Attempt{
		{"load a BPF program", try(unix.SYS_BPF, 0, pointer(zero), 72)},
		{"add a key", try(unix.SYS_ADD_KEY, pointer([]byte("user\x00")), pointer(name), pointer(zero), 8, ^uintptr(3)+1)},
		{"read the session keyring", try(unix.SYS_KEYCTL, 0, ^uintptr(2), 0)},
		{"join a keyring", try(unix.SYS_KEYCTL, 1, 0)},
		{"set up io_uring", try(unix.SYS_IO_URING_SETUP, 1, pointer(zero))},
		{"catch page faults", try(unix.SYS_USERFAULTFD, 1)},
		{"count events of the machine", try(unix.SYS_PERF_EVENT_OPEN, pointer(zero), 0, ^uintptr(0), ^uintptr(0), 0)},
		{"watch file systems", try(unix.SYS_FANOTIFY_INIT, 0, 0)},
		{"load a module", try(unix.SYS_INIT_MODULE, pointer(zero), 0, pointer(name))},
		{"load a kernel", try(unix.SYS_KEXEC_LOAD, 0, 0, 0, 0)},
		{"disable ctrl-alt-del", func(Target) error { return unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF) }},
		{"swap", try(unix.SYS_SWAPON, pointer(name), 0)},
		{"account processes", func(Target) error { return unix.Acct("") }},
		{"read the kernel's messages", func(Target) error { _, err := unix.Klogctl(3, zero); return err }},
		{"set the clock", func(Target) error {
			var now unix.Timespec
			if err := unix.ClockGettime(unix.CLOCK_REALTIME, &now); err != nil {
				return err
			}
			return unix.ClockSettime(unix.CLOCK_REALTIME, &now)
		}},
		{"set the time of day", func(Target) error {
			var now unix.Timeval
			if err := unix.Gettimeofday(&now); err != nil {
				return err
			}
			return unix.Settimeofday(&now)
		}},
		{"adjust the clock", func(Target) error { _, err := unix.Adjtimex(&unix.Timex{Modes: 1}); return err }},
		{"set the host name", func(Target) error { return unix.Sethostname([]byte("x")) }},
		{"set the domain name", func(Target) error { return unix.Setdomainname([]byte("x")) }},
		{"move pages", try(unix.SYS_MOVE_PAGES, 1, 0, 0, 0, 0, 0)},
		{"run as another system", try(unix.SYS_PERSONALITY, 4)},
		{"type into a terminal", try(unix.SYS_IOCTL, 0, unix.TIOCSTI, pointer(name))},
		{"call another ABI", try(0x40000000 + unix.SYS_GETPID)},
	}
}

func privileges() []Attempt {
	return []Attempt{
		{"become root", func(Target) error { return unix.Setresuid(0, 0, 0) }},
		{"become root's group", func(Target) error { return unix.Setresgid(0, 0, 0) }},
		{"take groups", func(Target) error { return unix.Setgroups([]int{0}) }},
		{"take capabilities", func(Target) error {
			header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			data := [2]unix.CapUserData{{Effective: 1 << unix.CAP_SYS_ADMIN, Permitted: 1 << unix.CAP_SYS_ADMIN}}
			return unix.Capset(&header, &data[0])
		}},
		{"have a capability or no filter", func(Target) error {
			status, err := os.ReadFile("/proc/self/status")
			if err != nil {
				return err
			}
			for line := range strings.Lines(string(status)) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
				if strings.HasPrefix(name, "Cap") && strings.Trim(value, "0") != "" {
					return nil
				}
				if name == "NoNewPrivs" && value != "1" || name == "Seccomp" && value != "2" {
					return nil
				}
			}
			return errRefused
		}},
		{"run a set-user-ID program", func(t Target) error {
			out, err := exec.Command(t.SetUID, "-u").Output()
			if err == nil && strings.TrimSpace(string(out)) != "0" {
				return errRefused
			}
			return err
		}},
		{"raise a limit", func(Target) error {
			return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20})
		}},
		{"open files without end", func(Target) error {
			var open []int
			defer func() {
				for _, fd := range open {
					unix.Close(fd)
				}
			}()
			for len(open) < 5000 {
				fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
				if err != nil {
					return err
				}
				open = append(open, fd)
			}
			return nil
		}},
		{"raise its priority", func(Target) error { return unix.Setpriority(unix.PRIO_PROCESS, 0, -5) }},
		{"lock much memory", func(Target) error {
			b, err := unix.Mmap(-1, 0, 16<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
			if err != nil {
				return err
			}
			defer unix.Munmap(b)
			return unix.Mlock(b)
		}},
	}
}
