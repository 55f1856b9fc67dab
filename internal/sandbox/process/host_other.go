//go:build unix && !linux

package process

import "syscall"

// maxRSSBytes is how much memory an ended process had at most.
func maxRSSBytes(u *syscall.Rusage) int64 { return int64(u.Maxrss) }

// residentPeak is how much memory a live process has had at most; zero: it
// cannot be known without cgo.
func residentPeak(int) int64 { return 0 }

// onlyZombies tells whether no process of a group is alive; false where it
// cannot be known: the machine's first process reaps them soon.
func onlyZombies(int) bool { return false }
