package native_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/native"
)

// TestBurst: many sandboxes at once, few of them from the pool, each with a
// user of its own; all work and all go.
func TestBurst(t *testing.T) {
	task := t.TempDir()
	p := newProvider(t, native.Config{Ready: 4, Stores: []string{task}})
	const many = 24
	outs := make([]*text, many)
	var wg sync.WaitGroup
	boxes := make([]sandbox.Sandbox, many)
	for i := range many {
		outs[i] = &text{}
		wg.Go(func() {
			sb, err := p.Create(context.Background(), sandbox.Spec{ID: fmt.Sprint("b", i), Task: task, MemoryMB: 128})
			if err != nil {
				t.Error(err)
				return
			}
			boxes[i] = sb
			proc, err := sb.Start(context.Background(), sandbox.Process{
				Path: "/usr/bin/id", Args: []string{"-u"}, Env: lambdaEnv, Stdout: outs[i], Stderr: outs[i],
			})
			if err != nil {
				t.Error(err)
				return
			}
			<-proc.Done()
			sb.Flush()
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for i, sb := range boxes {
		if sb == nil {
			continue
		}
		if out := outs[i].String(); out == "" || out == "0\n" || seen[out] && out != "993\n" {
			t.Errorf("sandbox %d: user %q", i, out)
		}
		seen[outs[i].String()] = true
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestPool: prepared shells serve once each; when they are used up a sandbox
// is made all the same, and the pool fills again.
func TestPool(t *testing.T) {
	task := t.TempDir()
	p := newProvider(t, native.Config{Ready: 2, Stores: []string{task}})
	seen := map[int]bool{}
	for round := range 2 {
		native.AwaitPool(t, p)
		for i := range 4 {
			sb, err := p.Create(context.Background(), sandbox.Spec{ID: fmt.Sprintf("p%d-%d", round, i), Task: task})
			if err != nil {
				t.Fatal(err)
			}
			// Closed at the end of the test: their numbers stay theirs.
			defer sb.Close()
			if pid := native.FirstProcess(sb); seen[pid] {
				t.Errorf("process %d has served before", pid)
			} else {
				seen[pid] = true
			}
		}
	}
	native.AwaitPool(t, p)
	if n := native.Ready(p); n != 2 {
		t.Errorf("%d are ready", n)
	}
}

// TestMassTeardown: while many sandboxes end, only so many at a time, new ones
// start and run.
func TestMassTeardown(t *testing.T) {
	task := t.TempDir()
	p := newProvider(t, native.Config{Ready: 1, Stores: []string{task}})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	const many = 40
	boxes := make([]sandbox.Sandbox, many)
	for i := range boxes {
		sb, err := p.Create(ctx, sandbox.Spec{ID: fmt.Sprint("t", i), Task: task})
		if err != nil {
			t.Fatal(err)
		}
		boxes[i] = sb
	}
	release := native.HoldEndings(p)
	closed := make(chan error, many)
	for _, sb := range boxes {
		go func() { closed <- sb.Close() }()
	}
	for _, ready := range []bool{true, false} {
		if ready {
			native.AwaitPool(t, p)
		}
		sb, err := p.Create(ctx, sandbox.Spec{ID: fmt.Sprint("new-", ready), Task: task})
		if err != nil {
			t.Fatal(err)
		}
		defer sb.Close()
		out := &text{}
		proc, err := sb.Start(ctx, sandbox.Process{Path: "/bin/echo", Args: []string{"runs"}, Env: lambdaEnv, Stdout: out})
		if err != nil {
			t.Fatal(err)
		}
		<-proc.Done()
		sb.Flush()
		if out.String() != "runs\n" {
			t.Errorf("%q", out)
		}
	}
	select {
	case err := <-closed:
		t.Errorf("more end at once than may: %v", err)
	default:
	}
	release()
	for range many {
		if err := <-closed; err != nil {
			t.Error(err)
		}
	}
}
