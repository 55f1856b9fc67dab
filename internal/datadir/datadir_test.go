package datadir_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/datadir"
	"github.com/lambhq/lamb/internal/vfs"
)

// holdEnv makes this program hold a folder instead of running tests.
const holdEnv = "LAMB_TEST_HOLD_DATADIR"

func TestMain(m *testing.M) {
	if path := os.Getenv(holdEnv); path != "" {
		hold(path)
	}
	os.Exit(m.Run())
}

// hold opens the folder, says so, and waits to be killed or for the end of
// its input.
func hold(path string) {
	if _, err := datadir.Open(path, datadir.Options{}); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("held")
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func open(t *testing.T, path string) *datadir.Dir {
	t.Helper()
	d, err := datadir.Open(path, datadir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func closed(t *testing.T, d *datadir.Dir) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenMakesTheFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "lamb")
	d := open(t, path)
	defer closed(t, d)
	if d.Path() != path {
		t.Errorf("Path = %s, want %s", d.Path(), path)
	}
	for _, dir := range []string{path, d.Code(), d.Cache(), d.Spool(), d.Sandboxes()} {
		info, err := os.Stat(dir)
		if err != nil || info.Mode() != fs.ModeDir|0o700 {
			t.Errorf("%s: %v, %v; want a folder with mode 0700", dir, info, err)
		}
	}
	if filepath.Dir(d.State()) != path {
		t.Errorf("State = %s, want a file in the folder", d.State())
	}
}

func TestOpenAgainKeepsWhatLastsAndEmptiesTheRest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lamb")
	d := open(t, path)
	kept := []string{d.State(), filepath.Join(d.Code(), "x.zip")}
	tree := filepath.Join(d.Cache(), "trees", "t")
	gone := []string{filepath.Join(tree, "f"), filepath.Join(d.Spool(), "body"), filepath.Join(d.Sandboxes(), "s")}
	if err := os.MkdirAll(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(kept, gone...) {
		if err := os.WriteFile(name, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(tree, 0o555); err != nil {
		t.Fatal(err)
	}
	closed(t, d)

	closed(t, open(t, path))
	for _, name := range kept {
		if text, err := os.ReadFile(name); err != nil || string(text) != name {
			t.Errorf("%s: %q, %v; want it kept", name, text, err)
		}
	}
	for _, dir := range []string{d.Cache(), d.Spool(), d.Sandboxes()} {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s has %v, %v; want nothing", dir, left, err)
		}
	}
}

func TestInUseByThisProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lamb")
	d := open(t, path)
	_, err := datadir.Open(path, datadir.Options{})
	var inUse *datadir.InUseError
	if !errors.Is(err, datadir.ErrInUse) || !errors.As(err, &inUse) {
		t.Fatalf("second Open = %v, want an *InUseError", err)
	}
	if want := (datadir.InUseError{Path: path, PID: os.Getpid()}); *inUse != want {
		t.Errorf("error = %+v, want %+v", *inUse, want)
	}
	closed(t, d)
	closed(t, open(t, path))
}

// TestInUseByAnotherProcess also shows that the lock ends with its process,
// when that is killed.
func TestInUseByAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lamb")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdEnv+"="+path)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdin.Close() }() // the child ends by it, if not before
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if line != "held\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	_, err = datadir.Open(path, datadir.Options{})
	var inUse *datadir.InUseError
	if !errors.As(err, &inUse) || inUse.PID != cmd.Process.Pid {
		t.Errorf("Open = %v, want the child's process id %d", err, cmd.Process.Pid)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	closed(t, open(t, path))
}

func TestRefusesOtherFolders(t *testing.T) {
	cases := []struct {
		name, file, content string
		want                error
	}{
		{"newer", "format", "2\n", datadir.ErrNewer},
		{"much newer", "format", "1000000", datadir.ErrNewer},
		{"damaged", "format", "", datadir.ErrNotOurs},
		{"damaged otherwise", "format", "one", datadir.ErrNotOurs},
		{"zero", "format", "0", datadir.ErrNotOurs},
		{"somebody's", "thesis.txt", "x", datadir.ErrNotOurs},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := t.TempDir()
			run := filepath.Join(path, "run", "cache")
			if c.file == "format" {
				if err := os.MkdirAll(run, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(path, c.file), []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			before := tree(t, path)
			if _, err := datadir.Open(path, datadir.Options{}); !errors.Is(err, c.want) {
				t.Errorf("Open = %v, want %v", err, c.want)
			}
			after := tree(t, path)
			if c.file == "format" { // with one, the folder is lamb's
				after = slices.DeleteFunc(after, func(name string) bool { return name == "lock" })
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("Open changed the folder (-before +after):\n%s", diff)
			}
		})
	}
}

// tree lists all that is in a folder.
func tree(t *testing.T, path string) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(path), ".", func(name string, _ fs.DirEntry, err error) error {
		names = append(names, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestOpenInANewVolume(t *testing.T) {
	path := t.TempDir()
	if err := os.Mkdir(filepath.Join(path, "lost+found"), 0o700); err != nil {
		t.Fatal(err)
	}
	closed(t, open(t, path))
}

func TestTemporary(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	d, err := datadir.Temporary(datadir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sub := filepath.Join(d.Cache(), "tree")
	if err := errors.Join(os.Mkdir(sub, 0o700), os.WriteFile(filepath.Join(sub, "f"), nil, 0o400), os.Chmod(sub, 0o555)); err != nil {
		t.Fatal(err)
	}
	closed(t, d)
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestDefault(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	if runtime.GOOS == "darwin" {
		if got, err := datadir.Default(); err != nil || got != filepath.Join(home, "Library", "Application Support", "lamb") {
			t.Errorf("Default = %s, %v", got, err)
		}
		return
	}
	local := filepath.Join(home, ".local", "share", "lamb")
	for xdg, want := range map[string]string{"": local, "relative": local, "/xdg": "/xdg/lamb"} {
		t.Setenv("XDG_DATA_HOME", xdg)
		if got, err := datadir.Default(); err != nil || got != want {
			t.Errorf("Default with XDG_DATA_HOME=%q = %s, %v; want %s", xdg, got, err, want)
		}
	}
}

// recorder is the machine's file system, and what was asked of it.
type recorder struct {
	vfs.FS
	calls []string
	fail  string // the call that fails
}

var errDisk = errors.New("input/output error")

func (r *recorder) call(op, name string) error {
	call := op + " " + filepath.Base(name)
	r.calls = append(r.calls, call)
	if call == r.fail {
		return errDisk
	}
	return nil
}

func (r *recorder) Mkdir(name string, perm fs.FileMode) error {
	if err := r.call("mkdir", name); err != nil {
		return err
	}
	return r.FS.Mkdir(name, perm)
}

func (r *recorder) Rename(from, to string) error {
	if err := r.call("rename", to); err != nil {
		return err
	}
	return r.FS.Rename(from, to)
}

func (r *recorder) SyncDir(name string) error {
	if err := r.call("syncdir", name); err != nil {
		return err
	}
	return r.FS.SyncDir(name)
}

// TestWhatIsMadeIsSynced: every folder that Open makes has its name synced in
// its parent, for what is put into it is of no use without it.
func TestWhatIsMadeIsSynced(t *testing.T) {
	base := filepath.Join(t.TempDir(), "base")
	r := &recorder{FS: vfs.OS}
	d, err := datadir.Open(filepath.Join(base, "lamb"), datadir.Options{FS: r})
	if err != nil {
		t.Fatal(err)
	}
	closed(t, d)
	want := []string{
		"mkdir lamb", "mkdir base", "syncdir " + filepath.Base(filepath.Dir(base)), "mkdir lamb", "syncdir base",
		"rename format", "syncdir lamb", "mkdir code", "mkdir run", "syncdir lamb",
	}
	if diff := cmp.Diff(want, r.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestDiskErrorsAreReturnedAndUnlock(t *testing.T) {
	for _, call := range []string{"rename format", "syncdir lamb", "mkdir code", "mkdir run"} {
		path := filepath.Join(t.TempDir(), "lamb")
		_, err := datadir.Open(path, datadir.Options{FS: &recorder{FS: vfs.OS, fail: call}})
		if !errors.Is(err, errDisk) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s fails: Open = %v, want the error and the path", call, err)
		}
		closed(t, open(t, path)) // and what was left does not stand in the way
	}
}
