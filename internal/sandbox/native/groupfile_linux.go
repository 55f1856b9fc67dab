package native

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The files of control groups are opened without package os, which would have
// the runtime's poller watch each: unlike others, these files can be polled.

// retry repeats a system call that a signal has interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); err != unix.EINTR {
			return n, err
		}
	}
}

// openGroup opens a control file, for the caller to close.
func openGroup(path string, flags int) (int, error) {
	fd, err := retry(func() (int, error) { return unix.Open(path, flags|unix.O_CLOEXEC, 0) })
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// writeGroup writes a control file; it never creates one.
func writeGroup(dir, name, value string) error {
	path := filepath.Join(dir, name)
	fd, err := openGroup(path, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if _, err := retry(func() (int, error) { return unix.Write(fd, []byte(value)) }); err != nil {
		return &os.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}

// readGroup reads a control file.
func readGroup(path string) ([]byte, error) {
	fd, err := openGroup(path, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	b := make([]byte, 0, 2048)
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := retry(func() (int, error) { return unix.Read(fd, b[len(b):cap(b)]) })
		if err != nil {
			return nil, &os.PathError{Op: "read", Path: path, Err: err}
		}
		if n == 0 {
			return b, nil
		}
		b = b[:len(b)+n]
	}
}

func readNumber(path string) (int64, bool) {
	b, err := readGroup(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil
}

// readKey reads a number from lines "key number"; -1 when it is not there.
func readKey(path, key string) int64 {
	b, err := readGroup(path)
	if err != nil {
		return -1
	}
	return keyIn(b, key)
}

// keyIn is readKey on the file's content.
func keyIn(b []byte, key string) int64 {
	for line := range bytes.Lines(b) {
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		if string(name) != key {
			continue
		}
		if n, err := strconv.ParseInt(string(value), 10, 64); err == nil {
			return n
		}
	}
	return -1
}

// fields reads a file of words.
func fields(path string) map[string]bool {
	set := map[string]bool{}
	b, err := readGroup(path)
	if err != nil {
		return set
	}
	for _, f := range strings.Fields(string(b)) {
		set[f] = true
	}
	return set
}
