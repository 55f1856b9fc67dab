package process

import "syscall"

// maxRSSBytes is how much memory an ended process had at most.
func maxRSSBytes(u *syscall.Rusage) int64 { return int64(u.Maxrss) << 10 }

// residentPeak is how much memory a live process has had at most; zero when
// it cannot be known.
func residentPeak(pid int) int64 {
	m, err := newProcfs().status(pid)
	if err != nil {
		return 0 // it has ended
	}
	return m.peak
}

// onlyZombies tells whether no process of a group is alive. Its orphans are
// for the machine's first process to reap, which may take its time.
func onlyZombies(group int) bool {
	fs := newProcfs()
	alive := false
	err := fs.names("/proc", func(pid int) {
		if m, err := fs.stat(pid); err == nil && m.group == group && !m.zombie() {
			alive = true
		}
	})
	return err == nil && !alive
}
