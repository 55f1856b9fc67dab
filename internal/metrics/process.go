package metrics

import (
	"syscall"
	"time"
)

// Process registers what the operating system tells of this program:
// <prefix>process_* with the names and meanings of Prometheus' own client, as
// far as the operating system tells it.
func Process(r *Registry, prefix string) {
	prefix += "process_"
	Read(r, cpuTime, Reading[time.Duration]{
		Name: prefix + "cpu_seconds_total", Help: "CPU time of this program, in seconds.",
		Type: TypeCounter, Value: time.Duration.Seconds,
	})
	limit := func(name, help string, resource int) {
		Read(r, func() (l syscall.Rlimit, err error) { return l, syscall.Getrlimit(resource, &l) }, Reading[syscall.Rlimit]{
			Name: prefix + name, Help: help, Type: TypeGauge, Value: func(l syscall.Rlimit) float64 { return float64(l.Cur) },
		})
	}
	limit("max_fds", "Files that this program may have open.", syscall.RLIMIT_NOFILE)
	limit("virtual_memory_max_bytes", "Address space that this program may have, in bytes.", syscall.RLIMIT_AS)
	processFiles(r, prefix)
}

// cpuTime is what the program and the kernel for it have used.
func cpuTime() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}
