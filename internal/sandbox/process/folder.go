//go:build unix

package process

import (
	"os"
	"path/filepath"

	"github.com/lambhq/lamb/internal/sandbox"
)

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
