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
