package artifact_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/artifact"
)

// list gives what is in a folder: "mode content" or "mode -> target" by name.
func list(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(name)
			if err != nil {
				return err
			}
			text = "-> " + target // the mode of a link depends on the system
		case info.Mode().IsRegular():
			content, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			text += " " + string(content)
		}
		rel, err := filepath.Rel(dir, name)
		found[rel] = text
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func treeOf(t testing.TB, s *artifact.Store, digest string) *artifact.Tree {
	t.Helper()
	tree, err := s.Tree(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestTree(t *testing.T) {
	s := open(t, nil)
	dos := func(h *zip.FileHeader) { h.CreatorVersion = 0; h.ExternalAttrs = 0x20 }
	p := add(t, s, zipOf(t,
		entry{name: "bootstrap", mode: 0o755, content: "#!"},
		entry{name: "secret.py", mode: 0o600, content: "py"},
		entry{name: "owner.sh", mode: 0o700, content: "sh"},
		entry{name: "none", mode: 0, content: "n", change: unix(0o100000)},
		entry{name: "nomode", content: "n", change: unix(0)},
		entry{name: "windows.js", content: "js", change: dos},
		entry{name: "sticky", content: "s", change: unix(0o101644)},
		entry{name: "empty/", mode: fs.ModeDir | 0o700},
		entry{name: "shared/", change: unix(0o043777)},
		file("./pkg//mod/a", "a"),
		file("twice", "first"), file("twice", "second"),
		link("pkg/up", "../bootstrap"), link("pkg/mod/self", "."), link("broken", "nowhere"),
	))
	defer p.Release()
	tree := treeOf(t, s, p.SHA256)
	defer tree.Release()
	want := map[string]string{
		".": "dr-xr-xr-x", "bootstrap": "-r-xr-xr-x #!", "secret.py": "-r--r--r-- py", "owner.sh": "-r-xr-xr-x sh",
		"none": "-r--r--r-- n", "nomode": "-r--r--r-- n", "windows.js": "-r--r--r-- js", "sticky": "-r--r--r-- s",
		"empty": "dr-xr-xr-x", "shared": "dr-xr-xr-x",
		"pkg": "dr-xr-xr-x", "pkg/mod": "dr-xr-xr-x", "pkg/mod/a": "-r--r--r-- a", "twice": "-r--r--r-- second",
		"pkg/up": "-> ../bootstrap", "pkg/mod/self": "-> .", "broken": "-> nowhere",
	}
	if diff := cmp.Diff(want, list(t, tree.Path)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
}

func TestTreeIsBuiltOnce(t *testing.T) {
	s := open(t, nil)
	p := add(t, s, zipOf(t, file("a", strings.Repeat("x", 1<<20))))
	defer p.Release()
	var wg sync.WaitGroup
	inodes := make([]fs.FileInfo, 16)
	for i := range inodes {
		wg.Go(func() {
			tree, err := s.Tree(t.Context(), p.SHA256)
			if err != nil {
				t.Error(err)
				return
			}
			defer tree.Release()
			if inodes[i], err = os.Stat(filepath.Join(tree.Path, "a")); err != nil || inodes[i].Size() != 1<<20 {
				t.Errorf("the file in the tree: %v, %v", inodes[i], err)
			}
		})
	}
	wg.Wait()
	for _, info := range inodes[1:] {
		if !os.SameFile(inodes[0], info) {
			t.Fatal("two callers have two trees")
		}
	}
}

func TestTreeOutlivesTheCallerWhoAskedFirst(t *testing.T) {
	cache := t.TempDir()
	g := &gate{opening: make(chan struct{}, 10), goOn: make(chan struct{})}
	slow := &slowFS{FS: disk(t)}
	s := open(t, func(o *artifact.Options) { o.Dir, o.FS, o.CacheDir = codeDir, slow, cache })
	p := add(t, s, zipOf(t, file("a", "x")))
	slow.gate.Store(g)

	ctx, cancel := context.WithCancelCause(t.Context())
	gaveUp := errors.New("gave up")
	first := make(chan error, 1)
	go func() {
		_, err := s.Tree(ctx, p.SHA256)
		first <- err
	}()
	<-g.opening
	cancel(gaveUp)
	if err := <-first; !errors.Is(err, gaveUp) {
		t.Errorf("the first caller's error = %v, want the cause of its context's end", err)
	}
	// A tree that is being made and that nobody waits for is not collected.
	p.Release()
	if err := s.Collect(t.Context(), references(p.SHA256)); err != nil {
		t.Error(err)
	}
	close(g.goOn)
	tree := treeOf(t, s, p.SHA256)
	defer tree.Release()
	if n := len(g.opening); n != 0 {
		t.Errorf("the zip was opened %d times more: the build began anew", n)
	}
}

func TestTreeThatFailedIsTriedAgain(t *testing.T) {
	f := disk(t)
	s := openOn(t, f)
	p := add(t, s, zipOf(t, file("a", "x")))
	broken := errors.New("broken")
	for n := 1; n <= 2; n++ {
		f.FailAt(n, broken)
		if _, err := s.Tree(t.Context(), p.SHA256); !errors.Is(err, broken) {
			t.Errorf("call %d failed: Tree = %v", n, err)
		}
	}
	treeOf(t, s, p.SHA256).Release()
}

func TestClose(t *testing.T) {
	slow := &slowFS{FS: disk(t)}
	s := open(t, func(o *artifact.Options) { o.Dir, o.FS = codeDir, slow })
	content := zipOf(t, file("a", "x"))
	p := add(t, s, content)
	g := &gate{opening: make(chan struct{}, 1), goOn: make(chan struct{})}
	slow.gate.Store(g)
	built := make(chan error, 1)
	go func() {
		tree, err := s.Tree(t.Context(), p.SHA256)
		if err == nil {
			tree.Release()
		}
		built <- err
	}()
	<-g.opening
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		t.Errorf("Close = %v while a tree was being made", err)
	case err := <-built:
		t.Errorf("Tree = %v while its zip was being opened", err)
	default:
	}
	close(g.goOn)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	<-built // how it ended depends on how far it was
	if _, err := s.Tree(t.Context(), p.SHA256); !errors.Is(err, artifact.ErrClosed) {
		t.Errorf("Tree of a closed store = %v", err)
	}
	if _, err := s.Add(t.Context(), bytes.NewReader(content), int64(len(content))); !errors.Is(err, artifact.ErrClosed) {
		t.Errorf("Add to a closed store = %v", err)
	}
	p.Release()
	p.Release() // twice is once
}

func TestOpenClearsWhatACrashLeft(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	content := zipOf(t, file("d/a", "x"))
	first := open(t, func(o *artifact.Options) { o.Dir, o.CacheDir = dir, cache })
	p := add(t, first, content)
	tree := treeOf(t, first, p.SHA256)
	// Half of it is there, as after a power loss.
	if err := errors.Join(os.Chmod(filepath.Join(tree.Path, "d"), 0o755), os.Remove(filepath.Join(tree.Path, "d", "a"))); err != nil {
		t.Fatal(err)
	}
	second := open(t, func(o *artifact.Options) { o.Dir, o.CacheDir = dir, cache })
	again := treeOf(t, second, p.SHA256)
	defer again.Release()
	want := map[string]string{".": "dr-xr-xr-x", "d": "dr-xr-xr-x", "d/a": "-r--r--r-- x"}
	if diff := cmp.Diff(want, list(t, again.Path)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	tree.Release()
	p.Release()
}

// there says which code is stored and which trees are.
func there(t *testing.T, dir, cache string) (zips, trees []string) {
	t.Helper()
	for d, names := range map[string]*[]string{dir: &zips, filepath.Join(cache, "trees"): &trees} {
		entries, err := os.ReadDir(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			*names = append(*names, strings.TrimSuffix(e.Name(), ".zip"))
		}
	}
	return zips, trees
}

func TestCollect(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	s := open(t, func(o *artifact.Options) { o.Dir, o.CacheDir = dir, cache })
	digests := map[string]string{} // to name
	make := func(name string) *artifact.Pinned {
		p := add(t, s, zipOf(t, file(name, name), file("d/d/d", "")))
		digests[p.SHA256] = name
		return p
	}
	pinned, referenced, used, idle := make("pinned"), make("referenced"), make("used"), make("idle")
	var held *artifact.Tree
	for _, p := range []*artifact.Pinned{pinned, referenced, used, idle} {
		tree := treeOf(t, s, p.SHA256)
		if p == used {
			held = tree
		} else {
			tree.Release()
			tree.Release() // twice is once
		}
		if p != pinned {
			p.Release()
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "readme.txt"), nil, 0o600); err != nil { // not ours
		t.Fatal(err)
	}
	check := func(what string, wantZips, wantTrees string) {
		t.Helper()
		if err := s.Collect(t.Context(), references(referenced.SHA256)); err != nil {
			t.Fatal(err)
		}
		zips, trees := there(t, dir, cache)
		for _, got := range []*[]string{&zips, &trees} {
			for i, d := range *got {
				if name, ok := digests[d]; ok {
					(*got)[i] = name
				}
			}
		}
		for want, got := range map[string][]string{wantZips: zips, wantTrees: trees} {
			if sorted := sortedJoin(got); sorted != want {
				t.Errorf("%s: there is %q, want %q", what, sorted, want)
			}
		}
	}
	check("first", "pinned readme.txt referenced", "pinned referenced used")
	if got := list(t, held.Path)["used"]; got != "-r--r--r-- used" {
		t.Errorf("the tree in use has %q", got)
	}
	held.Release()
	pinned.Release()
	check("when all is released", "readme.txt referenced", "referenced")
	// What was collected is made anew.
	again := make("idle")
	tree := treeOf(t, s, again.SHA256)
	tree.Release()
	again.Release()
}

func TestCollectKeepsWhatIsAddedMeanwhile(t *testing.T) {
	s := open(t, nil)
	before, during := zipOf(t, file("before", "")), zipOf(t, file("during", ""))
	old := add(t, s, before)
	err := s.Collect(t.Context(), func(context.Context) (map[string]bool, error) {
		// The list is made, and then two records commit that are not on it.
		old.Release()
		add(t, s, during).Release()
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"before": before, "during": during} {
		if z, err := s.OpenZip(digestOf(content)); err != nil {
			t.Errorf("code added %s the Collect: %v", name, err)
		} else if err := z.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := s.Collect(t.Context(), references()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.OpenZip(digestOf(during)); !errors.Is(err, artifact.ErrNotFound) {
		t.Errorf("the next Collect left it: %v", err)
	}
}

func TestCollectThatKnowsNoReferencesRemovesNothing(t *testing.T) {
	s := open(t, nil)
	p := add(t, s, zipOf(t, file("a", "")))
	p.Release()
	boom := errors.New("boom")
	err := s.Collect(t.Context(), func(context.Context) (map[string]bool, error) { return nil, boom })
	if !errors.Is(err, boom) {
		t.Errorf("Collect = %v", err)
	}
	z, err := s.OpenZip(p.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Error(err)
	}
}

// TestAddTreeAndCollectAtOnce is for the race detector, and for what must hold
// all the time: what is pinned can be read.
func TestAddTreeAndCollectAtOnce(t *testing.T) {
	s := open(t, nil)
	contents := [][]byte{zipOf(t, file("a", "1")), zipOf(t, file("a", "2"))}
	var workers sync.WaitGroup
	for w := range 4 {
		workers.Go(func() {
			for range 10 {
				content := contents[w%2]
				p, err := s.Add(t.Context(), bytes.NewReader(content), int64(len(content)))
				if err != nil {
					t.Error(err)
					return
				}
				tree, err := s.Tree(t.Context(), p.SHA256)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := os.ReadFile(filepath.Join(tree.Path, "a")); err != nil {
					t.Error(err)
				}
				z, err := s.OpenZip(p.SHA256)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, content) {
					t.Errorf("read %d bytes, %v", len(got), err)
				}
				if err := z.Close(); err != nil {
					t.Error(err)
				}
				tree.Release()
				p.Release()
			}
		})
	}
	done := make(chan struct{})
	collected := make(chan error, 1)
	go func() {
		var errs error
		for {
			select {
			case <-done:
				collected <- errs
				return
			default:
				errs = errors.Join(errs, s.Collect(t.Context(), references()))
			}
		}
	}()
	workers.Wait()
	close(done)
	if err := <-collected; err != nil {
		t.Error(err)
	}
}
