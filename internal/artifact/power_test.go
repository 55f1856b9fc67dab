package artifact_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/artifact"
	"github.com/lambhq/lamb/internal/vfs/vfstest"
)

const codeDir = "/code"

// disk is a file system that can lose power, with a folder for code.
func disk(t *testing.T) *vfstest.FS {
	t.Helper()
	f := vfstest.New()
	if err := errors.Join(f.Mkdir(codeDir, 0o700), f.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	return f
}

func openOn(t *testing.T, f *vfstest.FS) *artifact.Store {
	return open(t, func(o *artifact.Options) { o.Dir, o.FS = codeDir, f })
}

// isWhole reports whether the code is there; it fails the test if there is
// anything but exactly the content.
func isWhole(t *testing.T, s *artifact.Store, content []byte) bool {
	t.Helper()
	z, err := s.OpenZip(digestOf(content))
	if errors.Is(err, artifact.ErrNotFound) {
		return false
	}
	if err != nil {
		t.Errorf("OpenZip = %v", err)
		return false
	}
	got, err := io.ReadAll(z)
	if err := errors.Join(err, z.Close()); err != nil || !bytes.Equal(got, content) {
		t.Errorf("the code differs from what was added: %d bytes, want %d (%v)", len(got), len(content), err)
	}
	return true
}

// files lists the folder of the code.
func files(t *testing.T, f *vfstest.FS) []string {
	t.Helper()
	entries, err := f.ReadDir(codeDir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestPowerLoss cuts the power at every call that Add makes, in every way.
func TestPowerLoss(t *testing.T) {
	first := zipOf(t, file("first", "1"))
	second := zipOf(t, file("second", strings.Repeat("2", 1000)), link("l", "second"))
	starts := map[string]func(t *testing.T, f *vfstest.FS, s *artifact.Store){
		"new code": func(*testing.T, *vfstest.FS, *artifact.Store) {},
		"code whose folder was not synced": func(t *testing.T, f *vfstest.FS, s *artifact.Store) {
			// As a lamb leaves it that was killed between rename and sync.
			f.FailAt(syncDirCall(t, second), syscall.EIO)
			if _, err := s.Add(t.Context(), bytes.NewReader(second), int64(len(second))); !errors.Is(err, syscall.EIO) {
				t.Fatalf("the preparation: %v", err)
			}
		},
	}
	for name, start := range starts {
		for _, loss := range vfstest.Losses {
			t.Run(name+", "+loss.String(), func(t *testing.T) {
				for n := 1; ; n++ {
					f := disk(t)
					s := openOn(t, f)
					add(t, s, first).Release()
					start(t, f, s)
					before := len(f.Trace())
					f.CrashAt(n)
					_, err := s.Add(t.Context(), bytes.NewReader(second), int64(len(second)))
					acknowledged, calls := err == nil, len(f.Trace())-before
					if !acknowledged && !errors.Is(err, vfstest.ErrPower) {
						t.Fatalf("power lost at call %d: Add = %v", n, err)
					}
					f.Crash(loss)

					s = openOn(t, f)
					where := fmt.Sprintf("power lost at call %d: %v", n, f.Trace()[before:])
					if !isWhole(t, s, first) {
						t.Errorf("%s: the code acknowledged before is gone", where)
					}
					if there := isWhole(t, s, second) || t.Failed(); acknowledged && !there {
						t.Errorf("%s: acknowledged code is gone", where)
					}
					for _, name := range files(t, f) {
						if !strings.HasSuffix(name, ".zip") {
							t.Errorf("%s: %s is left", where, name)
						}
					}
					// And it can be added then, for good.
					add(t, s, second)
					f.Crash(loss)
					if !isWhole(t, openOn(t, f), second) {
						t.Errorf("%s: added again, acknowledged and gone", where)
					}
					if t.Failed() {
						return
					}
					if acknowledged && calls < n {
						if n < 3 {
							t.Errorf("Add made %d calls: nothing was tested", calls)
						}
						return
					}
				}
			})
		}
	}
}

// syncDirCall finds which of the calls that Add makes syncs the folder.
func syncDirCall(t *testing.T, content []byte) int {
	t.Helper()
	f := disk(t)
	s := openOn(t, f)
	before := len(f.Trace())
	add(t, s, content)
	for i, call := range f.Trace()[before:] {
		if strings.HasPrefix(call, "syncdir") {
			return i + 1
		}
	}
	t.Fatal("Add does not sync the folder")
	return 0
}

// TestOrderOfAdd: the file is synced before it has its name, and the folder
// before Add returns.
func TestOrderOfAdd(t *testing.T) {
	f := disk(t)
	s := openOn(t, f)
	content := zipOf(t, file("a", "x"))
	before := len(f.Trace())
	p := add(t, s, content)
	var got []string
	for _, call := range f.Trace()[before:] {
		if op, _, _ := strings.Cut(call, " "); len(got) == 0 || got[len(got)-1] != op {
			got = append(got, op)
		}
	}
	want := []string{"open", "createtemp", "write", "sync", "close", "rename", "syncdir"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{path.Base(p.SHA256) + ".zip"}, files(t, f)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestDiskErrors fails every call that Add makes, once: Add says so, leaves
// nothing half made, and works the next time.
func TestDiskErrors(t *testing.T) {
	content := zipOf(t, file("a", strings.Repeat("x", 1000)))
	for _, fault := range []error{syscall.ENOSPC, syscall.EIO, fs.ErrPermission} {
		t.Run(fault.Error(), func(t *testing.T) {
			for n := 1; ; n++ {
				f := disk(t)
				s := openOn(t, f)
				before := len(f.Trace())
				f.FailAt(n, fault)
				_, err := s.Add(t.Context(), bytes.NewReader(content), int64(len(content)))
				if err == nil {
					if calls := len(f.Trace()) - before; calls >= n {
						t.Errorf("call %d of %v failed and Add succeeded", n, f.Trace()[before:])
					}
					if n < 3 {
						t.Error("Add made no calls: nothing was tested")
					}
					return
				}
				if !errors.Is(err, fault) || errors.Is(err, artifact.ErrBadZip) {
					t.Errorf("call %d failed: Add = %v, want the disk's error", n, err)
				}
				for _, name := range files(t, f) {
					if !strings.HasSuffix(name, ".zip") {
						t.Errorf("call %d failed: %s is left", n, name)
					}
				}
				if isWhole(t, s, content); t.Failed() {
					return
				}
				add(t, s, content)
				if !isWhole(t, s, content) {
					t.Errorf("call %d failed: added again and missing", n)
				}
			}
		})
	}
}

func TestOpenReturnsDiskErrors(t *testing.T) {
	f := disk(t)
	file, err := f.CreateTemp(codeDir, "add-*") // left by a crash
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 2; n++ {
		f.FailAt(n, syscall.EIO)
		if _, err := artifact.Open(artifact.Options{Dir: codeDir, FS: f, CacheDir: t.TempDir()}); !errors.Is(err, syscall.EIO) {
			t.Errorf("call %d failed: Open = %v", n, err)
		}
	}
	openOn(t, f)
	if left := files(t, f); len(left) != 0 {
		t.Errorf("Open left %v", left)
	}
}
