package server

import (
	"fmt"
	"syscall"

	"github.com/lambhq/lamb/internal/pool"
)

// What lamb has open, at most: for itself with shells and clients that come and
// go, and for each environment (ten, measured on the native sandbox) with the
// connection of the client that waits for it.
const (
	openFilesItself         = 200
	openFilesPerEnvironment = 12
)

// warnOfOpenFiles tells the operator when the limit of open files comes before
// that of concurrency. Go has raised the soft limit to the hard one.
func (s *Server) warnOfOpenFiles() {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return
	}
	wanted := s.cfg.Concurrency
	if wanted == 0 {
		wanted = pool.DefaultLimit
	}
	if room := roomInOpenFiles(limit.Cur); room < uint64(wanted) {
		s.cfg.Log.Warn(fmt.Sprintf("about %d environments can exist at once, more invocations are throttled: "+
			"the limit of open files is %d; raise it (ulimit -Hn) or lower --concurrency", room, limit.Cur))
	}
}

// roomInOpenFiles is for how many environments a limit suffices.
func roomInOpenFiles(limit uint64) uint64 {
	return (max(limit, openFilesItself) - openFilesItself) / openFilesPerEnvironment
}
