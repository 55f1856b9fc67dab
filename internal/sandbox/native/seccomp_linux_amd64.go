package native

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_X86_64

// archDenials are calls that only this architecture has.
func archDenials() []Denial {
	var list []Denial
	for name, number := range map[string]uint32{
		"iopl": unix.SYS_IOPL, "ioperm": unix.SYS_IOPERM, "modify_ldt": unix.SYS_MODIFY_LDT,
		"uselib": unix.SYS_USELIB, "ustat": unix.SYS_USTAT, "sysfs": unix.SYS_SYSFS, "_sysctl": unix.SYS__SYSCTL,
		"create_module": unix.SYS_CREATE_MODULE, "get_kernel_syms": unix.SYS_GET_KERNEL_SYMS,
		"query_module": unix.SYS_QUERY_MODULE,
	} {
		list = append(list, Denial{name, number, unix.EPERM, "obsolete, or reaches hardware"})
	}
	return list
}
