//go:build !darwin

package datadir

import (
	"fmt"
	"os"
	"path/filepath"
)

// Default is the folder of this user's installation: lamb in XDG_DATA_HOME,
// or in ~/.local/share.
func Default() (string, error) {
	// The XDG specification has relative paths ignored.
	if base := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "lamb"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the default data directory: %w", err)
	}
	return filepath.Join(home, ".local", "share", "lamb"), nil
}
