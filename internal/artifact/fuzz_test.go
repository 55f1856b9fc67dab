package artifact_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lambhq/lamb/internal/artifact"
	"github.com/lambhq/lamb/internal/vfs/vfstest"
)

// FuzzArchive: whatever is uploaded, Add does not panic and says either yes or
// ErrBadZip or a limit; what it accepted unpacks within the limits, and
// nothing is changed outside the tree, nor can be reached from it.
func FuzzArchive(f *testing.F) {
	f.Add(zipOf(f, file("app.py", "print(1)\n"), entry{name: "d/", mode: fs.ModeDir | 0o755}, file("d/b", "content")))
	f.Add(zipOf(f, link("d/up", ".."), link("l", "d/up/d"), file("d/x", "x"), link("gone", "no/where")))
	f.Add(zipOf(f, link("s", "."), link("out", "s/s/../../x")))
	f.Add(zipOf(f, entry{name: "a", mode: 0o755, content: "stored", change: func(h *zip.FileHeader) { h.Method = zip.Store }}))
	f.Add(zipOf(f, file("a", "1"), file("a", "2"), file("./a/../b", "3")))
	f.Add(zipOf(f))

	try := newTrial(f)
	f.Fuzz(func(t *testing.T, content []byte) { try(t, content) })
}

// FuzzEntries makes well-formed archives of three entries with any names,
// modes and contents, which are targets when the mode says link.
func FuzzEntries(f *testing.F) {
	const regular, symlink, folder = 0o100644, 0o120777, 0o040755
	f.Add("a", uint32(regular), "x", "d/b", uint32(regular), "y", "d", uint32(folder), "")
	f.Add("l", uint32(symlink), "d/../x", "d/m", uint32(symlink), "../l", "x", uint32(regular), "x")
	f.Add("s", uint32(symlink), ".", "t", uint32(symlink), "s/s/../../x", "s/s", uint32(regular), "x")
	f.Add("a/b", uint32(symlink), "c", "a/c", uint32(symlink), "..", "d", uint32(symlink), "a/b/a/b/..")
	f.Add("a", uint32(0o104755), "x", "b", uint32(0o020644), "", "../c", uint32(regular), "")
	try := newTrial(f)
	f.Fuzz(func(t *testing.T, n1 string, m1 uint32, c1, n2 string, m2 uint32, c2, n3 string, m3 uint32, c3 string) {
		var entries []entry
		for _, e := range []struct {
			name    string
			mode    uint32
			content string
		}{{n1, m1, c1}, {n2, m2, c2}, {n3, m3, c3}} {
			if len(e.name) > 1<<15 {
				t.Skip("a zip cannot have such a name")
			}
			if strings.HasSuffix(e.name, "/") {
				e.content = "" // archive/zip writes no other
			}
			entries = append(entries, entry{name: e.name, content: e.content, change: unix(e.mode)})
		}
		try(t, zipOf(t, entries...))
	})
}

// newTrial returns a function that adds and unpacks an archive and looks at
// what came of it.
func newTrial(f *testing.F) func(t *testing.T, content []byte) {
	// One store for all, zips in memory: a file system's sync is slow.
	base := f.TempDir()
	cache := filepath.Join(base, "a", "cache")
	disk := vfstest.New()
	if err := errors.Join(os.MkdirAll(cache, 0o700), disk.Mkdir(codeDir, 0o700)); err != nil {
		f.Fatal(err)
	}
	limits := artifact.Limits{Zipped: 1 << 16, Unzipped: 1 << 16, Entries: 50, Depth: 10}
	s := open(f, func(o *artifact.Options) { o.Dir, o.FS, o.CacheDir, o.Limits = codeDir, disk, cache, limits })
	return func(t *testing.T, content []byte) {
		p, err := s.Add(t.Context(), bytes.NewReader(content), int64(len(content)))
		if err != nil {
			if !errors.Is(err, artifact.ErrBadZip) && !errors.Is(err, artifact.ErrZippedTooLarge) && !errors.Is(err, artifact.ErrUnzippedTooLarge) {
				t.Errorf("Add = %v, which is not the archive's fault", err)
			}
			return
		}
		tree, err := s.Tree(t.Context(), p.SHA256)
		if err != nil {
			t.Fatalf("accepted, and cannot be unpacked: %v", err)
		}
		checkTree(t, tree.Path, p.Unzipped, limits)
		// The folders around have what belongs there, and no more.
		for folder, want := range map[string]string{base: "a", filepath.Join(base, "a"): "cache", cache: "trees", filepath.Join(cache, "trees"): p.SHA256} {
			var names []string
			entries, err := os.ReadDir(folder)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				names = append(names, e.Name())
			}
			if got := sortedJoin(names); got != want {
				t.Errorf("%s has %q, want %q", folder, got, want)
			}
		}
		tree.Release()
		p.Release()
		if err := s.Collect(t.Context(), references()); err != nil {
			t.Fatal(err)
		}
	}
}

// checkTree looks at everything in a tree: only plain files, folders, and
// links that do not lead out.
func checkTree(t *testing.T, path string, unzipped int64, limits artifact.Limits) {
	t.Helper()
	count, size := 0, int64(0)
	err := filepath.WalkDir(path, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		count++
		info, err := e.Info()
		if err != nil {
			return err
		}
		switch mode := info.Mode(); {
		case mode&fs.ModeSymlink != 0:
			to, err := filepath.EvalSymlinks(name)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			// EvalSymlinks says so of what goes through a file.
			if rel, relErr := filepath.Rel(path, to); err == nil && (relErr != nil || !filepath.IsLocal(rel)) {
				t.Errorf("the link %s leads to %s", name, to)
			}
		case mode == fs.ModeDir|0o555:
		case mode == 0o444 || mode == 0o555:
			size += info.Size()
		default:
			t.Errorf("%s has mode %v", name, mode)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if count-1 > limits.Entries || size > unzipped || unzipped > limits.Unzipped {
		t.Errorf("the tree has %d entries and %d bytes; Add said %d bytes, and the limits are %+v", count-1, size, unzipped, limits)
	}
}
