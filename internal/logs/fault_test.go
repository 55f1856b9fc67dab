package logs

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/vfs"
	"github.com/lambhq/lamb/internal/vfs/vfstest"
)

// TestDiskFull: lines of a write that failed are lost, counted and told; those
// before and after are there, now and after a restart.
func TestDiskFull(t *testing.T) {
	for call := 1; call <= 4; call++ {
		for _, first := range []bool{false, true} {
			w := newWorld(t, Options{})
			want := []string{"before", "after"}
			if first {
				want = want[1:]
			} else {
				w.put("g", "s", "before")
				w.flush()
			}
			lost := uint64(0)
			w.fs.FailAt(call, syscall.ENOSPC)
			w.put("g", "s", "1", "2", "3")
			if failed := w.Stats().Dropped; failed > 0 {
				lost = 3
				if !strings.Contains(w.log.String(), "lines=3") || !strings.Contains(w.log.String(), "no space left") {
					t.Errorf("call %d: told %q", call, w.log)
				}
			} else {
				want = slices.Concat(want[:len(want)-1], []string{"1", "2", "3"}, want[len(want)-1:])
				w.fs.FailAt(0, nil)
			}
			w.put("g", "s", "after")
			for range 2 {
				got := w.messages("g")
				if lost > 0 { // a part of the write may have come through
					got = slices.DeleteFunc(got, func(s string) bool { return len(s) == 1 })
				}
				if !cmp.Equal(got, want) {
					t.Errorf("call %d, first %v: %q, want %q", call, first, got, want)
				}
				w.check()
				w.reopen()
			}
			if call == 1 && lost == 0 {
				t.Error("the first call failed and nothing was lost")
			}
		}
	}
}

// stuck is a disk that, while it is full, writes a part and removes nothing.
type stuck struct {
	vfs.FS
	full atomic.Bool
}

type stuckFile struct {
	vfs.File
	of *stuck
}

func (s *stuck) Append(name string) (vfs.File, error) {
	f, err := s.FS.Append(name)
	return stuckFile{f, s}, err
}

func (s *stuck) Remove(name string) error {
	if s.full.Load() {
		return syscall.EROFS
	}
	return s.FS.Remove(name)
}

func (f stuckFile) Write(p []byte) (int, error) {
	if !f.of.full.Load() {
		return f.File.Write(p)
	}
	n, _ := f.File.Write(p[:len(p)/2])
	return n, syscall.ENOSPC
}

// TestTornBeginning: a file whose first write failed is not written again, even
// when it could not be removed.
func TestTornBeginning(t *testing.T) {
	w := newWorld(t, Options{})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	disk := &stuck{FS: w.fs}
	w.opts.FS = disk
	w.open()
	disk.full.Store(true)
	w.put("g", "s", "lost")
	disk.full.Store(false)
	w.put("g", "s", "after")
	for range 2 {
		if got := w.messages("g"); !cmp.Equal(got, []string{"after"}) {
			t.Errorf("messages %q", got)
		}
		w.reopen()
	}
}

// TestTorn cuts a segment at every byte: the whole records before the cut are
// there, and what is written later is, too.
func TestTorn(t *testing.T) {
	dir := t.TempDir()
	whole := newWorld(t, Options{})
	whole.put("g", "s", "one", "two", "three")
	name := slices.Collect(maps.Keys(whole.files()))[0]
	content := contentOf(t, whole.fs, "/logs/"+name)
	for cut := 1; cut <= len(content); cut++ {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, fs: nil, clock: whole.clock, log: &said{}, opts: Options{Dir: dir, Clock: whole.clock}}
		w.open()
		var want []string
		_, base, err := parsePreamble(content[:cut])
		if err == nil {
			_, _ = parseEvents(content[base:cut], base, func(r record) bool {
				want = append(want, string(r.message))
				return true
			})
		}
		if cut == len(content) && len(want) != 3 {
			t.Fatalf("the whole segment has %q", want)
		}
		if cut%2 == 0 { // with and without a reader who has found the damage
			if got := w.messages("g"); !cmp.Equal(got, want) {
				t.Fatalf("cut at %d: %q, want %q", cut, got, want)
			}
		}
		w.put("g", "s", "later")
		if got := w.messages("g"); !cmp.Equal(got, append(want, "later")) {
			t.Fatalf("cut at %d, then written: %q, want %q and later", cut, got, want)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func contentOf(t *testing.T, fs *vfstest.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestPowerLoss: nothing is synced, so lines may be gone; but the store opens,
// gives a beginning of what was written, and works.
func TestPowerLoss(t *testing.T) {
	for _, loss := range vfstest.Losses {
		w := newWorld(t, Options{SegmentBytes: 150})
		var all []string
		for _, line := range lines("x", 9) {
			all = append(all, line[:10])
			w.put("g", "s", line[:10])
		}
		w.fs.Crash(loss)
		w.Store.Close()
		if _, err := w.fs.ReadDir(w.opts.Dir); err != nil {
			w.opts.Dir = "/again" // the folder itself is gone
		}
		w.open()
		got := w.messages("g")
		for _, line := range got {
			if !slices.Contains(all, line) {
				t.Errorf("%v: there is a line %q", loss, line)
			}
		}
		w.put("g", "s", "later")
		if after := w.messages("g"); !cmp.Equal(after, append(got, "later")) {
			t.Errorf("%v: %q and later became %q", loss, got, after)
		}
		w.reopen()
		if after := w.messages("g"); !cmp.Equal(after, append(got, "later")) {
			t.Errorf("%v: after a restart %q", loss, after)
		}
	}
}

// TestReadFails: an error of the disk is the caller's, and not the end of logs.
func TestReadFails(t *testing.T) {
	w := newWorld(t, Options{})
	w.put("g", "s", "x")
	w.reopen()
	w.flush()
	for call := 1; call <= 2; call++ {
		w.fs.FailAt(call, syscall.EIO)
		if _, err := w.Read(t.Context(), Query{Group: named("g")}); !errors.Is(err, syscall.EIO) {
			t.Errorf("call %d: %v", call, err)
		}
	}
	if got := w.messages("g"); !cmp.Equal(got, []string{"x"}) {
		t.Errorf("messages %q", got)
	}
}

// TestSwappedSegments: a segment under another group's name is not read as
// that group's.
func TestSwappedSegments(t *testing.T) {
	w := newWorld(t, Options{})
	w.put("g", "s", "secret")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	name := slices.Collect(maps.Keys(w.files()))[0]
	id := named("h").id()
	if err := w.fs.Rename("/logs/"+name, w.path(id, epoch.UnixMilli())); err != nil {
		t.Fatal(err)
	}
	w.open()
	if got := w.messages("h"); got != nil {
		t.Errorf("group h has %q", got)
	}
	if groups, err := w.Groups(t.Context()); err != nil || len(groups) != 0 {
		t.Errorf("groups %v, %v", groups, err)
	}
	w.put("h", "s", "own")
	if got := w.messages("h"); !cmp.Equal(got, []string{"own"}) {
		t.Errorf("group h has %q", got)
	}
}
