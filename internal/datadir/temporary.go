package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/lambhq/lamb/internal/vfs"
)

// temporaryPrefix begins the names of temporary folders.
const temporaryPrefix = "lamb-ephemeral-"

// temporaryTries bounds how often a new folder may be swept away by another
// lamb, in the moment before it is locked.
const temporaryTries = 3

// Temporary makes a new folder that Close removes with all that is in it. It
// also removes those that lambs of the same user have left, who were killed.
func Temporary(opts Options) (*Dir, error) {
	sweepTemporary(opts.Log)
	for try := 1; ; try++ {
		path, err := os.MkdirTemp("", temporaryPrefix)
		if err != nil {
			return nil, fmt.Errorf("make a temporary data directory: %w", err)
		}
		d, err := Open(path, opts)
		if err == nil {
			d.temporary = true
			return d, nil
		}
		err = errors.Join(err, os.RemoveAll(path))
		if try == temporaryTries || !errors.Is(err, ErrInUse) && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}

// sweepTemporary removes the temporary folders that nobody uses. Whatever
// goes wrong with one is no reason not to start.
func sweepTemporary(log *slog.Logger) {
	found, err := filepath.Glob(filepath.Join(os.TempDir(), temporaryPrefix+"*"))
	if err != nil {
		return // TMPDIR is no pattern that can be looked for
	}
	for _, path := range found {
		if err := removeAbandoned(path); err != nil && log != nil {
			log.Warn("a folder of a lamb that was killed is left", "folder", path, "err", err)
		}
	}
}

// removeAbandoned removes a temporary folder of ours that nobody has locked.
func removeAbandoned(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(owner.Uid) != os.Geteuid() {
		return nil // another user's
	}
	// One without a lock is just being made.
	if _, err := os.Lstat(filepath.Join(path, lockName)); err != nil {
		return nil
	}
	lock, err := acquire(path)
	if errors.Is(err, ErrInUse) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(vfs.RemoveTree(path), lock.Close())
}
