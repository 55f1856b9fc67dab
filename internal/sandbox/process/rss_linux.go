package process

import "syscall"

// maxRSSBytes is how much memory an ended process had at most.
func maxRSSBytes(u *syscall.Rusage) int64 { return int64(u.Maxrss) << 10 }

// residentPeak is how much memory a live process has had at most; zero when
// it cannot be known.
func residentPeak(pid int) int64 { return readHWM(pid) }
