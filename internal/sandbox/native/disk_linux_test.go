package native_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
	sh := func(script string) string {
		t.Helper()
		out := &text{}
		proc, err := sb.Start(ctx, sandbox.Process{Path: "/bin/sh", Args: []string{"-c", script}, Env: lambdaEnv, Stdout: out, Stderr: out})
		if err != nil {
			t.Fatal(err)
		}
		<-proc.Done()
		sb.Flush()
		return out.String()
	}
	sh("echo kept > /tmp/x")
	if err := sb.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	if out := sh("cat /tmp/x"); out != "kept\n" {
		t.Errorf("%q", out)
	}
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
