package vfstest_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/vfs"
	"github.com/lambhq/lamb/internal/vfs/vfstest"
)

// check fails the test if any of the calls failed.
func check(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, f vfs.FS, dir, content string, sync bool) (name string) {
	t.Helper()
	file, err := f.CreateTemp(dir, "t-*.x")
	check(t, err)
	_, err = io.WriteString(file, content)
	check(t, err)
	if sync {
		check(t, file.Sync())
	}
	check(t, file.Close())
	return file.Name()
}

// list gives the files of a folder with their contents.
func list(t *testing.T, f vfs.FS, dir string) map[string]string {
	t.Helper()
	entries, err := f.ReadDir(dir)
	check(t, err)
	files := map[string]string{}
	for _, e := range entries {
		file, err := f.Open(filepath.Join(dir, e.Name()))
		check(t, err)
		content, err := io.ReadAll(file)
		check(t, err, file.Close())
		files[e.Name()] = string(content)
	}
	return files
}

// TestIsAFileSystem runs the same calls on the real one and on this one.
func TestIsAFileSystem(t *testing.T) {
	systems := map[string]struct {
		fs   vfs.FS
		root string
	}{
		"memory": {vfstest.New(), "/"},
		"os":     {vfs.OS, t.TempDir()},
	}
	for name, system := range systems {
		t.Run(name, func(t *testing.T) {
			f, dir := system.fs, filepath.Join(system.root, "d")
			missing := filepath.Join(dir, "missing")
			if _, err := f.ReadDir(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("ReadDir of a missing folder = %v", err)
			}
			check(t, f.Mkdir(dir, 0o700), f.SyncDir(dir))
			if err := f.Mkdir(dir, 0o700); !errors.Is(err, fs.ErrExist) {
				t.Errorf("Mkdir again = %v", err)
			}
			a, b := create(t, f, dir, "hello", true), create(t, f, dir, "other", false)
			check(t, f.Rename(a, b))
			if diff := cmp.Diff(map[string]string{filepath.Base(b): "hello"}, list(t, f, dir)); diff != "" {
				t.Errorf("after a rename over a file (-want +got):\n%s", diff)
			}
			for what, err := range map[string]error{
				"rename": f.Rename(missing, b), "remove": f.Remove(missing),
				"open": errOf(f.Open(missing)), "syncdir": f.SyncDir(missing),
				"createtemp": errOf(f.CreateTemp(missing, "*")), "append": errOf(f.Append(filepath.Join(missing, "f"))),
			} {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s of what is missing = %v", what, err)
				}
			}
			if err := f.Remove(dir); err == nil {
				t.Error("removed a folder with a file in it")
			}
			file, err := f.Open(b)
			check(t, err)
			info, err := file.Stat()
			check(t, err)
			if info.Size() != 5 || info.Mode() != 0o600 {
				t.Errorf("size and mode = %d %v", info.Size(), info.Mode())
			}
			if _, err := file.Write([]byte("x")); err == nil {
				t.Error("wrote to a file opened for reading")
			}
			if at, err := file.Seek(-2, io.SeekEnd); at != 3 || err != nil {
				t.Errorf("Seek = %d, %v", at, err)
			}
			if rest, err := io.ReadAll(file); string(rest) != "lo" || err != nil {
				t.Errorf("read after Seek = %q, %v", rest, err)
			}
			if at, err := file.Seek(1, io.SeekStart); at != 1 || err != nil {
				t.Errorf("Seek = %d, %v", at, err)
			}
			if n, err := file.ReadAt(make([]byte, 9), 1); n != 4 || !errors.Is(err, io.EOF) {
				t.Errorf("ReadAt over the end = %d, %v", n, err)
			}
			check(t, file.Close())
			if _, err := file.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
				t.Errorf("Read after Close = %v", err)
			}
			for _, part := range []string{"ap", "pended"} { // to none, and to what is there
				end, err := f.Append(a)
				check(t, err)
				_, err = io.WriteString(end, part)
				check(t, err, end.Close())
			}
			if diff := cmp.Diff("appended", list(t, f, dir)[filepath.Base(a)]); diff != "" {
				t.Errorf("after Append twice (-want +got):\n%s", diff)
			}
			check(t, f.Remove(a), f.Remove(b), f.Remove(dir))
		})
	}
}

func errOf(_ vfs.File, err error) error { return err }

func TestCrashKeepsWhatWasSynced(t *testing.T) {
	cases := []struct {
		name               string
		syncFile, syncName bool
		want               map[vfstest.Loss]map[string]string
	}{
		{"nothing synced", false, false, map[vfstest.Loss]map[string]string{
			vfstest.Unsynced: {}, vfstest.Contents: {"f": ""}, vfstest.Torn: {"f": "12"},
		}},
		{"content synced", true, false, map[vfstest.Loss]map[string]string{
			vfstest.Unsynced: {}, vfstest.Contents: {"f": "1234"}, vfstest.Torn: {"f": "1234"},
		}},
		{"name synced", false, true, map[vfstest.Loss]map[string]string{
			vfstest.Unsynced: {"f": ""}, vfstest.Contents: {"f": ""}, vfstest.Torn: {"f": "12"},
		}},
		{"both synced", true, true, map[vfstest.Loss]map[string]string{
			vfstest.Unsynced: {"f": "1234"}, vfstest.Contents: {"f": "1234"}, vfstest.Torn: {"f": "1234"},
		}},
	}
	for _, c := range cases {
		for _, loss := range vfstest.Losses {
			t.Run(c.name+", "+loss.String(), func(t *testing.T) {
				f := vfstest.New()
				check(t, f.Mkdir("/d", 0o700), f.SyncDir("/"))
				check(t, f.Rename(create(t, f, "/d", "1234", c.syncFile), "/d/f"))
				if c.syncName {
					check(t, f.SyncDir("/d"))
				}
				f.Crash(loss)
				if diff := cmp.Diff(c.want[loss], list(t, f, "/d")); diff != "" {
					t.Errorf("after the crash (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestCrashUndoesUnsyncedRemovesAndRenames(t *testing.T) {
	f := vfstest.New()
	check(t, f.Rename(create(t, f, "/", "a", true), "/a"), f.Rename(create(t, f, "/", "b", true), "/b"), f.SyncDir("/"))
	check(t, f.Rename("/a", "/b"), f.Mkdir("/d", 0o700))
	f.Crash(vfstest.Unsynced)
	if diff := cmp.Diff(map[string]string{"a": "a", "b": "b"}, list(t, f, "/")); diff != "" {
		t.Errorf("after the crash (-want +got):\n%s", diff)
	}
}

func TestFailAt(t *testing.T) {
	f := vfstest.New()
	f.FailAt(2, syscall.ENOSPC)
	file, err := f.CreateTemp("/", "t")
	check(t, err)
	if n, err := io.WriteString(file, "1234"); n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the write that fails = %d, %v", n, err)
	}
	_, err = io.WriteString(file, "5")
	check(t, err, file.Close())
	if diff := cmp.Diff([]string{"createtemp /", "write /t1", "write /t1", "close /t1"}, f.Trace()); diff != "" {
		t.Errorf("trace (-want +got):\n%s", diff)
	}
}

func TestCrashAtEndsEverything(t *testing.T) {
	f := vfstest.New()
	file, err := f.CreateTemp("/", "t")
	check(t, err)
	f.CrashAt(1)
	for name, err := range map[string]error{"sync": file.Sync(), "mkdir": f.Mkdir("/d", 0o700), "syncdir": f.SyncDir("/")} {
		if !errors.Is(err, vfstest.ErrPower) {
			t.Errorf("%s without power = %v", name, err)
		}
	}
	f.Crash(vfstest.Contents)
	check(t, f.Mkdir("/d", 0o700))
	if err := file.Sync(); !errors.Is(err, vfstest.ErrPower) {
		t.Errorf("a file that was open when the power was lost: %v", err)
	}
}
