package datadir

import (
	"fmt"
	"os"
	"path/filepath"
)

// Default is the folder of this user's installation.
func Default() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the default data directory: %w", err)
	}
	return filepath.Join(home, "Library", "Application Support", "lamb"), nil
}
