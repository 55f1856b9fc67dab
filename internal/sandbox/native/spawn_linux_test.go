package native_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/native"
)

// forkers are the processes that fork for lamb: its children of that name that
// are in no sandbox.
func forkers(t *testing.T) (pids []int) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		status, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		field := map[string]string{}
		for line := range strings.Lines(string(status)) {
			name, value, _ := strings.Cut(line, ":")
			field[name] = strings.TrimSpace(value)
		}
		dir := filepath.Dir(file)
		args, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		// A process of a sandbox has a second number, its own inside.
		if field["PPid"] == strconv.Itoa(os.Getpid()) && string(args) == "lamb-sandbox\x00" && len(strings.Fields(field["NSpid"])) == 1 {
			pid, err := strconv.Atoi(filepath.Base(dir))
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// TestForkerKilled: a forker that somebody kills is replaced, and what it had
// forked lives on; none is left when the provider is closed.
func TestForkerKilled(t *testing.T) {
	task := t.TempDir()
	others := len(forkers(t))
	p := newProvider(t, native.Config{})
	start := func(id string) sandbox.Sandbox {
		t.Helper()
		sb, err := p.Create(context.Background(), sandbox.Spec{ID: id, Task: task})
		if err != nil {
			t.Fatal(err)
		}
		return sb
	}
	runs := func(sb sandbox.Sandbox) {
		t.Helper()
		out := &text{}
		proc, err := sb.Start(context.Background(), sandbox.Process{Path: "/bin/echo", Args: []string{"runs"}, Env: lambdaEnv, Stdout: out})
		if err != nil {
			t.Fatal(err)
		}
		<-proc.Done()
		sb.Flush()
		if out.String() != "runs\n" {
			t.Errorf("%q", out)
		}
	}
	first := start("first")
	defer first.Close()
	killed := forkers(t)
	if len(killed) == 0 {
		t.Fatal("no forker was found")
	}
	for _, pid := range killed {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		// Until it has ended it may still take a request. Lamb reaps it.
		if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 8 { // on every thread that has one
		sb := start(fmt.Sprint("after-", i))
		runs(sb)
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	}
	runs(first)
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if left := forkers(t); len(left) > others {
		t.Errorf("%d forkers are left", len(left))
	}
}
