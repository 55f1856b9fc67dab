//go:build unix

package process

import (
	"os"
	"strconv"
	"syscall"
)

// hideDescriptors marks every descriptor of this process above the standard
// three so that programs do not inherit it. Go's own are marked already; the
// ones that lamb was started with are not.
func hideDescriptors() error {
	dir, err := os.Open("/dev/fd")
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
	return nil
}
