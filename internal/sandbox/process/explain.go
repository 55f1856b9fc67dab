//go:build unix

package process

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/lambhq/lamb/internal/sandbox"
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
		return fmt.Errorf("working folder: %w", statErr)
	} else if !info.IsDir() {
		return fmt.Errorf("working folder %s: %w", dir, syscall.ENOTDIR)
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
	return describe(head[:n])
}

// describe tells from its first bytes why a file cannot be executed here.
func describe(head []byte) string {
	switch {
	case len(head) == 0:
		return " (it is empty)"
	case bytes.HasPrefix(head, []byte("#!")):
		line, _, _ := bytes.Cut(head[2:], []byte("\n"))
		return fmt.Sprintf(" (its interpreter %q is missing or cannot be executed)", bytes.TrimSpace(line))
	case bytes.HasPrefix(head, []byte("\x7fELF")) && len(head) >= 20:
		return describeELF(head)
	case len(head) >= 4 && isMachO(binary.LittleEndian.Uint32(head)):
		if runtime.GOOS != "darwin" {
			return " (it is a macOS program)"
		}
		return ""
	}
	return " (it is neither a program nor a script that begins with #!)"
}

func describeELF(head []byte) string {
	order := binary.ByteOrder(binary.LittleEndian)
	if head[5] == 2 {
		order = binary.BigEndian
	}
	arch := map[uint16]string{3: "386", 40: "arm", 62: "amd64", 183: "arm64", 243: "riscv64"}[order.Uint16(head[18:])]
	if arch == "" {
		arch = "another machine"
	}
	if runtime.GOOS != "linux" || arch != runtime.GOARCH {
		return fmt.Sprintf(" (it is a Linux program for %s, this is %s on %s)", arch, runtime.GOOS, runtime.GOARCH)
	}
	return " (its dynamic loader or a part of it is missing)"
}

func isMachO(magic uint32) bool {
	switch magic {
	case 0xfeedface, 0xfeedfacf, 0xbebafeca:
		return true
	}
	return false
}
