package process

import "syscall"

// notExecutable is what the system says of a program that it cannot execute,
// apart from what every Unix says.
func notExecutable(errno syscall.Errno) bool { return errno == syscall.ELIBBAD }
