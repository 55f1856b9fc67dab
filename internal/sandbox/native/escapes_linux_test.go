package native_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/escapes"
	"github.com/lambhq/lamb/internal/sandbox/native"
	"github.com/lambhq/lamb/internal/sandbox/sandboxtest"
)

// TestEscapes: every attempt is refused.
func TestEscapes(t *testing.T) {
	t.Run("Fresh", func(t *testing.T) { tryEscapes(t, native.Config{}) })
	t.Run("Pooled", func(t *testing.T) {
		tryEscapes(t, native.Config{Ready: 1, Stores: []string{os.TempDir()}, TmpMB: sizedMB})
	})
}

// TestEscapesRootless is the same, and what is left, as an ordinary user.
func TestEscapesRootless(t *testing.T) {
	if !sandboxtest.AsOrdinaryUser(t, "^(TestEscapes|TestForkBomb|TestNothingIsLeft|TestKilledOwner|TestBurst|TestNode|TestTools)$") {
		t.Skip("this is an ordinary user: the tests themselves are the same")
	}
}

func tryEscapes(t *testing.T, cfg native.Config) {
	p := newProvider(t, cfg)
	task := t.TempDir()
	target := escapes.NewTarget(t, task, "/var/task")
	other, err := p.Create(context.Background(), sandbox.Spec{ID: "other", Task: task, TmpMB: cfg.TmpMB})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	target.SetOther(t, other.Listener(), native.TmpOnHost(other))
	args, err := escapes.Args(target)
	if err != nil {
		t.Fatal(err)
	}
	out, exit := run(t, p, sandbox.Spec{ID: "prisoner", Task: task, TmpMB: cfg.TmpMB, MemoryMB: 512, MaxFiles: 1024, MaxProcesses: 100},
		sandbox.Process{Path: "/var/task/program", Args: args, Env: lambdaEnv})
	if exit != (sandbox.Exit{}) {
		t.Fatalf("%s\n%s", exit, out)
	}
	results := escapes.Results(out)
	for _, a := range escapes.Attempts() {
		if result := results[a.Name]; result == "escaped" || result == "" {
			t.Errorf("%s: %q", a.Name, result)
		}
	}
	t.Logf("%d attempts\n%s", len(results), out)
}

// TestForkBomb: the processes of a sandbox are counted, and all end.
func TestForkBomb(t *testing.T) {
	const most = 40
	p := newProvider(t, native.Config{})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	sb, err := p.Create(ctx, sandbox.Spec{ID: "bomb", Task: t.TempDir(), MaxProcesses: most})
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	out := &text{}
	proc, err := sb.Start(ctx, sandbox.Process{
		Path: "/bin/sh", Args: []string{"-c", "i=0; while :; do sleep 1000 & i=$((i+1)); echo $i; done"},
		Env: lambdaEnv, Stdout: out, Stderr: out,
	})
	if err != nil {
		t.Fatal(err)
	}
	// A shell that cannot fork ends.
	select {
	case <-proc.Done():
	case <-ctx.Done():
		t.Fatal("the bomb was not stopped")
	}
	sb.Flush()
	if u, err := sb.Usage(); err != nil || u.Processes < most/2 || u.Processes > most {
		t.Errorf("%+v, %v\n%s", u, err, out)
	}
	if err := sb.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	if u, err := sb.Usage(); err != nil || u.Processes != 0 {
		t.Errorf("after Kill: %+v, %v", u, err)
	}
}

// TestMemoryBomb: the limit ends it, and that is known.
func TestMemoryBomb(t *testing.T) {
	p := newProvider(t, native.Config{})
	if !p.Fingerprint().Memory {
		t.Skipf("memory is not limited here: %q", p.Fingerprint().Missing)
	}
	spec := sandbox.Spec{ID: "bomb", Task: t.TempDir(), MemoryMB: 64}
	bomb := sandbox.Process{Path: "/usr/bin/tail", Args: []string{"/dev/zero"}, Env: lambdaEnv}
	_, exit := run(t, p, spec, bomb)
	if exit != (sandbox.Exit{Code: -1, Signal: syscall.SIGKILL, OOM: true}) {
		t.Errorf("%+v", exit)
	}
	// A program that is killed otherwise was not.
	_, exit = run(t, p, spec, sandbox.Process{Path: "/bin/sh", Args: []string{"-c", "kill -9 $$"}, Env: lambdaEnv})
	if exit != (sandbox.Exit{Code: -1, Signal: syscall.SIGKILL}) {
		t.Errorf("%+v", exit)
	}
}

// TestFloodedTmp: what is in /tmp does not count as the function's memory for
// ever: it can be written out.
func TestFloodedTmp(t *testing.T) {
	p := newProvider(t, native.Config{})
	for _, tmpMB := range []int{0, 512} {
		_, exit := run(t, p, sandbox.Spec{ID: "tmp", Task: t.TempDir(), MemoryMB: 64, TmpMB: tmpMB},
			sandbox.Process{Path: "/bin/dd", Args: []string{"if=/dev/zero", "of=/tmp/x", "bs=1M", "count=150"}, Env: lambdaEnv})
		if exit != (sandbox.Exit{}) {
			t.Errorf("/tmp of %d MB: %+v", tmpMB, exit)
		}
	}
}

// TestNothingIsLeft: closing a provider leaves no mount, process, control
// group or file.
func TestNothingIsLeft(t *testing.T) {
	dir := t.TempDir()
	before := mountCount(t)
	p, err := native.New(native.Config{WorkDir: dir, Ready: 3})
	if err != nil {
		t.Skip(err)
	}
	native.AwaitPool(t, p)
	sb, err := p.Create(context.Background(), sandbox.Spec{ID: "a", Task: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sb.Start(context.Background(), sandbox.Process{
		Path: "/bin/sh", Args: []string{"-c", "echo x > /tmp/x; sleep 1000"}, Env: lambdaEnv,
	}); err != nil {
		t.Fatal(err)
	}
	pids, groups := native.Traces(p)
	if len(pids) != 4 {
		t.Errorf("processes %v", pids)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			t.Errorf("process %d: %v", pid, err)
		}
	}
	for _, g := range groups {
		if _, err := os.Stat(g); !os.IsNotExist(err) {
			t.Errorf("%s: %v", g, err)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "shells")); err != nil || len(entries) > 0 {
		t.Errorf("folders %v, %v", entries, err)
	}
	if after := mountCount(t); after != before {
		t.Errorf("%d mounts before, %d after", before, after)
	}
}

func mountCount(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), "\n")
}

// ownerVar makes the test binary a lamb that is to be killed.
const ownerVar = "LAMB_NATIVE_TEST_OWNER"

// TestKilledOwner: the shells of a killed lamb end with it, those that wait
// and the frozen ones too, and its control groups are removed by the next.
func TestKilledOwner(t *testing.T) {
	if dir := os.Getenv(ownerVar); dir != "" {
		own(t, dir)
		return
	}
	first := newProvider(t, native.Config{}) // skips where there is none
	_ = first
	dir := t.TempDir()
	owner := exec.Command("/proc/self/exe", "-test.run=^TestKilledOwner$", "-test.timeout=1m")
	owner.Env = append(os.Environ(), ownerVar+"="+dir)
	out := &text{}
	owner.Stdout, owner.Stderr = out, out
	owner.WaitDelay = patience
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = owner.Process.Kill() // it is dead unless the test failed
		_ = owner.Wait()
	}()
	deadline := time.Now().Add(patience)
	for !strings.Contains(out.String(), "ready\n") {
		if time.Now().After(deadline) {
			t.Fatalf("it is not ready: %s", out)
		}
		<-time.After(5 * time.Millisecond)
	}
	var pids []int
	var groups []string
	for line := range strings.Lines(out.String()) {
		var pid int
		var group string
		if n, _ := fmt.Sscanf(line, "pid %d", &pid); n == 1 {
			pids = append(pids, pid)
		}
		if n, _ := fmt.Sscanf(line, "group %s", &group); n == 1 {
			groups = append(groups, group)
		}
	}
	if len(pids) < 4 {
		t.Fatalf("%s", out)
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait()
	for _, pid := range pids {
		for gone(pid) != nil {
			if time.Now().After(deadline) {
				t.Fatalf("process %d is alive", pid)
			}
			<-time.After(5 * time.Millisecond)
		}
	}
	for backed(t, dir) > 0 { // the kernel unmounts in the background
		if time.Now().After(deadline) {
			t.Fatal("the disk of a sandbox is in use")
		}
		<-time.After(5 * time.Millisecond)
	}
	next, err := native.New(native.Config{WorkDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if _, err := os.Stat(g); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", g, err)
		}
	}
	if err := next.Close(); err != nil { // its own trial is removed by then
		t.Error(err)
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "shells")); err != nil || len(entries) > 0 {
		t.Errorf("folders %v, %v", entries, err)
	}
}

// gone is nil when a process has ended. Whoever is the parent of orphans here
// may take its time to reap.
func gone(pid int) error {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil || strings.Contains(string(b), ") Z ") {
		return nil
	}
	return fmt.Errorf("process %d is alive", pid)
}

func own(t *testing.T, dir string) {
	p, err := native.New(native.Config{WorkDir: dir, Ready: 2, TmpMB: 16})
	if err != nil {
		t.Fatal(err)
	}
	native.AwaitPool(t, p)
	ctx := context.Background()
	for _, id := range []string{"running", "frozen"} {
		sb, err := p.Create(ctx, sandbox.Spec{ID: id, Task: t.TempDir(), TmpMB: 16})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sb.Start(ctx, sandbox.Process{Path: "/bin/sleep", Args: []string{"1000"}, Env: lambdaEnv}); err != nil {
			t.Fatal(err)
		}
		if id == "frozen" {
			if err := sb.Freeze(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	native.AwaitPool(t, p)
	pids, groups := native.Traces(p)
	for _, pid := range pids {
		fmt.Println("pid", pid)
	}
	for _, g := range groups {
		fmt.Println("group", g)
	}
	fmt.Println("ready")
	select {} // to be killed
}
