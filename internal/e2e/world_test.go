package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// world is how the lambs under test run. The tests are the same in every
// world; `make test` goes through several. These variables choose:
//
//	LAMB_TEST_SANDBOX  the sandbox; empty for the one that lamb chooses
//	LAMB_TEST_USER     who runs lamb, when root runs the tests
//	LAMB_TEST_RACE     if not empty, lamb is built with the race detector
type world struct {
	sandbox string
	user    *syscall.Credential // nil: who runs the tests
	race    bool
}

// here is the world of this run, set by TestMain.
var here world

func readWorld() (w world, err error) {
	w.sandbox, w.race = os.Getenv("LAMB_TEST_SANDBOX"), os.Getenv("LAMB_TEST_RACE") != ""
	name := os.Getenv("LAMB_TEST_USER")
	if name == "" {
		return w, nil
	}
	if os.Geteuid() != 0 {
		return w, errors.New("LAMB_TEST_USER: only root can run lamb as somebody else")
	}
	u, err := user.Lookup(name)
	if err != nil {
		return w, fmt.Errorf("LAMB_TEST_USER: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	w.user = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return w, errors.Join(err, gidErr)
}

func (w world) String() string {
	who, how := "root", ""
	if w.user != nil {
		who = "user " + strconv.FormatUint(uint64(w.user.Uid), 10)
	} else if uid := os.Geteuid(); uid != 0 {
		who = "user " + strconv.Itoa(uid)
	}
	if w.race {
		how = ", with the race detector"
	}
	return cmp.Or(w.sandbox, "the default") + " sandbox, as " + who + how
}

// command is a program run by lamb's user, at home in a folder of that user's.
func (w world) command(ctx context.Context, home, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = home
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, ofLamb}
	if w.sandbox != "" {
		cmd.Env = append(cmd.Env, "LAMB_SANDBOX="+w.sandbox)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: w.user}
	return cmd
}

// give makes lamb's user the owner of a path.
func (w world) give(path string) error {
	if w.user == nil {
		return nil
	}
	return os.Chown(path, int(w.user.Uid), int(w.user.Gid))
}

// folder is a new folder of lamb's user's. It is removed in the end, which
// fails when something is still mounted below it.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(scratch, "folder-")
	if err == nil {
		err = here.give(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// put writes a file of lamb's user's.
func put(t testing.TB, path, content string) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path, []byte(content), 0o600), here.give(path)); err != nil {
		t.Fatal(err)
	}
}

// need skips a test that cannot be run without a program, and returns its path.
func need(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("the program %s is missing", name)
	}
	return path
}

// needInside skips a test whose functions need a program that lamb's user
// cannot run.
func needInside(t testing.TB, name string) {
	t.Helper()
	// By the shell, because what comes first on PATH may be root's own.
	cmd := here.command(t.Context(), folder(t), "/bin/sh", "-c", "exec "+name+" --version")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("%s does not run in the world of lamb: %v\n%s", name, err, out)
	}
}

// inside is an address of this machine's loopback as the functions of this
// lamb reach it.
func (l *lamb) inside(t testing.TB, url string) string {
	t.Helper()
	switch l.network {
	case "host":
		return url
	case "private":
		return strings.Replace(url, "127.0.0.1", "host.lamb.internal", 1)
	}
	t.Skipf("the functions have no network, but %q", l.network)
	return ""
}

// lambdaURL is where functions reach the Lambda API.
func (l *lamb) lambdaURL(t testing.TB) string {
	t.Helper()
	if l.network == "none" {
		return l.URL
	}
	return l.inside(t, l.URL)
}

// isolated tells whether lamb says that it isolates functions.
func (l *lamb) isolated() bool { return l.sandbox == "native" }
