package escapes

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// NewTarget makes what a prisoner tries to reach, which the test's host does.
// The program, and another that is set-user-ID, are put into the folder task,
// which the prisoner sees as inside.
func NewTarget(t testing.TB, task, inside string) Target {
	t.Helper()
	dir := t.TempDir()
	target := Target{
		Secret: filepath.Join(dir, "secret"), Unix: filepath.Join(dir, "s"),
		Abstract: fmt.Sprint("lamb-escape-", os.Getpid()), Pid: os.Getpid(),
	}
	if err := os.WriteFile(target.Secret, []byte("of the host"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, l := range []struct{ network, address string }{
		{"tcp", "127.0.0.1:0"}, {"unix", target.Unix}, {"unix", "@" + target.Abstract},
	} {
		listener, err := net.Listen(l.network, l.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		if l.network == "tcp" {
			target.TCP = listener.Addr().String()
		}
	}
	target.Local = listenLocally(t)
	if err := os.Chmod(target.Unix, 0o777); err != nil {
		t.Fatal(err)
	}
	shm, err := unix.SysvShmGet(unix.IPC_PRIVATE, 4096, 0o666|unix.IPC_CREAT)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := unix.SysvShmCtl(shm, unix.IPC_RMID, nil); err != nil {
			t.Error(err)
		}
	})
	target.Shm = shm
	target.Data = t.TempDir()
	copyFile(t, "/proc/self/exe", filepath.Join(task, "program"), 0o755)
	id, err := exec.LookPath("id")
	if err != nil {
		t.Fatal(err)
	}
	copyFile(t, id, filepath.Join(task, "id"), 0o755|os.ModeSetuid)
	target.SetUID = filepath.Join(inside, "id")
	return target
}

// SetOther makes another sandbox part of the target: its /tmp, as the host
// sees it, and its listener, where whoever connects is greeted.
func (target *Target) SetOther(t testing.TB, l net.Listener, tmp string) {
	t.Helper()
	target.OtherTmp, target.OtherAPI = tmp, l.Addr().String()
	if err := os.WriteFile(filepath.Join(tmp, "mine"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the sandbox has been closed
			}
			_, _ = io.WriteString(c, greeting)
			c.Close()
		}
	}()
}

// Results reads what the program printed: what became of each attempt.
func Results(out string) map[string]string {
	results := map[string]string{}
	for line := range strings.Lines(out) {
		if name, result, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			results[name] = result
		}
	}
	return results
}

func copyFile(t testing.TB, from, to string, mode os.FileMode) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, mode.Perm())
	}
	if err == nil {
		err = os.Chmod(to, mode) // whatever the umask
	}
	if err != nil {
		t.Fatal(err)
	}
}

// listenLocally listens on an address of this host that is not loopback's.
func listenLocally(t testing.TB) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			l, err := net.Listen("tcp4", net.JoinHostPort(n.IP.String(), "0"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			return l.Addr().String()
		}
	}
	return ""
}
