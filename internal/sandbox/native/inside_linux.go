package native

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/hostfs"
)

// open opens a path as processes inside see it. It never leaves the root, by
// no link, and never blocks.
func (sh *shell) open(name string, flags uint64) (*os.File, error) {
	if flags&unix.O_PATH == 0 {
		flags |= unix.O_NONBLOCK
	}
	fd, err := unix.Openat2(int(sh.root.Fd()), name, &unix.OpenHow{
		Flags:   flags | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT,
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// explain tells why a program could not be started.
func (sh *shell) explain(run *program, step *stepError) error {
	switch step.Step {
	case stepFolder:
		return fmt.Errorf("%w: %s: %w", sandbox.ErrNoFolder, run.dir, step.Errno)
	case stepFork, stepPrepare:
		return step
	}
	switch step.Errno {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.EACCES, syscall.EPERM, syscall.ELOOP, syscall.ENOEXEC,
		syscall.EISDIR, syscall.ETXTBSY, syscall.EINVAL, syscall.ELIBBAD:
	default:
		return step.Errno
	}
	full := run.path
	if !path.IsAbs(full) {
		full = path.Join(run.dir, full)
	}
	f, err := sh.open(full, unix.O_PATH)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("%w: %w", sandbox.ErrNotFound, step.Errno)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", sandbox.ErrNotExecutable, step.Errno)
	}
	defer f.Close()
	return fmt.Errorf("%w: %w%s", sandbox.ErrNotExecutable, step.Errno, sh.reason(full, f))
}

// reason is " (...)" with what can be seen of the file, or empty.
func (sh *shell) reason(full string, f *os.File) string {
	info, err := f.Stat()
	switch {
	case err != nil:
		return ""
	case info.IsDir():
		return " (it is a folder)"
	case !info.Mode().IsRegular():
		return " (it is not a regular file)"
	case info.Mode()&0o111 == 0:
		return " (it has no execute permission)"
	}
	r, err := sh.open(full, unix.O_RDONLY)
	if err != nil {
		return ""
	}
	defer r.Close()
	head := make([]byte, 256)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && err != io.EOF {
		return ""
	}
	return hostfs.Describe(head[:n])
}

// numbers lists the folders with a number for a name.
func (sh *shell) numbers(dir string) []int {
	f, err := sh.open(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil
	}
	var list []int
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil {
			list = append(list, n)
		}
	}
	return list
}

// processes lists the live processes by their numbers inside, without process
// 1, as the sandbox's own /proc has them.
func (sh *shell) processes() []int {
	var live []int
	for _, pid := range sh.numbers("proc") {
		if state := sh.state(pid, pid); pid != 1 && state != 'Z' && state != 'X' && state != 0 {
			live = append(live, pid)
		}
	}
	return live
}

// state is a thread's, 0 when it has ended.
func (sh *shell) state(pid, tid int) byte {
	b := sh.readProc(fmt.Sprintf("proc/%d/task/%d/stat", pid, tid))
	end := strings.LastIndexByte(b, ')')
	if end < 0 || end+2 >= len(b) {
		return 0
	}
	return b[end+2]
}

// stopped tells whether every thread but process 1 is stopped or has ended.
func (sh *shell) stopped() bool {
	for _, pid := range sh.processes() {
		for _, tid := range sh.numbers(fmt.Sprintf("proc/%d/task", pid)) {
			switch sh.state(pid, tid) {
			case 'T', 't', 'Z', 'X', 0:
			default:
				return false
			}
		}
	}
	return true
}

// residentPeak is the most memory that a live process has had, in bytes.
func (sh *shell) residentPeak(pid int) int64 {
	for line := range strings.Lines(sh.readProc(fmt.Sprintf("proc/%d/status", pid))) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib << 10 // zero when the kernel writes it otherwise
		}
	}
	return 0
}

// maxProc bounds a file of /proc.
const maxProc = 16 << 10

// readProc reads a file of the sandbox's /proc; empty when it is not there.
func (sh *shell) readProc(name string) string {
	f, err := sh.open(name, unix.O_RDONLY)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxProc))
	if err != nil {
		return ""
	}
	return string(b)
}
