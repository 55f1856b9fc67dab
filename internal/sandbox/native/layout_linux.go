package native

// Addresses in process 1. The interpreter (vm_*.s) knows scriptBase and
// errorBase+8; everything else is between the scripts.
const (
	codeBase = 0x400000
	// errorBase is a report (see wire_linux.go) whose second and third words
	// the interpreter fills when an operation's onError is taken.
	errorBase = 0x600000
	// scriptBase is the first operation of the resident script.
	scriptBase = 0x600040
	// messageBase is where lamb's messages are received: each is a script.
	messageBase = 0x700000
	// maxMessage bounds a message. It is below what a unix socket takes in one
	// piece by default (net.core.wmem_default, 208 KiB).
	maxMessage = 160 << 10
)
