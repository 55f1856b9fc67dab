package native

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// archDenials are calls that only this architecture has.
func archDenials() []Denial { return nil }
