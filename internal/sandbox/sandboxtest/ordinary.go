//go:build unix

package sandboxtest

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// ordinary is a user without privileges.
const ordinary = 65534

// AsOrdinaryUser runs tests of this binary again as an ordinary user, when
// this one is root; it tells whether it did.
func AsOrdinaryUser(t testing.TB, pattern string) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return false
	}
	dir, err := os.MkdirTemp("", "lamb-ordinary-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, err := range []error{os.Chmod(dir, 0o755), os.Chown(dir, ordinary, ordinary)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	// go test's own is in a folder of root's.
	binary := filepath.Join(dir, "sandbox.test")
	CopyFile(t, "/proc/self/exe", binary)
	cmd := exec.Command(binary, "-test.run="+pattern, "-test.v", "-test.timeout=3m")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: ordinary, Gid: ordinary, Groups: []uint32{}},
	}
	out, err := cmd.CombinedOutput()
	switch {
	case err != nil:
		t.Errorf("as an ordinary user: %v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("as an ordinary user:\n%s", out)
	case !strings.Contains(string(out), "--- PASS"):
		t.Errorf("no test ran as an ordinary user:\n%s", out)
	}
	return true
}

// CopyFile copies a file for everybody to run.
func CopyFile(t testing.TB, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
