package escapes

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

func files() []Attempt {
	read := func(path string) error {
		_, err := os.ReadFile(path)
		return err
	}
	write := func(path, text string) error {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.WriteString(text)
		return err
	}
	return []Attempt{
		{"read a file of the host", func(t Target) error { return read(t.Secret) }},
		{"read it through process 1's root", func(t Target) error { return read("/proc/1/root" + t.Secret) }},
		{"read it through process 1's folder", func(t Target) error { return read("/proc/1/cwd" + t.Secret) }},
		{"read it through dots", func(t Target) error { return read("/var/task/../../../../.." + t.Secret) }},
		{"read it through a link", func(t Target) error {
			link := filepath.Join(os.TempDir(), "link")
			if err := os.Symlink(t.Secret, link); err != nil {
				return err
			}
			defer os.Remove(link)
			return read(link)
		}},
		{"list lamb's data", func(t Target) error {
			_, err := os.ReadDir(t.Data)
			return err
		}},
		{"list another sandbox's /tmp", func(t Target) error {
			_, err := os.ReadDir(t.OtherTmp)
			return err
		}},
		{"list the stores of shells", func(Target) error {
			entries, err := os.ReadDir("/.s/a")
			if err == nil && len(entries) == 0 {
				return errRefused
			}
			return err
		}},
		{"read the host's passwords", func(Target) error { return read("/etc/shadow") }},
		{"list root's home", func(Target) error {
			_, err := os.ReadDir("/root")
			return err
		}},
		{"read the host's settings", func(Target) error {
			_, err := os.ReadDir("/sys/kernel")
			return err
		}},
		{"read the kernel's memory", func(Target) error {
			b := make([]byte, 16)
			f, err := os.Open("/proc/kcore")
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.Read(b)
			return err
		}},
		{"open the machine's memory", func(Target) error { return read("/dev/mem") }},
		{"read the kernel's log", func(Target) error { return write("/dev/kmsg", "escape\n") }},
		{"find a disk", func(Target) error {
			entries, err := os.ReadDir("/dev")
			for _, e := range entries {
				if info, err := e.Info(); err == nil && info.Mode()&os.ModeDevice != 0 && info.Mode()&os.ModeCharDevice == 0 {
					return nil
				}
			}
			if err == nil {
				err = errRefused
			}
			return err
		}},
		{"make a device", func(Target) error {
			return unix.Mknod(filepath.Join(os.TempDir(), "disk"), unix.S_IFBLK|0o600, 8<<8)
		}},
		{"write to the code", func(Target) error {
			return os.WriteFile(filepath.Join(cmp.Or(os.Getenv("LAMBDA_TASK_ROOT"), "/var/task"), "new"), nil, 0o600)
		}},
		{"write to the host's programs", func(Target) error { return os.WriteFile("/usr/bin/new", nil, 0o755) }},
		{"write to /", func(Target) error { return os.WriteFile("/new", nil, 0o600) }},
		{"change passwd", func(Target) error { return write("/etc/passwd", "x") }},
		{"change the core pattern", func(Target) error { return write("/proc/sys/kernel/core_pattern", "|/tmp/x") }},
		{"change a setting", func(Target) error { return write("/proc/sys/vm/overcommit_memory", "0") }},
		{"change a setting of the network", func(Target) error { return write("/proc/sys/net/ipv4/ip_forward", "1") }},
		{"watch the machine's load", func(Target) error {
			f, err := os.OpenFile("/proc/pressure/cpu", os.O_RDWR, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteString("some 500000 10000000\n")
			return err
		}},
		{"press SysRq", func(Target) error { return write("/proc/sysrq-trigger", "h") }},
		{"change a setting below /sys", func(Target) error { return write("/sys/kernel/mm/ksm/run", "0") }},
		{"adjust its own score for the OOM killer", func(Target) error { return write("/proc/self/oom_score_adj", "-1000") }},
		{"have shared memory in /dev", func(Target) error { return os.WriteFile("/dev/shm/x", nil, 0o600) }},
		{"open by handle", func(Target) error {
			mount, err := unix.Open("/", unix.O_RDONLY, 0)
			if err != nil {
				return err
			}
			defer unix.Close(mount)
			handle := unix.NewFileHandle(1, []byte{2, 0, 0, 0, 0, 0, 0, 0})
			fd, err := unix.OpenByHandleAt(mount, handle, unix.O_RDONLY)
			if err == nil {
				unix.Close(fd)
			}
			return err
		}},
		{"inherit a descriptor", inherited},
	}
}

// inherited looks for sockets and pipes that this program has not opened.
func inherited(Target) error {
	for fd := 3; fd < 1024; fd++ {
		link, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		if err == nil && (strings.HasPrefix(link, "socket:") || strings.HasPrefix(link, "pipe:") || strings.HasPrefix(link, "/")) &&
			!strings.HasPrefix(link, "/proc/") && !strings.HasPrefix(link, "/sys/fs/cgroup") {
			fmt.Fprintln(os.Stderr, fd, link)
			return nil
		}
	}
	return errRefused
}

func processes() []Attempt {
	return []Attempt{
		{"see the host's processes", func(t Target) error {
			_, err := os.Stat("/proc/" + strconv.Itoa(t.Pid) + "/status")
			return err
		}},
		{"signal a process of the host", func(t Target) error { return unix.Kill(t.Pid, 0) }},
		{"kill process 1", func(Target) error { return survives(unix.SIGKILL) }},
		{"stop process 1", func(Target) error { return survives(unix.SIGSTOP) }},
		{"read process 1's environment", func(Target) error {
			_, err := os.ReadFile("/proc/1/environ")
			return err
		}},
		{"open process 1's memory", func(Target) error {
			f, err := os.OpenFile("/proc/1/mem", os.O_RDWR, 0)
			if err == nil {
				f.Close()
			}
			return err
		}},
		{"list process 1's descriptors", func(Target) error {
			_, err := os.ReadDir("/proc/1/fd")
			return err
		}},
		{"trace process 1", func(Target) error { return unix.PtraceAttach(1) }},
		{"seize its parent", func(Target) error { return unix.PtraceSeize(os.Getppid()) }},
		{"read process 1's memory", func(Target) error {
			b := make([]byte, 8)
			local := []unix.Iovec{{Base: &b[0], Len: 8}}
			_, err := unix.ProcessVMReadv(1, local, []unix.RemoteIovec{{Base: 0x400000, Len: 8}}, 0)
			return err
		}},
		{"take a descriptor of process 1", func(Target) error {
			fd, err := unix.PidfdOpen(1, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			_, err = unix.PidfdGetfd(fd, 3, 0)
			return err
		}},
		{"limit process 1", func(Target) error {
			return unix.Prlimit(1, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: 3}, nil)
		}},
		{"compare with process 1", func(Target) error {
			return call(unix.SYS_KCMP, uintptr(os.Getpid()), 1, 2, 0, 0)
		}},
		{"read the memory of a process of the host", func(t Target) error {
			f, err := os.Open("/proc/" + strconv.Itoa(t.Pid) + "/mem")
			if err == nil {
				f.Close()
			}
			return err
		}},
		{"read the environment of a process of the host", func(t Target) error {
			_, err := os.ReadFile("/proc/" + strconv.Itoa(t.Pid) + "/environ")
			return err
		}},
		{"attach the host's shared memory", func(t Target) error {
			_, err := unix.SysvShmAttach(t.Shm, 0, unix.SHM_RDONLY)
			return err
		}},
	}
}

// survives signals process 1; it fails when that goes on working, which shows
// in that it reaps an orphan.
func survives(sig unix.Signal) error {
	if err := unix.Kill(1, sig); err != nil {
		return err
	}
	out, err := exec.Command("/bin/sh", "-c", "sh -c 'exec true' & echo $!").Output()
	if err != nil {
		return nil
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		return err
	}
	for range 2000 {
		if unix.Kill(pid, 0) == unix.ESRCH {
			return errRefused
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 1_000_000}, nil)
	}
	return nil
}

// call makes a system call by its number.
func call(nr uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	if _, _, errno := unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
		return errno
	}
	return nil
}

func pointer(b []byte) uintptr { return uintptr(unsafe.Pointer(&b[0])) }
