package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// memoryDir is where lamb keeps what it remembers of a project; it is no part
// of its package.
const memoryDir = ".lamb"

// remember writes what lamb knows of a project into its folder.
func remember(dir, name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	folder := filepath.Join(dir, memoryDir)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	temp := filepath.Join(folder, "."+name)
	if err := os.WriteFile(temp, append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(temp, filepath.Join(folder, name))
}

// recall reads it again; nothing is an empty v.
func recall(dir, name string, v any) error {
	b, err := os.ReadFile(filepath.Join(dir, memoryDir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(memoryDir, name), err)
	}
	return nil
}

const (
	rolesFile    = "roles.json"    // by target: the ARN of the role
	deployedFile = "deployed.json" // the last deployment's record
)
