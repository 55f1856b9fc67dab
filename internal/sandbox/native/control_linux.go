package native

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lambhq/lamb/internal/sandbox"
)

// report is a message from process 1, as words.
type report []uint64

func parseReport(b []byte) report {
	r := make(report, len(b)/8)
	for i := range r {
		r[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return r
}

// parseRights returns the descriptors in a message's control data; package net
// has made them close-on-exec.
func parseRights(oob []byte) (fds []int) {
	if len(oob) == 0 {
		return nil
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		if got, err := unix.ParseUnixRights(&m); err == nil {
			fds = append(fds, got...)
		}
	}
	return fds
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// word returns a word, zero when the report is shorter.
func (r report) word(i int) uint64 {
	if i >= len(r) {
		return 0
	}
	return r[i]
}

// errno returns a word as a system call's error, zero when it is none.
func (r report) errno(i int) syscall.Errno {
	if v := int64(r.word(i)); v < 0 && v >= -4095 {
		return syscall.Errno(-v)
	}
	return 0
}

// stepError is a failed operation of a script.
type stepError struct {
	Step  string
	Errno syscall.Errno
}

func (e *stepError) Error() string { return e.Step + ": " + e.Errno.Error() }
func (e *stepError) Unwrap() error { return e.Errno }

// control is lamb's end of the socket to a shell's process 1.
type control struct {
	conn *net.UnixConn

	// dead is closed when process 1 has closed its end, that is, ended.
	dead chan struct{}
	// cause is why, valid after dead is closed.
	cause error
	// began is the script that configures.
	began *script

	mu    sync.Mutex // guards what follows
	last  uint64
	calls map[uint64]call
}

// call hears of the answer to a request, in the reading goroutine. It tells
// whether it takes the descriptors that came with the answer.
type call func(r report, fds []int) (taken bool)

// newControl returns lamb's end, and process 1's, which the caller closes.
func newControl() (*control, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "init")
	ours := os.NewFile(uintptr(fds[0]), "lamb")
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return &control{
		conn: conn.(*net.UnixConn), dead: make(chan struct{}), calls: map[uint64]call{},
	}, theirs, nil
}

// send sends a script, with descriptors.
func (c *control) send(s *script, files ...*os.File) error {
	message, err := s.assemble()
	if err != nil {
		if errors.Is(err, errNUL) {
			return syscall.EINVAL
		}
		return err
	}
	if len(message) > maxMessage {
		return syscall.E2BIG
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			// Fd makes the file blocking, which a writing end is anyway.
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	if _, _, err := c.conn.WriteMsgUnix(message, rights, nil); err != nil {
		if errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
			return errEnded
		}
		return err
	}
	return nil
}

// errEnded: process 1 has ended, and with it everything in the sandbox.
var errEnded = fmt.Errorf("its first process has ended: %w", sandbox.ErrClosed)

// receive waits for one report, with the descriptors that come with it. It is
// for the time before read is running. s is what process 1 is running.
func (c *control) receive(s *script) (report, []int, error) {
	buf, oob := make([]byte, 256), make([]byte, unix.CmsgSpace(4*maxHanded))
	n, oobn, _, _, err := c.conn.ReadMsgUnix(buf, oob)
	if err != nil || n == 0 {
		return nil, nil, errEnded
	}
	fds := parseRights(oob[:oobn])
	r := parseReport(buf[:n])
	if r.word(0) == reportFailed {
		return nil, fds, &stepError{Step: s.opAt(r.word(1)), Errno: r.errno(2)}
	}
	return r, fds, nil
}

// begin remembers the script that read has to explain the failure of.
func (c *control) begin(s *script) *script {
	c.began = s
	return s
}

// read delivers reports until process 1 ends. exited hears of every ended
// process, also of orphans that the sandbox did not start.
func (c *control) read(exited func(pid int, status syscall.WaitStatus, maxRSS int64)) {
	c.cause = errEnded
	// A request is answered with one descriptor at most; the kernel drops what
	// there is no room for.
	buf, oob := make([]byte, 512), make([]byte, unix.CmsgSpace(4))
	for {
		n, oobn, _, _, err := c.conn.ReadMsgUnix(buf, oob)
		if err != nil || n == 0 {
			break
		}
		r, fds := parseReport(buf[:n]), parseRights(oob[:oobn])
		switch r.word(0) {
		case reportDone:
			if c.answered(r, fds) {
				fds = nil
			}
		case reportFailed:
			c.cause = &stepError{Step: c.began.opAt(r.word(1)), Errno: r.errno(2)}
		case reportExited:
			exited(int(r.word(1)), syscall.WaitStatus(uint32(r.word(2))), int64(r.word(maxrssAt/8))<<10)
		}
		closeAll(fds)
	}
	close(c.dead)
}

// answered tells the request that it has been answered, and whether that has
// taken the descriptors.
func (c *control) answered(r report, fds []int) (taken bool) {
	c.mu.Lock()
	heard := c.calls[r.word(1)]
	delete(c.calls, r.word(1))
	c.mu.Unlock()
	return heard != nil && heard(r, fds)
}

// request reserves a number; heard is called once, when it is answered.
func (c *control) request(heard call) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	c.calls[c.last] = heard
	return c.last
}

// submit sends the script of a request.
func (c *control) submit(number uint64, s *script, files ...*os.File) error {
	err := c.send(s, files...)
	if err == nil {
		return nil
	}
	c.forget(number)
	if !errors.Is(err, errEnded) {
		return err
	}
	<-c.dead // or will be at once: for the cause
	return c.cause
}

// forget gives a number back that was not answered.
func (c *control) forget(number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls, number)
}
