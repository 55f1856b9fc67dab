package launcher

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// externalExtensions are the names of the files in the layers' extensions
// folder, in the order of their names: the platform starts each of them.
// Folders are none, and may hold what extensions need.
func externalExtensions(opt string) ([]string, error) {
	if opt == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(filepath.Join(opt, "extensions"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(opt, "extensions", e.Name())) // a link counts as what it leads to
		if err == nil && !info.IsDir() || err != nil && !errors.Is(err, fs.ErrNotExist) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
