//go:build unix

package sandboxtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lambhq/lamb/internal/sandbox"
)

func (s *suite) freeze(t *testing.T) {
	p := s.newProvider(t)
	k := newKit(t, p, "a", nil)
	if !p.Fingerprint().Freeze {
		if err := k.Freeze(k.ctx); !errors.Is(err, sandbox.ErrUnsupported) {
			t.Errorf("freeze: %v", err)
		}
		if err := k.Thaw(k.ctx); !errors.Is(err, sandbox.ErrUnsupported) {
			t.Errorf("thaw: %v", err)
		}
		return
	}
	var out output
	k.start(&out, "spawn:hold:one|tick:child", "daemon:hold:two|tick:daemon", "hold:three", "tick:program")
	ticking := func() {
		t.Helper()
		for _, who := range []string{"child", "daemon", "program"} {
			before := strings.Count(out.stdout.String(), who)
			out.stdout.await(t, "tick of the "+who, func() bool {
				return strings.Count(out.stdout.String(), who) > before+3
			})
		}
	}
	for range 3 {
		ticking()
		if err := k.Freeze(k.ctx); err != nil {
			t.Fatal(err)
		}
		k.Flush()
		before := out.stdout.Len()
		// Time for a hundred ticks.
		<-time.After(50 * time.Millisecond)
		k.Flush()
		if now := out.stdout.Len(); now != before {
			t.Errorf("a frozen sandbox wrote %q", out.stdout.String()[before:])
		}
		k.mustBeHeld("one", "two", "three")
		if err := k.Thaw(k.ctx); err != nil {
			t.Fatal(err)
		}
		ticking()
	}
	// A freeze that is given up at any moment does not outlast a thaw.
	for i := range 40 {
		ctx, cancel := context.WithTimeout(k.ctx, time.Duration(i)*25*time.Microsecond)
		_ = k.Freeze(ctx) // it may come to its end
		cancel()
		if err := k.Thaw(k.ctx); err != nil {
			t.Fatal(err)
		}
		ticking()
	}
	if err := k.Freeze(k.ctx); err != nil {
		t.Fatal(err)
	}
	k.kill()
	k.mustBeFree("one", "two", "three")
	k.run("say:a killed sandbox is not frozen")
}

func (s *suite) usage(t *testing.T) {
	k := newKit(t, s.newProvider(t), "a", nil)
	check := func(when string, processes int, low, high int64) {
		t.Helper()
		u, err := k.Usage()
		if err != nil {
			t.Fatal(err)
		}
		if u.Processes != processes || u.MemoryPeakBytes < low<<20 || u.MemoryPeakBytes > high<<20*memorySlop {
			t.Errorf("%s: %d processes, %d KiB; want %d and %d to %d MiB",
				when, u.Processes, u.MemoryPeakBytes>>10, processes, low, high)
		}
	}
	check("empty", 0, 0, 0)
	var out output
	proc := k.start(&out, "say:ready", "wait")
	out.stdout.awaitLine(t, "ready", 1)
	if s.opts.Groups {
		check("one", 1, 0, 90)
		k.kill()
		k.wait(proc)
		check("after Kill", 0, 0, 90)
		return
	}
	check("one", 1, 1, 90)
	k.start(&out, "alloc:60", "say:ready", "wait")
	out.stdout.awaitLine(t, "ready", 2)
	check("two", 2, 61, 200)
	k.wait(k.start(&out, "daemon:say:ready|wait", "exit:0"))
	out.stdout.awaitLine(t, "ready", 3)
	check("with a daemon", 3, 61, 290)
	k.kill()
	k.wait(proc)
	check("after Kill", 0, 61, 290)
	// One that was never looked at while it lived.
	k.run("alloc:300")
	check("in the end", 0, 300, 500)
}

func descriptorCount(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func (s *suite) leaks(t *testing.T) {
	p := s.newProvider(t)
	task := newTask(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cycle := func(i int) {
		t.Helper()
		sb, err := p.Create(ctx, sandbox.Spec{ID: fmt.Sprint("box-", i), Task: task})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			var out output
			if _, err := sb.Start(ctx, sandbox.Process{
				Path: "/bin/sh", Args: []string{"-c", "echo $$; sleep 1000 & wait"}, Env: []string{"PATH=/usr/bin:/bin"},
				Stdout: &out.stdout, Stderr: &out.stderr,
			}); err != nil {
				t.Fatal(err)
			}
		}
		// One that fails on the way.
		if _, err := sb.Start(ctx, sandbox.Process{Path: "/missing", Stdout: &text{}}); err == nil {
			t.Fatal("started a missing program")
		}
		in := sb.Paths()
		if err := sb.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(in.Tmp); !ownRoot(in) && !os.IsNotExist(err) {
			t.Fatalf("%s is left: %v", in.Tmp, err)
		}
	}
	cycle(0) // what is made once
	none := goleak.IgnoreCurrent()
	before := descriptorCount(t)
	for i := range 40 {
		cycle(i)
	}
	if after := descriptorCount(t); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	goleak.VerifyNone(t, none)
}

// concurrency is for the race detector, and for deadlocks.
func (s *suite) concurrency(t *testing.T) {
	p := s.newProvider(t)
	shared := newKit(t, p, "shared", nil)
	var wg sync.WaitGroup
	allowed := func(what string, err error) {
		if err != nil && !errors.Is(err, sandbox.ErrClosed) && !errors.Is(err, sandbox.ErrUnsupported) {
			t.Errorf("%s: %v", what, err)
		}
	}
	sh := func(script string, out *output) sandbox.Process {
		return sandbox.Process{
			Path: "/bin/sh", Args: []string{"-c", script}, Env: []string{"PATH=/usr/bin:/bin"},
			Stdout: &out.stdout, Stderr: &out.stderr,
		}
	}
	for i := range 4 {
		wg.Go(func() { // in the shared sandbox
			for j := range 12 {
				proc, err := shared.Start(shared.ctx, sh("echo x; sleep 1000 & exec sleep 1000", &output{}))
				allowed("start", err)
				if err == nil && j%3 == i%3 {
					allowed("signal", proc.Signal(9))
				}
				shared.Flush()
				_, err = shared.Usage()
				allowed("usage", err)
				switch (i + j) % 4 {
				case 0:
					allowed("kill", shared.Kill(shared.ctx))
				case 1:
					allowed("freeze", shared.Freeze(shared.ctx))
				case 2:
					allowed("thaw", shared.Thaw(shared.ctx))
				}
			}
		})
		wg.Go(func() { // in sandboxes of its own
			for j := range 8 {
				sb, err := p.Create(shared.ctx, sandbox.Spec{ID: fmt.Sprintf("own-%d-%d", i, j), Task: shared.task})
				if err != nil {
					t.Errorf("create: %v", err)
					return
				}
				proc, err := sb.Start(shared.ctx, sh("exec sleep 1000", &output{}))
				if err != nil {
					t.Errorf("start: %v", err)
				}
				var closing sync.WaitGroup
				closing.Go(func() { allowed("close", sb.Close()) })
				closing.Go(func() { allowed("kill", sb.Kill(shared.ctx)) })
				closing.Go(func() { allowed("close", sb.Close()) })
				closing.Wait()
				if err == nil {
					shared.wait(proc)
				}
			}
		})
	}
	wg.Wait()
	shared.start(nil, "hold:one", "wait")
	if err := shared.Close(); err != nil {
		t.Error(err)
	}
	shared.mustBeFree("one")
}

func (s *suite) providerClose(t *testing.T) {
	p := s.newProvider(t)
	a, b := newKit(t, p, "a", nil), newKit(t, p, "b", nil)
	var out output
	var procs []sandbox.Proc
	if s.opts.Groups {
		procs = append(procs, a.start(&out, "spawn:hold:one|say:ready|wait", "hold:two", "say:ready", "wait"))
		out.stdout.awaitLine(t, "ready", 2)
	} else {
		procs = append(procs, a.family())
	}
	procs = append(procs, b.start(nil, "wait"))
	for range 2 {
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	a.mustBeFree(locks[:]...)
	for _, proc := range procs {
		a.wait(proc)
	}
	if _, err := a.Start(a.ctx, a.program(nil)); !errors.Is(err, sandbox.ErrClosed) {
		t.Errorf("start: %v", err)
	}
}

// ownerVar names the task folder in a process that is to own a provider and
// be killed.
const ownerVar = "LAMB_SANDBOXTEST_OWNER"

func isOwner() bool { return os.Getenv(ownerVar) != "" }

// own is the other process's part of ownerKilled.
func (s *suite) own(t *testing.T) {
	p := s.newProvider(t)
	task := os.Getenv(ownerVar)
	ctx := context.Background()
	start := func(id string, actions ...string) sandbox.Sandbox {
		sb, err := p.Create(ctx, sandbox.Spec{ID: id, Task: task})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sb.Start(ctx, sandbox.Process{
			Path: sb.Paths().Task + "/program", Args: append([]string{programArg}, actions...),
			Stdout: os.Stdout, Stderr: os.Stderr,
		}); err != nil {
			t.Fatal(err)
		}
		return sb
	}
	start("a", "spawn:hold:one|say:ready|wait", "daemon:hold:two|say:ready|wait", "hold:three", "say:ready", "wait")
	frozen := start("b", "hold:four", "say:ready", "wait")
	// The word "freeze" comes when all are ready.
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if p.Fingerprint().Freeze {
		if err := frozen.Freeze(ctx); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Println("\nfrozen")
	// Nobody writes again: this is where the process is killed.
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// ownerKilled: nothing outlives lamb, not even after kill -9.
func (s *suite) ownerKilled(t *testing.T) {
	s.needsTree(t)
	task := newTask(t)
	name, _, _ := strings.Cut(t.Name(), "/OwnerKilled")
	var pattern []string
	for part := range strings.SplitSeq(name, "/") {
		pattern = append(pattern, "^"+regexp.QuoteMeta(part)+"$")
	}
	owner := exec.Command(os.Args[0], "-test.run="+strings.Join(pattern, "/"), "-test.timeout=2m")
	owner.Env = append(os.Environ(), ownerVar+"="+task)
	var out output
	owner.Stdout, owner.Stderr = &out.stdout, &out.stderr
	// The copying of its output ends with the last holder of the pipe: that
	// must not be a reason to wait.
	owner.WaitDelay = patience
	stdin, err := owner.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = owner.Process.Kill() // it is dead unless the test failed
		_ = owner.Wait()
	})
	out.stdout.awaitLine(t, "ready", 4)
	if _, err := io.WriteString(stdin, "freeze\n"); err != nil {
		t.Fatal(err)
	}
	out.stdout.awaitLine(t, "frozen", 1)
	for _, name := range locks {
		if !held(t, task, name) {
			t.Errorf("the process that holds %q is gone too early", name)
		}
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, name := range locks {
		awaitFree(t, task, name)
	}
}
