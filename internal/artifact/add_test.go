package artifact_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/artifact"
)

func TestAddKeepsExactlyTheBytes(t *testing.T) {
	dir := t.TempDir()
	s := open(t, func(o *artifact.Options) { o.Dir = dir })
	content := zipOf(t, file("app.py", "print(1)\n"), file("lib/x.py", "x"))
	p := add(t, s, content)
	want := &artifact.Pinned{SHA256: digestOf(content), Size: int64(len(content)), Unzipped: 10}
	if p.SHA256 != want.SHA256 || p.Size != want.Size || p.Unzipped != want.Unzipped {
		t.Errorf("Add = %s %d %d, want %s %d %d", p.SHA256, p.Size, p.Unzipped, want.SHA256, want.Size, want.Unzipped)
	}
	add(t, s, content).Release()
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("the folder has %v, %v; want one file for the same content twice", files, err)
	}
	z, err := s.OpenZip(p.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(z)
	if err := errors.Join(err, z.Close()); err != nil || !bytes.Equal(got, content) || z.Size() != int64(len(content)) {
		t.Errorf("the stored zip differs from what was added (size %d, %v)", z.Size(), err)
	}
}

func TestLimits(t *testing.T) {
	// 200 bytes in the file that shrink to a few.
	content := zipOf(t, file("a", strings.Repeat("x", 150)), file("d/b", strings.Repeat("y", 50)))
	size := int64(len(content))
	cases := []struct {
		name   string
		limits artifact.Limits
		want   error
	}{
		{"all at the limit", artifact.Limits{Zipped: size, Unzipped: 200, Entries: 3, Depth: 2}, nil},
		{"zipped", artifact.Limits{Zipped: size - 1}, artifact.ErrZippedTooLarge},
		{"unzipped", artifact.Limits{Unzipped: 199}, artifact.ErrUnzippedTooLarge},
		{"unzipped in the first file", artifact.Limits{Unzipped: 149}, artifact.ErrUnzippedTooLarge},
		{"entries, folders included", artifact.Limits{Entries: 2}, artifact.ErrBadZip},
		{"entries in the directory", artifact.Limits{Entries: 1}, artifact.ErrBadZip},
		{"depth", artifact.Limits{Depth: 1}, artifact.ErrBadZip},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, func(o *artifact.Options) { o.Limits = c.limits })
			p, err := s.Add(t.Context(), bytes.NewReader(content), size)
			if !errors.Is(err, c.want) {
				t.Fatalf("Add = %v, want %v", err, c.want)
			}
			if err == nil {
				p.Release()
			}
		})
	}
}

func TestDefaultLimitsAreLambdas(t *testing.T) {
	got := []int{artifact.DefaultZipped, artifact.DefaultUnzipped}
	if want := []int{52428800, 262144000}; !cmp.Equal(got, want) {
		t.Errorf("defaults = %v, want %v", got, want)
	}
}

func TestOpenZipVerifies(t *testing.T) {
	dir := t.TempDir()
	s := open(t, func(o *artifact.Options) { o.Dir = dir })
	content := zipOf(t, file("app.py", "print(1)\n"))
	p := add(t, s, content)
	path := filepath.Join(dir, p.SHA256+".zip")
	damaged := bytes.Clone(content)
	damaged[len(damaged)/2] ^= 1

	cases := map[string][]byte{"a bit flipped": damaged, "cut short": content[:len(content)-1], "longer": append(bytes.Clone(content), 0), "empty": nil}
	for name, bad := range cases {
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		// A store opened now has verified nothing yet.
		fresh := open(t, func(o *artifact.Options) { o.Dir = dir })
		if _, err := fresh.OpenZip(p.SHA256); !errors.Is(err, artifact.ErrCorrupt) {
			t.Errorf("%s: OpenZip = %v, want ErrCorrupt", name, err)
		}
		if _, err := fresh.Tree(t.Context(), p.SHA256); !errors.Is(err, artifact.ErrCorrupt) {
			t.Errorf("%s: Tree = %v, want ErrCorrupt", name, err)
		}
		// Uploading the same code again repairs it.
		add(t, fresh, content)
		z, err := fresh.OpenZip(p.SHA256)
		if err != nil {
			t.Fatalf("%s: after adding it again: %v", name, err)
		}
		if err := z.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenZipNoticesAChangedFile(t *testing.T) {
	dir := t.TempDir()
	s := open(t, func(o *artifact.Options) { o.Dir = dir })
	p := add(t, s, zipOf(t, file("a", "1")))
	z, err := s.OpenZip(p.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, p.SHA256+".zip"), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.OpenZip(p.SHA256); !errors.Is(err, artifact.ErrCorrupt) {
		t.Errorf("OpenZip of a file changed since it was verified = %v, want ErrCorrupt", err)
	}
}

func TestOpenZipTakesOnlyDigests(t *testing.T) {
	s := open(t, nil)
	for _, digest := range []string{"", "x", "../../etc/passwd", strings.Repeat("A", 64), strings.Repeat("/", 64), strings.Repeat("0", 64)} {
		if _, err := s.OpenZip(digest); !errors.Is(err, artifact.ErrNotFound) {
			t.Errorf("OpenZip(%q) = %v, want ErrNotFound", digest, err)
		}
		if _, err := s.Tree(t.Context(), digest); !errors.Is(err, artifact.ErrNotFound) {
			t.Errorf("Tree(%q) = %v, want ErrNotFound", digest, err)
		}
	}
}
