package watch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// change runs do in a watched folder and fails unless it is told as a change.
func change(t *testing.T, w *Watcher, what string, do func() error) {
	t.Helper()
	if err := do(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := w.Next(ctx); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func write(name string) func() error {
	return func() error { return os.WriteFile(name, []byte(time.Now().String()), 0o644) }
}

func TestChanges(t *testing.T) {
	root := filepath.Join(t.TempDir(), "fn")
	file, sub := filepath.Join(root, "app.py"), filepath.Join(root, "lib")
	if err := errors.Join(os.Mkdir(root, 0o755), write(file)()); err != nil {
		t.Fatal(err)
	}
	w, err := New(root, func(name string, folder bool) bool {
		return folder && name == "node_modules" || strings.HasSuffix(name, ".swp")
	})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()

	change(t, w, "write in place", write(file))
	change(t, w, "vim: move away, write anew", func() error {
		return errors.Join(os.Rename(file, file+"~"), write(file)(), os.Remove(file+"~"))
	})
	change(t, w, "atomic save: write aside, rename over", func() error {
		return errors.Join(write(file+".tmp")(), os.Rename(file+".tmp", file))
	})
	change(t, w, "after an atomic save", write(file))
	change(t, w, "a new folder", func() error { return os.Mkdir(sub, 0o755) })
	change(t, w, "a file in it", write(filepath.Join(sub, "x.py")))
	change(t, w, "a deep folder", func() error { return os.MkdirAll(filepath.Join(sub, "a/b/c"), 0o755) })
	change(t, w, "a file there", write(filepath.Join(sub, "a/b/c/x.py")))
	change(t, w, "a folder is removed", func() error { return os.RemoveAll(sub) })
	change(t, w, "a folder comes back", func() error { return os.Mkdir(sub, 0o755) })
	change(t, w, "a file in it again", write(filepath.Join(sub, "x.py")))
	change(t, w, "the root is replaced", func() error {
		return errors.Join(os.Rename(root, root+".old"), os.Mkdir(root, 0o755), write(file)())
	})
	change(t, w, "a file in the new root", write(file))
	change(t, w, "what is ignored is silent", func() error {
		modules := filepath.Join(root, "node_modules")
		return errors.Join(os.Mkdir(modules, 0o755), write(filepath.Join(modules, "x.js"))(), write(filepath.Join(root, ".app.py.swp"))(),
			os.Chmod(file, 0o600), write(filepath.Join(root, "the one that counts"))())
	})

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("after the context's end: %v", err)
	}
}

func TestNoRoot(t *testing.T) {
	if _, err := New(filepath.Join(t.TempDir(), "missing"), nil); err == nil {
		t.Error("a missing folder is watched")
	}
}
