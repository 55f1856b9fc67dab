package vfs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/lambhq/lamb/internal/vfs"
)

func TestRemoveTree(t *testing.T) {
	base := t.TempDir()
	tree, outside := filepath.Join(base, "tree"), filepath.Join(base, "outside")
	err := errors.Join(
		os.MkdirAll(filepath.Join(tree, "a", "b"), 0o755),
		os.WriteFile(filepath.Join(tree, "a", "b", "f"), nil, 0o400),
		os.Mkdir(outside, 0o555),
		os.Symlink(outside, filepath.Join(tree, "a", "link")),
		os.Chmod(filepath.Join(tree, "a", "b"), 0o555),
		os.Chmod(filepath.Join(tree, "a"), 0o000),
		os.Chmod(tree, 0o555),
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := vfs.RemoveTree(tree); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(tree); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the tree is still there: %v", err)
	}
	if info, err := os.Stat(outside); err != nil || info.Mode().Perm() != 0o555 {
		t.Errorf("what a link led to is now %v, %v; want it untouched", info.Mode(), err)
	}
	if err := vfs.RemoveTree(tree); err != nil {
		t.Errorf("removing what is missing: %v", err)
	}
}
