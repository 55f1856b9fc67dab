//go:build unix

package process

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWorkDir: New removes what an earlier run left, and nothing else.
func TestWorkDir(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	kept := filepath.Join(outside, "kept")
	deep := filepath.Join(dir, "box-1", "tmp", "deep")
	for _, path := range []string{deep, filepath.Join(dir, "Not-a-sandbox")} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{kept, filepath.Join(dir, "file")} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "box-1", "task")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{deep, filepath.Dir(deep)} {
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	p, err := New(Config{WorkDir: dir, Portable: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != "Not-a-sandbox file" {
		t.Errorf("left: %s", got)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("a file behind a link: %v", err)
	}
}

func TestTemporaryWorkDir(t *testing.T) {
	p, err := New(Config{Portable: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p.workDir); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(p.workDir); !os.IsNotExist(err) {
		t.Errorf("left: %v", err)
	}
}
