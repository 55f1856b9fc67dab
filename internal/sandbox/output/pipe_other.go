//go:build unix && !linux

package output

import (
	"os"
	"syscall"
)

// pipe returns a pipe whose reading end does not block and whose writing end
// does: the latter is the program's, and programs do not expect EAGAIN.
func pipe() (r, w *os.File, err error) {
	var fds [2]int
	// ForkLock keeps a program that is being started from inheriting them.
	syscall.ForkLock.RLock()
	err = syscall.Pipe(fds[:])
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("pipe", err)
	}
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		syscall.Close(fds[0])
		syscall.Close(fds[1])
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fds[0]), "output"), os.NewFile(uintptr(fds[1]), "output"), nil
}

// buffered is an upper bound of the bytes in the pipe: such pipes hold at most
// 64 KiB. A flush ends earlier when the pipe is empty.
func buffered(int) int { return 64 << 10 }
