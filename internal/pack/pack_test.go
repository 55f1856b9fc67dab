package pack

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// write makes files below dir: name to content; a name that ends in "*" is
// executable, one with " -> " is a link.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, body := range files {
		name, target, link := strings.Cut(name, " -> ")
		name, executable := strings.CutSuffix(name, "*")
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch {
		case link:
			err = os.Symlink(target, p)
		case executable:
			err = os.WriteFile(p, []byte(body), 0o744)
		default:
			err = os.WriteFile(p, []byte(body), 0o640)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func packed(t testing.TB, dir string) []byte {
	t.Helper()
	files, err := Folder(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Write(&out, files, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

var someFiles = map[string]string{
	"bootstrap*": "#!/bin/sh\n", "lib/b.py": "b = 1\n", "lib/a.py": strings.Repeat("a = 1\n", 1000),
	"empty": "", "lib/c.py -> a.py": "", "data/ümlaut": "x",
}

// TestReproducible: neither time nor umask nor the order in which the files
// came to be shows in a package.
func TestReproducible(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	write(t, first, someFiles)
	old := syscall.Umask(0o077)
	write(t, second, someFiles)
	syscall.Umask(old)
	past := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	err := filepath.WalkDir(second, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		return os.Chtimes(p, past, past)
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(packed(t, first), packed(t, second)) {
		t.Error("the same files gave two packages")
	}
}

func TestContents(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, someFiles)
	b := packed(t, dir)
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	type entry struct{ Name, Mode, Body string }
	var got []entry
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, entry{f.Name, f.Mode().String(), string(body)})
	}
	want := []entry{
		{"bootstrap", "-rwxr-xr-x", "#!/bin/sh\n"}, {"data/ümlaut", "-rw-r--r--", "x"}, {"empty", "-rw-r--r--", ""},
		{"lib/a.py", "-rw-r--r--", someFiles["lib/a.py"]}, {"lib/b.py", "-rw-r--r--", "b = 1\n"}, {"lib/c.py", "Lrwxrwxrwx", "a.py"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCopy(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	write(t, dir, someFiles)
	files, err := Folder(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := Copy(to, files); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(packed(t, dir), packed(t, to)) {
		t.Error("a copy packs differently")
	}
}

func TestFolderRefuses(t *testing.T) {
	for name, want := range map[string]string{
		"link -> /etc/passwd": "outside of the package", "a/link -> ../../x": "outside of the package",
	} {
		dir := t.TempDir()
		write(t, dir, map[string]string{name: ""})
		if _, err := Folder(dir, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Folder(dir, nil); err == nil {
		t.Error("a pipe was taken for a file")
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "out.zip")
	var seen int64
	files := []File{{Name: "a", Data: []byte("hello"), Size: 5}}
	size, err := WriteFile(name, files, func(n int64) error { seen = n; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Size() != size || info.Mode().Perm() != 0o644 || seen != 5 {
		t.Errorf("%v, %v, size %d, progress %d", info, err, size, seen)
	}
	enough := errors.New("enough")
	if _, err := WriteFile(name, files, func(int64) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("packing went on: %v", err)
	}
	files = append(files, File{Name: "b", Path: filepath.Join(dir, "missing")})
	if _, err := WriteFile(name, files, nil); err == nil {
		t.Error("a missing file was packed")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestIgnore(t *testing.T) {
	g, err := ParseIgnore("# a comment\n*.log\n/build\nnode_modules/\n!keep.log\ndocs/**/*.md\n**/tmp/*\n\\#odd\nsrc/gen/\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		folder bool
		want   bool
	}{
		{"a.log", false, true}, {"deep/er/a.log", false, true}, {"keep.log", false, false}, {"a.logs", false, false},
		{"build", true, true}, {"build", false, true}, {"src/build", true, false},
		{"node_modules", true, true}, {"web/node_modules", true, true}, {"node_modules", false, false},
		{"docs/a.md", false, true}, {"docs/x/y/a.md", false, true}, {"a.md", false, false}, {"docs/a.txt", false, false},
		{"tmp/x", false, true}, {"a/tmp/x", false, true}, {"tmp", true, false},
		{"#odd", false, true}, {"src/gen", true, true}, {"gen", true, false},
	} {
		if got := g.Matches(tt.name, tt.folder); got != tt.want {
			t.Errorf("%s (folder %v): %v, want %v", tt.name, tt.folder, got, tt.want)
		}
	}
	if _, err := ParseIgnore("ok\n[a-\n"); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a broken pattern: %v", err)
	}
	if (*Ignore)(nil).Matches("x", false) {
		t.Error("nil takes something out")
	}
}

func TestReadIgnore(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		".lambignore": "*.test\n!.env.public\n", "lamb.toml": "", ".env": "SECRET=1", ".env.public": "", "app.py": "",
		"__pycache__/app.pyc": "", "x.test": "", ".git/config": "", "sub/lamb.toml": "",
	})
	g, err := ReadIgnore(dir)
	if err != nil {
		t.Fatal(err)
	}
	files, err := Folder(dir, g)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	if diff := cmp.Diff([]string{".env.public", "app.py", "sub/lamb.toml"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestMerge(t *testing.T) {
	files := Merge([]File{{Name: "b", Size: 1}, {Name: "a", Size: 1}}, []File{{Name: "b", Size: 2}})
	if len(files) != 2 || files[1].Size != 2 || Unzipped(files) != 3 {
		t.Errorf("got %+v", files)
	}
}

// BenchmarkWrite is for comparing with the compressor alone, which is the
// second half.
func BenchmarkWrite(b *testing.B) {
	dir := b.TempDir()
	body := strings.Repeat("the quick brown fox jumps over the lazy dog 0123456789\n", 50<<10)
	for _, name := range []string{"a", "b", "c", "d"} {
		write(b, dir, map[string]string{name: body})
	}
	files, err := Folder(dir, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(Unzipped(files))
	for b.Loop() {
		if err := Write(io.Discard, files, nil); err != nil {
			b.Fatal(err)
		}
	}
}
