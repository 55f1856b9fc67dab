package process

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
)

const patience = 30 * time.Second

// newTestBox makes a provider with a supervisor, and a sandbox.
func newTestBox(t testing.TB) (*Provider, sandbox.Sandbox) {
	t.Helper()
	p, err := New(Config{WorkDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	sb, err := p.Create(context.Background(), sandbox.Spec{ID: "a", Task: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return p, sb
}

// lines runs a shell script in a sandbox and returns its program and the
// first n lines that it writes.
func lines(t testing.TB, sb sandbox.Sandbox, shell, script string, n int) (sandbox.Proc, []string) {
	t.Helper()
	r, w := io.Pipe()
	t.Cleanup(func() { r.Close() }) // and writes are discarded from then on
	proc, err := sb.Start(context.Background(), sandbox.Process{
		Path: shell, Args: []string{"-c", script}, Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin"}, Stdout: w, Stderr: w,
	})
	if err != nil {
		t.Fatal(err)
	}
	timeout := time.AfterFunc(patience, func() { r.CloseWithError(os.ErrDeadlineExceeded) })
	defer timeout.Stop()
	var got []string
	scanner := bufio.NewScanner(r)
	for len(got) < n && scanner.Scan() {
		got = append(got, scanner.Text())
	}
	if len(got) < n {
		t.Fatalf("%d lines of %d: %q, %v", len(got), n, got, scanner.Err())
	}
	go io.Copy(io.Discard, r) // ends with the cleanup
	return proc, got
}

func pids(t testing.TB, lines []string) []int {
	t.Helper()
	var pids []int
	for _, line := range lines {
		pid, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// alive tells whether a process exists and is no zombie.
func alive(pid int) bool {
	m, err := newProcfs().stat(pid)
	return err == nil && !m.zombie()
}

func (p *Provider) supervisorPid() int {
	e := p.engine.(*supervised)
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.current.cmd.Process.Pid
}

// A shell that leaves a child, an orphan in its group and a daemon, and
// prints their process ids and its own.
const familyScript = `sh -c 'echo $$; exec sleep 1000' &
sh -c 'sh -c "echo \$\$; exec sleep 1000" &'
setsid sh -c 'sh -c "echo \$\$; exec sleep 1000" &'
echo $$; exec sleep 1000`

// TestSupervisorKilled: the sandboxes fail with it, nothing is left, and the
// provider works on with another one.
func TestSupervisorKilled(t *testing.T) {
	p, sb := newTestBox(t)
	proc, got := lines(t, sb, "/bin/sh", familyScript, 4)
	family := pids(t, got)
	for _, pid := range family {
		if !alive(pid) {
			t.Fatalf("process %d is gone too early", pid)
		}
	}
	first := p.supervisorPid()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-proc.Done():
	case <-time.After(patience):
		t.Fatal("the program's end was not reported")
	}
	if exit := proc.Exit(); exit.Signal != syscall.SIGKILL || exit.Code != -1 {
		t.Errorf("exit %+v", exit)
	}
	for _, pid := range family {
		if alive(pid) {
			t.Errorf("process %d is alive", pid)
		}
	}
	if _, err := sb.Start(context.Background(), sandbox.Process{Path: "/bin/true"}); err == nil {
		t.Error("a sandbox without its supervisor starts programs")
	}
	if err := sb.Kill(context.Background()); err != nil {
		t.Errorf("kill: %v", err)
	}
	if err := sb.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	next, err := p.Create(context.Background(), sandbox.Spec{ID: "b", Task: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if second := p.supervisorPid(); second == first {
		t.Error("there is no new supervisor")
	}
	lines(t, next, "/bin/sh", "echo works", 1)
}

// TestSupervisorSignals: what ends other programs does not end a supervisor.
func TestSupervisorSignals(t *testing.T) {
	p, sb := newTestBox(t)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1} {
		if err := syscall.Kill(p.supervisorPid(), sig); err != nil {
			t.Fatal(err)
		}
	}
	lines(t, sb, "/bin/sh", "echo works", 1)
}

// TestDefaultSignals: a program has no ignored or blocked signals, whatever
// lamb was started with.
func TestDefaultSignals(t *testing.T) {
	const inner = "LAMB_TEST_IGNORED_SIGNALS"
	if os.Getenv(inner) == "" {
		nohup := exec.Command("/bin/sh", "-c", `trap '' HUP TERM USR1; exec "$0" -test.run='^TestDefaultSignals$' -test.v`, os.Args[0])
		nohup.Env = append(os.Environ(), inner+"=1")
		if out, err := nohup.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS")) {
			t.Errorf("started with ignored signals: %v\n%s", err, out)
		}
		return
	}
	if !signal.Ignored(syscall.SIGHUP) {
		t.Fatal("SIGHUP is not ignored to begin with")
	}
	_, sb := newTestBox(t)
	_, got := lines(t, sb, "/bin/sh", "grep -E '^Sig(Ign|Blk):' /proc/self/status", 2)
	for _, line := range got {
		if _, mask, _ := strings.Cut(line, "\t"); strings.Trim(mask, "0") != "" {
			t.Errorf("%s", line)
		}
	}
}

// TestStray: a daemon that has changed its mark does not survive its sandbox.
func TestStray(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash, whose ulimit can change the mark")
	}
	p, sb := newTestBox(t)
	if !p.engine.(*supervised).current.marks {
		t.Skip("this kernel does not let a process be marked")
	}
	_, got := lines(t, sb, bash, `ulimit -S -x 77 && setsid sh -c 'sh -c "echo \$\$; exec sleep 1000" &'; exec sleep 1000`, 1)
	stray := pids(t, got)[0]
	if mark, _ := markOf(stray); mark != 77 {
		t.Fatalf("the mark is %d", mark)
	}
	if err := sb.Kill(context.Background()); err != nil {
		t.Fatal(err)
	}
	if alive(stray) {
		t.Error("it is alive")
	}
}

// TestForkTree kills a tree of processes while it grows.
func TestForkTree(t *testing.T) {
	_, sb := newTestBox(t)
	script := filepath.Join(t.TempDir(), "tree")
	// 2^7-1 processes at most.
	if err := os.WriteFile(script, []byte(`#!/bin/sh
[ "$1" -gt 0 ] || exec sleep 1000
"$0" $(($1-1)) & "$0" $(($1-1)) &
echo $$
wait
`), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		lines(t, sb, "/bin/sh", script+" 6", 5)
		if err := sb.Kill(context.Background()); err != nil {
			t.Fatal(err)
		}
		if u, err := sb.Usage(); err != nil || u.Processes != 0 {
			t.Errorf("after Kill: %+v, %v", u, err)
		}
	}
}

// TestOrphansApart: the first thread's children are orphans only, so that a
// sandbox's are found without looking at the programs of all others; an orphan
// outlives the end of another sandbox and not that of its own.
func TestOrphansApart(t *testing.T) {
	p, sb := newTestBox(t)
	other, err := p.Create(context.Background(), sandbox.Spec{ID: "b", Task: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	// The last line comes when the inner shell has ended, and with it the
	// orphan's own parent.
	_, got := lines(t, sb, "/bin/sh", `echo $$; sh -c 'sleep 1000 >/dev/null 2>&1 & echo $!'; echo ended; exec sleep 1000`, 3)
	members := pids(t, got[:2])
	program, orphan := members[0], members[1]
	lines(t, other, "/bin/sh", `echo ready; exec sleep 1000`, 1)
	if m, err := newProcfs().stat(orphan); err != nil || m.parent != p.supervisorPid() {
		t.Fatalf("the orphan's parent is %d, %v", m.parent, err)
	}
	list, err := newProcfs().children(nil, p.supervisorPid(), p.supervisorPid())
	if err != nil || !slices.Contains(list, orphan) || slices.Contains(list, program) {
		t.Errorf("the first thread has %v, %v; the program is %d, the orphan %d", list, err, program, orphan)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if !alive(program) || !alive(orphan) {
		t.Error("another sandbox has ended them")
	}
	if err := sb.Kill(context.Background()); err != nil {
		t.Fatal(err)
	}
	if alive(program) || alive(orphan) {
		t.Error("they live on")
	}
}

func openFiles(t *testing.T, pid int) int {
	t.Helper()
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		// The Go runtime opens these two once, whenever it first polls.
		if to, _ := os.Readlink(filepath.Join(dir, e.Name())); to != "anon_inode:[eventpoll]" && to != "anon_inode:[eventfd]" {
			n++
		}
	}
	return n
}

// TestSupervisorLeaks: it keeps no descriptors and no zombies.
func TestSupervisorLeaks(t *testing.T) {
	p, sb := newTestBox(t)
	cycle := func() {
		t.Helper()
		lines(t, sb, "/bin/sh", familyScript, 4)
		if _, err := sb.Usage(); err != nil {
			t.Fatal(err)
		}
		if _, err := sb.Start(context.Background(), sandbox.Process{Path: "/missing", Stdout: &bytes.Buffer{}}); err == nil {
			t.Fatal("started a missing program")
		}
		if err := sb.Kill(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	cycle()
	before := openFiles(t, p.supervisorPid())
	for range 10 {
		cycle()
	}
	if after := openFiles(t, p.supervisorPid()); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	fs := newProcfs()
	m, err := fs.stat(p.supervisorPid())
	if err != nil {
		t.Fatal(err)
	}
	if left := fs.childrenOf(nil, m); len(left) > 0 {
		t.Errorf("children %v are left", left)
	}
}

// TestWithoutHook: a program that does not call MaybeSupervise must not be
// started again as a supervisor.
func TestWithoutHook(t *testing.T) {
	supervisable.Store(false)
	defer supervisable.Store(true)
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, ok := p.engine.(portable); !ok || p.Fingerprint().Freeze {
		t.Errorf("engine %T, fingerprint %+v", p.engine, p.Fingerprint())
	}
}

// TestMemoryOfEnded: the memory of a small program that has ended is not the
// supervisor's, which it shares for a moment.
func TestMemoryOfEnded(t *testing.T) {
	_, sb := newTestBox(t)
	proc, err := sb.Start(context.Background(), sandbox.Process{Path: "/bin/true"})
	if err != nil {
		t.Fatal(err)
	}
	<-proc.Done()
	if u, err := sb.Usage(); err != nil || u.MemoryPeakBytes > 5<<20 {
		t.Errorf("usage %+v, %v", u, err)
	}
}

// BenchmarkStart compares the time from Start to a program's first byte with
// os/exec's.
func BenchmarkStart(b *testing.B) {
	_, sb := newTestBox(b)
	first := make(chan struct{}, 1)
	b.Run("sandbox", func(b *testing.B) {
		for b.Loop() {
			proc, err := sb.Start(context.Background(), sandbox.Process{Path: "/bin/echo", Args: []string{"x"}, Stdout: notify(first)})
			if err != nil {
				b.Fatal(err)
			}
			<-first
			b.StopTimer()
			<-proc.Done()
			b.StartTimer()
		}
	})
	b.Run("os-exec", func(b *testing.B) {
		for b.Loop() {
			cmd := exec.Command("/bin/echo", "x")
			cmd.Stdout = notify(first)
			if err := cmd.Start(); err != nil {
				b.Fatal(err)
			}
			<-first
			b.StopTimer()
			if err := cmd.Wait(); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
}

type notify chan struct{}

func (n notify) Write(p []byte) (int, error) {
	n <- struct{}{}
	return len(p), nil
}

// BenchmarkOperations measures what an invocation does with a sandbox that
// has two processes.
func BenchmarkOperations(b *testing.B) {
	_, sb := newTestBox(b)
	lines(b, sb, "/bin/sh", "echo x; exec sleep 1000", 1)
	lines(b, sb, "/bin/sh", "echo x; exec sleep 1000", 1)
	ctx := context.Background()
	b.Run("Flush", func(b *testing.B) {
		for b.Loop() {
			sb.Flush()
		}
	})
	b.Run("Usage", func(b *testing.B) {
		for b.Loop() {
			if _, err := sb.Usage(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("FreezeThaw", func(b *testing.B) {
		for b.Loop() {
			if err := sb.Freeze(ctx); err != nil {
				b.Fatal(err)
			}
			if err := sb.Thaw(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Kill", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			lines(b, sb, "/bin/sh", "echo x; exec sleep 1000", 1)
			b.StartTimer()
			if err := sb.Kill(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
}
