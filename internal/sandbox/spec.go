package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// maxIDLen keeps the paths that functions see short.
const maxIDLen = 64

// ValidID tells whether a sandbox may have this name.
func ValidID(id string) bool {
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

// Check tells what is wrong with a spec; its folders must exist.
func (spec Spec) Check() error {
	if !ValidID(spec.ID) {
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
