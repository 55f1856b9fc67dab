package vfs

import (
	"errors"
	"io/fs"
	"os"
)

// RemoveTree removes a folder of the machine's file system with all that is
// in it, also when folders in it are read-only, as those of unpacked code are.
// A folder that is missing is no error.
func RemoveTree(path string) error {
	root, err := os.OpenRoot(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// Through os.Root, because a function that runs as lamb's own user may
	// have put links in the tree, and their targets must keep their modes.
	// Errors are not looked at: RemoveAll finds those that matter.
	_ = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, _ error) error {
		if e != nil && e.IsDir() {
			_ = root.Chmod(name, 0o700) // WalkDir lists the folder after this
		}
		return nil
	})
	return errors.Join(root.Close(), os.RemoveAll(path))
}
