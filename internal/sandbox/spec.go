package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lambhq/lamb/internal/pattern"
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
		if err := checkFolder(dir); err != nil {
			return err
		}
	}
	if len(spec.Mounts) > MaxMounts {
		return fmt.Errorf("%d mounts, the most is %d", len(spec.Mounts), MaxMounts)
	}
	places := map[string]bool{}
	for _, m := range spec.Mounts {
		if err := m.Check(); err != nil {
			return err
		}
		if places[m.To] {
			return fmt.Errorf("two mounts at %s", m.To)
		}
		places[m.To] = true
	}
	if spec.MemoryMB < 0 || spec.TmpMB < 0 || spec.MaxProcesses < 0 || spec.MaxFiles < 0 {
		return errors.New("negative limit")
	}
	return nil
}

func checkFolder(dir string) error {
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
	return nil
}

// MaxMounts and MaxExtraFiles bound what a sandbox and a program may have.
const (
	MaxMounts     = 16
	MaxExtraFiles = 16
)

// mountPlace is AWS's pattern for the place of a file system; it has 160
// characters at most. Dots alone would lead elsewhere.
var mountPlace = pattern.Lazy(`^/mnt/[a-zA-Z0-9_.-]+$`)

// Check tells what is wrong with a mount; its folder must exist.
func (m Mount) Check() error {
	const maxPlace = 160
	name := strings.TrimPrefix(m.To, "/mnt/")
	if len(m.To) > maxPlace || !mountPlace().MatchString(m.To) || name == "." || name == ".." {
		return fmt.Errorf("mount at %q: the place has to be /mnt/NAME, with letters, digits and any of -_. in it", m.To)
	}
	return checkFolder(m.From)
}

// Check tells what is wrong with a program's files.
func (p Process) Check() error {
	if len(p.ExtraFiles) > MaxExtraFiles {
		return fmt.Errorf("%d extra files, the most is %d", len(p.ExtraFiles), MaxExtraFiles)
	}
	if slices.Contains(p.ExtraFiles, nil) {
		return errors.New("an extra file is nil")
	}
	if p.LogDescriptor > 0 && p.LogDescriptor < 3+len(p.ExtraFiles) {
		return fmt.Errorf("descriptor %d for log events is taken", p.LogDescriptor)
	}
	return nil
}
