//go:build unix

package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lambhq/lamb/internal/sandbox"
)

// maxIDLen keeps the paths that functions see short.
const maxIDLen = 64

func validID(id string) bool {
	if id == "" || len(id) > maxIDLen {
		return false
	}
	for _, c := range []byte(id) {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func checkSpec(spec sandbox.Spec) error {
	if !validID(spec.ID) {
		return fmt.Errorf("invalid id %q", spec.ID)
	}
	if spec.Task == "" {
		return errors.New("no folder with the function's code")
	}
	for _, dir := range []string{spec.Task, spec.Opt, spec.Runtime, spec.Lang} {
		if dir == "" {
			continue
		}
		if !filepath.IsAbs(dir) {
			return fmt.Errorf("folder %s: not an absolute path", dir)
		}
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("folder %s: not a folder", dir)
		}
	}
	if spec.MemoryMB < 0 || spec.TmpMB < 0 || spec.MaxProcesses < 0 || spec.MaxFiles < 0 {
		return errors.New("negative limit")
	}
	return nil
}

// makeFolder makes a sandbox's working folder: tmp/ and one link for each
// folder of the spec, so that what a function is told about itself is short
// and its own.
func makeFolder(dir string, spec sandbox.Spec) (sandbox.Paths, error) {
	paths := sandbox.Paths{Tmp: filepath.Join(dir, "tmp")}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return sandbox.Paths{}, err
	}
	if err := os.Mkdir(paths.Tmp, 0o700); err != nil {
		return sandbox.Paths{}, err
	}
	for _, link := range []struct {
		name, target string
		path         *string
	}{
		{"task", spec.Task, &paths.Task},
		{"opt", spec.Opt, &paths.Opt},
		{"runtime", spec.Runtime, &paths.Runtime},
		{"lang", spec.Lang, &paths.Lang},
	} {
		if link.target == "" {
			continue
		}
		*link.path = filepath.Join(dir, link.name)
		if err := os.Symlink(link.target, *link.path); err != nil {
			return sandbox.Paths{}, err
		}
	}
	return paths, nil
}

// removeTree removes dir with what is in it, also what a function has made
// unreadable. It never follows links out of dir.
func removeTree(dir string) error {
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
