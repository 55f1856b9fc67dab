package artifact_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/artifact"
)

// addAll stores archives until the test ends, and returns their digests.
func addAll(t *testing.T, s *artifact.Store, archives ...[]byte) []string {
	t.Helper()
	var digests []string
	for _, content := range archives {
		p := add(t, s, content)
		t.Cleanup(p.Release)
		digests = append(digests, p.SHA256)
	}
	return digests
}

// layersOf is Layers, released when the test ends.
func layersOf(t *testing.T, s *artifact.Store, digests ...string) *artifact.Tree {
	t.Helper()
	tree, err := s.Layers(t.Context(), digests)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tree.Release)
	return tree
}

func TestLayers(t *testing.T) {
	s := open(t, nil)
	digests := addAll(t, s,
		zipOf(t, file("python/both.py", "first"), file("python/one.py", "1"), file("turns", "file"),
			file("lib/a", "a"), link("to", "lib"), entry{name: "bin/run", mode: 0o755, content: "first"}),
		zipOf(t, file("python/both.py", "second"), file("python/two.py", "2"), file("turns/into/folder", "f"),
			link("lib", "lib64"), file("to/file", "t"), entry{name: "bin/run", mode: 0o644, content: "second"}))
	folder, exe, plain := "dr-xr-xr-x", "-r-xr-xr-x ", "-r--r--r-- "
	want := map[string]string{
		".": folder, "python": folder, "bin": folder,
		"python/one.py": plain + "1", "python/two.py": plain + "2", "python/both.py": plain + "second",
		"turns": folder, "turns/into": folder, "turns/into/folder": plain + "f",
		"lib": "-> lib64", "to": folder, "to/file": plain + "t", "bin/run": plain + "second",
	}
	got := layersOf(t, s, digests...)
	if diff := cmp.Diff(want, list(t, got.Path)); diff != "" {
		t.Errorf("the second over the first (-want +got):\n%s", diff)
	}
	want = map[string]string{
		".": folder, "python": folder, "bin": folder, "lib": folder,
		"python/one.py": plain + "1", "python/two.py": plain + "2", "python/both.py": plain + "first",
		"turns": plain + "file", "lib/a": plain + "a", "to": "-> lib", "bin/run": exe + "first",
	}
	if diff := cmp.Diff(want, list(t, layersOf(t, s, digests[1], digests[0]).Path)); diff != "" {
		t.Errorf("the first over the second (-want +got):\n%s", diff)
	}
	if again := layersOf(t, s, digests...); again.Path != got.Path {
		t.Errorf("the same layers are at %s and %s", got.Path, again.Path)
	}
	if one, tree := layersOf(t, s, digests[0]), treeOf(t, s, digests[0]); one.Path != tree.Path {
		t.Errorf("one layer is unpacked twice: %s and %s", one.Path, tree.Path)
	} else {
		tree.Release()
	}
	if twice := list(t, layersOf(t, s, digests[0], digests[0]).Path); twice["python/one.py"] != plain+"1" {
		t.Errorf("a layer over itself: %v", twice)
	}
}

// TestLayersThatLeaveTogether: each link stays in its own archive, and leads
// out of the merged tree.
func TestLayersThatLeaveTogether(t *testing.T) {
	s := open(t, nil)
	digests := addAll(t, s,
		zipOf(t, link("out", "d/.."), file("d/f", "")),
		zipOf(t, file("x/f", ""), link("e", ".")),
		zipOf(t, link("s", "e/..")), // of itself: e is missing
	)
	if _, err := s.Layers(t.Context(), digests[:2]); err != nil {
		t.Fatalf("harmless layers: %v", err)
	}
	if _, err := s.Layers(t.Context(), digests[1:]); !errors.Is(err, artifact.ErrBadZip) {
		t.Errorf("a link that leaves by another layer's link: %v", err)
	}
	if _, err := s.Layers(t.Context(), []string{digests[0], digestOf(nil)}); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("a layer that is not there: %v", err)
	}
}

func TestCollectKeepsLayersWhoseArchivesStay(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	s := open(t, func(o *artifact.Options) { o.Dir, o.CacheDir = dir, cache })
	var digests []string
	for _, name := range []string{"a", "b", "c"} {
		p := add(t, s, zipOf(t, file(name, name)))
		digests = append(digests, p.SHA256)
		p.Release()
	}
	path := func(digests ...string) string {
		tree, err := s.Layers(t.Context(), digests)
		if err != nil {
			t.Fatal(err)
		}
		tree.Release()
		return tree.Path
	}
	stays, goes := path(digests[0], digests[1]), path(digests[1], digests[2])
	used, err := s.Layers(t.Context(), []string{digests[2], digests[0]})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Collect(t.Context(), references(digests[:2]...)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{stays: true, goes: false, used.Path: true} {
		if _, err := os.Stat(filepath.Join(path, ".")); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %v", filepath.Base(path), err, want)
		}
	}
	used.Release()
}
