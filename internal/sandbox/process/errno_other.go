//go:build unix && !linux && !darwin

package process

import "syscall"

// notExecutable is what the system says of a program that it cannot execute,
// apart from what every Unix says.
func notExecutable(syscall.Errno) bool { return false }
