package datadir_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/datadir"
)

// TestTemporaryOfTheKilled: the folder of a lamb that was killed is removed by
// the next; that of one which lives is not, nor is anything else.
func TestTemporaryOfTheKilled(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	living, err := datadir.Temporary(datadir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, living)
	make := func(name string, files ...string) {
		t.Helper()
		dir := filepath.Join(tmp, name)
		if err := os.MkdirAll(filepath.Join(dir, "run", "cache"), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if err := os.WriteFile(filepath.Join(dir, f), []byte("1\n"), 0o400); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(filepath.Join(dir, "run", "cache"), 0o500); err != nil {
			t.Fatal(err)
		}
	}
	make("lamb-ephemeral-1", "lock", "format", "run/cache/f") // as a killed lamb leaves it
	make("lamb-ephemeral-2", "format")                        // just being made
	make("lamb-3", "lock", "format")
	if err := os.Symlink(filepath.Join(tmp, "lamb-3"), filepath.Join(tmp, "lamb-ephemeral-4")); err != nil {
		t.Fatal(err)
	}
	next, err := datadir.Temporary(datadir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, next)
	var got []string
	entries, err := os.ReadDir(tmp)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if path := filepath.Join(tmp, e.Name()); path != living.Path() && path != next.Path() {
			got = append(got, e.Name())
		}
	}
	if diff := cmp.Diff([]string{"lamb-3", "lamb-ephemeral-2", "lamb-ephemeral-4"}, got); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(living.Sandboxes()); err != nil {
		t.Error(err)
	}
}
