//go:build unix

package process

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestValidID(t *testing.T) {
	for id, want := range map[string]bool{
		"a": true, "a-1": true, "0": true, strings.Repeat("a", 64): true,
		"": false, ".": false, "..": false, "a/b": false, "A": false, "a_b": false, "ü": false, "a\x00": false,
		strings.Repeat("a", 65): false,
	} {
		if got := validID(id); got != want {
			t.Errorf("%q: %v", id, got)
		}
	}
}

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

func TestDescribe(t *testing.T) {
	elf := func(class byte, machine string) string {
		return "\x7fELF\x02" + string(class) + strings.Repeat("\x00", 12) + machine + strings.Repeat("\x00", 40)
	}
	for _, test := range []struct{ head, want string }{
		{"", "it is empty"},
		{"#!/usr/bin/python9 -u\nprint()", `interpreter "/usr/bin/python9 -u"`},
		{"#!", `interpreter ""`},
		{"print('x')", "begins with #!"},
		{elf(1, "\xf7\x00"), "Linux program for another machine"},
		{elf(2, "\x00\x28"), "Linux program for arm,"},
		{"\x7fELF", "neither a program"},
	} {
		if got := describe([]byte(test.head)); !strings.Contains(got, test.want) {
			t.Errorf("%q: %s, want %s", test.head, got, test.want)
		}
	}
}
