// Package hostfs is what sandboxes do with files of the host: removing what a
// function has left, and telling why a program cannot be executed.
package hostfs

import (
	"io/fs"
	"os"
	"path/filepath"
)

// RemoveTree removes dir with what is in it, also what a function has made
// unreadable. It never follows links out of dir.
func RemoveTree(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	// An ordinary user cannot empty a folder without write permission. What
	// the walk cannot change comes back as the error of the second attempt.
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() && os.Chmod(path, 0o700) != nil {
			return fs.SkipDir
		}
		return nil
	})
	return os.RemoveAll(dir)
}
