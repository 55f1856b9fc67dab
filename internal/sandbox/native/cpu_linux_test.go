package native_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/native"
)

// counter reads a number of a control group: a whole file, or a line of one.
func counter(t *testing.T, dir, file, key string) int64 {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.TrimSpace(string(b))
	if key != "" {
		_, rest, found := strings.Cut("\n"+text, "\n"+key+" ")
		if !found {
			t.Fatalf("%s has no %s:\n%s", file, key, b)
		}
		text, _, _ = strings.Cut(rest, "\n")
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// throttled is how many of the scheduler's periods have passed with the group
// under a quota, and in how many of them it was stopped.
func throttled(t *testing.T, dir string) (periods, stopped int64) {
	t.Helper()
	return counter(t, dir, "cpu.stat", "nr_periods"), counter(t, dir, "cpu.stat", "nr_throttled")
}

// TestCPUShare: at 128 MB an init has no quota, however much it computes; what
// runs after it has AWS's share, and is stopped when that is used up.
func TestCPUShare(t *testing.T) {
	p := newProvider(t, native.Config{})
	if !p.Fingerprint().CPU {
		t.Skipf("the CPU is not limited here: %q", p.Fingerprint().Missing)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	sb, err := p.Create(ctx, sandbox.Spec{ID: "busy", Task: t.TempDir(), MemoryMB: 128})
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	if _, err := sb.Start(ctx, sandbox.Process{Path: "/bin/sh", Args: []string{"-c", "while :; do :; done"}, Env: lambdaEnv}); err != nil {
		t.Fatal(err)
	}
	dir := native.CPUGroup(sb)
	awaitBusy := func(enough func() bool) {
		t.Helper()
		for !enough() {
			select {
			case <-ctx.Done():
				t.Fatal(ctx.Err())
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	used := native.CPUTime(sb)
	awaitBusy(func() bool { return native.CPUTime(sb)-used > 100*time.Millisecond })
	if periods, stopped := throttled(t, dir); periods != 0 || stopped != 0 {
		t.Errorf("during init: stopped in %d of %d periods", stopped, periods)
	}

	limiter := sb.(sandbox.CPULimiter)
	if err := limiter.LimitCPU(ctx, true); err != nil {
		t.Fatal(err)
	}
	if quota := native.CPUQuota(sb); quota != "1447 20000" {
		t.Errorf("during an invocation: quota %q", quota)
	}
	awaitBusy(func() bool { _, stopped := throttled(t, dir); return stopped >= 5 })

	// The next init is free of it again.
	if err := limiter.LimitCPU(ctx, false); err != nil {
		t.Fatal(err)
	}
	if quota := native.CPUQuota(sb); quota != "none" {
		t.Errorf("during another init: quota %q", quota)
	}
	_, before := throttled(t, dir)
	used = native.CPUTime(sb)
	awaitBusy(func() bool { return native.CPUTime(sb)-used > 100*time.Millisecond })
	// The period that was under way when the quota was lifted may count.
	if _, stopped := throttled(t, dir); stopped > before+1 {
		t.Errorf("stopped in %d periods more", stopped-before)
	}
}
