package process

import "syscall"

// notExecutable is what the system says of a program that it cannot execute,
// apart from what every Unix says.
func notExecutable(errno syscall.Errno) bool {
	// EBADARCH, EBADEXEC, EBADMACHO.
	return errno == syscall.Errno(86) || errno == syscall.Errno(85) || errno == syscall.Errno(88)
}
