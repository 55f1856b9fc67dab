package process

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// sigIgn is the kernel's SIG_IGN.
const sigIgn = 1

// sigaction is the kernel's struct sigaction; its zero value is SIG_DFL.
type sigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

// defaultLibcSignals gives the signals that C libraries keep for themselves
// (32 to 34) their default action if they are ignored. signal.Notify does not
// touch them, so lamb's own start, or a race detector, could pass them on.
func defaultLibcSignals() {
	for sig := uintptr(32); sig <= 34; sig++ {
		var old, def sigaction
		_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, 0, uintptr(unsafe.Pointer(&old)), unsafe.Sizeof(old.mask), 0, 0)
		if errno == 0 && old.handler == sigIgn {
			_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&def)), 0, unsafe.Sizeof(def.mask), 0, 0)
		}
	}
}
