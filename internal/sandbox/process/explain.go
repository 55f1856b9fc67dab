//go:build unix

package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/hostfs"
)

// explainStart tells why the system could not start path in dir. The system
// gives one number for the folder, the program and the program's interpreter,
// so this looks at them afterwards.
func explainStart(path, dir string, err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err
	}
	switch errno {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.EACCES, syscall.EPERM, syscall.ELOOP,
		syscall.ENOEXEC, syscall.EISDIR, syscall.ETXTBSY, syscall.EINVAL:
	default:
		if !notExecutable(errno) {
			return err
		}
	}
	if info, statErr := os.Stat(dir); statErr != nil {
		return fmt.Errorf("%w: %w", sandbox.ErrNoFolder, statErr)
	} else if !info.IsDir() {
		return fmt.Errorf("%w: %s: %w", sandbox.ErrNoFolder, dir, syscall.ENOTDIR)
	}
	full := path
	if !filepath.IsAbs(full) {
		full = filepath.Join(dir, path)
	}
	info, statErr := os.Stat(full)
	if errors.Is(statErr, os.ErrNotExist) || errors.Is(statErr, syscall.ENOTDIR) {
		return fmt.Errorf("%w: %w", sandbox.ErrNotFound, errno)
	}
	if statErr == nil && errno == syscall.EINVAL {
		return err // not about the file: a NUL byte in an argument
	}
	return fmt.Errorf("%w: %w%s", sandbox.ErrNotExecutable, errno, reason(full, info))
}

// reason is " (...)" with what can be seen of the file, or empty.
func reason(path string, info os.FileInfo) string {
	switch {
	case info == nil:
		return ""
	case info.IsDir():
		return " (it is a folder)"
	case info.Mode()&0o111 == 0:
		return " (it has no execute permission)"
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	head := make([]byte, 256)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && err != io.EOF {
		return ""
	}
	return hostfs.Describe(head[:n])
}
