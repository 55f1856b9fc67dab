package native_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/native"
)

// newLimited is a provider that limits /tmp.
func newLimited(t *testing.T, cfg native.Config) *native.Provider {
	t.Helper()
	p := newProvider(t, cfg)
	if fp := p.Fingerprint(); !fp.Tmp {
		t.Skipf("/tmp has no limit here: %q", fp.Missing)
	}
	return p
}

// TestTmpLimit: what was asked for can be written to /tmp, and no more; the
// rest of the sandbox goes on.
func TestTmpLimit(t *testing.T) {
	const script = `
		touch /tmp/mine && ls -A /tmp
		dd if=/dev/zero of=/tmp/all bs=1M count=15 2>/dev/null && echo fits
		dd if=/dev/zero of=/tmp/more bs=1M count=3 2>&1 | grep -o 'No space left on device'
		rm /tmp/all && echo again > /tmp/again && cat /tmp/again`
	for _, ready := range []int{0, 1} {
		p := newLimited(t, native.Config{Ready: ready, TmpMB: 16, Stores: []string{os.TempDir()}})
		native.AwaitPool(t, p)
		out, exit := run(t, p, sandbox.Spec{ID: "full", Task: t.TempDir(), TmpMB: 16},
			sandbox.Process{Path: "/bin/sh", Args: []string{"-c", script}, Env: lambdaEnv})
		if want := "mine\nfits\nNo space left on device\nagain\n"; out != want || exit != (sandbox.Exit{}) {
			t.Errorf("%d ready: %v\n%s", ready, exit, out)
		}
	}
}

// TestTmpSizes: prepared shells serve one size, others are made.
func TestTmpSizes(t *testing.T) {
	p := newLimited(t, native.Config{Ready: 1, TmpMB: 16, Stores: []string{os.TempDir()}})
	native.AwaitPool(t, p)
	for _, mb := range []int{16, 64} {
		out, _ := run(t, p, sandbox.Spec{ID: "sized", Task: t.TempDir(), TmpMB: mb}, sandbox.Process{
			Path: "/bin/sh", Args: []string{"-c", "df -m --output=avail /tmp | tail -1"}, Env: lambdaEnv,
		})
		var got int
		if _, err := fmt.Sscan(out, &got); err != nil || got < mb-1 || got > mb+2 {
			t.Errorf("%d MB asked for, %d available: %v %q", mb, got, err, out)
		}
	}
}

// TestTmpSurvivesReset: Kill ends the processes, not the files.
func TestTmpSurvivesReset(t *testing.T) {
	p := newLimited(t, native.Config{})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	sb, err := p.Create(ctx, sandbox.Spec{ID: "reset", Task: t.TempDir(), TmpMB: 16})
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	shell(t, sb, "echo kept > /tmp/x")
	if err := sb.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	if out := shell(t, sb, "cat /tmp/x"); out != "kept\n" {
		t.Errorf("%q", out)
	}
}

// shell runs a script in a sandbox and returns what it says.
func shell(t *testing.T, sb sandbox.Sandbox, script string) string {
	t.Helper()
	out := &text{}
	proc, err := sb.Start(t.Context(), sandbox.Process{Path: "/bin/sh", Args: []string{"-c", script}, Env: lambdaEnv, Stdout: out, Stderr: out})
	if err != nil {
		t.Fatal(err)
	}
	<-proc.Done()
	sb.Flush()
	return out.String()
}

// TestDisksAreGivenBack: the device of a closed sandbox is free, and its file
// had no name to begin with.
func TestDisksAreGivenBack(t *testing.T) {
	dir := t.TempDir()
	p, err := native.New(native.Config{WorkDir: dir})
	if err != nil {
		t.Skip(err)
	}
	defer p.Close()
	if !p.Fingerprint().Tmp {
		t.Skipf("/tmp has no limit here: %q", p.Fingerprint().Missing)
	}
	sb, err := p.Create(context.Background(), sandbox.Spec{ID: "gone", Task: t.TempDir(), TmpMB: 16})
	if err != nil {
		t.Fatal(err)
	}
	if n := backed(t, dir); n != 1 {
		t.Errorf("%d devices", n)
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "shells")); err != nil || len(entries) > 0 {
		t.Errorf("files %v, %v", entries, err)
	}
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(mounts), "/dev/loop") && strings.Contains(string(mounts), dir) {
		t.Errorf("the host sees the mount: %v\n%s", err, mounts)
	}
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	// The kernel unmounts in the background.
	for deadline := time.Now().Add(patience); backed(t, dir) > 0; {
		if time.Now().After(deadline) {
			t.Fatal("the device is not given back")
		}
		<-time.After(5 * time.Millisecond)
	}
}

// TestDisksShareFiles: what a closed sandbox had written to /tmp is given back
// while another, whose disk lies in the same file, goes on with its own.
func TestDisksShareFiles(t *testing.T) {
	p := newLimited(t, native.Config{})
	sh := func(id string) (sandbox.Sandbox, func(string) string) {
		sb, err := p.Create(t.Context(), sandbox.Spec{ID: id, Task: t.TempDir(), TmpMB: 16})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { sb.Close() })
		return sb, func(script string) string { return shell(t, sb, script) }
	}
	gone, first := sh("gone")
	_, second := sh("stays")
	const sum = "dd if=/dev/urandom of=/tmp/all bs=1M count=12 2>/dev/null; sync /tmp/all; md5sum < /tmp/all"
	first(sum)
	want := second(sum)
	if n := held(t); len(n) != 1 || n[0] < 24<<20 {
		t.Skipf("disks do not share files here: %d", n)
	}
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	if n := held(t); len(n) != 1 || n[0] > 16<<20 {
		t.Errorf("bytes held: %d", n)
	}
	third, again := sh("new")
	if got := again("cat /tmp/all 2>&1; head -c 100 /dev/zero > /tmp/all; md5sum < /tmp/all"); !strings.Contains(got, "No such file") {
		t.Errorf("a new one has %q", got)
	}
	if err := third.Close(); err != nil {
		t.Fatal(err)
	}
	if got := second("md5sum < /tmp/all"); !strings.HasSuffix(got, want) {
		t.Errorf("the other's file was %q and is %q", want, got)
	}
}

// held is what the files for disks take, in bytes, of which this process has
// any open.
func held(t *testing.T) (bytes []int64) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		var st syscall.Stat_t
		if name, err := os.Readlink(link); err == nil && strings.Contains(name, "/shells/disk-") && syscall.Stat(link, &st) == nil {
			bytes = append(bytes, st.Blocks*512)
		}
	}
	return bytes
}

// backed counts the loop devices whose files are, or were, below dir.
func backed(t *testing.T, dir string) int {
	t.Helper()
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range files {
		// A device that is given back just now has no such file any more.
		if b, err := os.ReadFile(name); err == nil && strings.HasPrefix(string(b), dir) {
			n++
		}
	}
	return n
}
