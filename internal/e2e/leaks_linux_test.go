package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// What the leak test puts a lamb through.
const (
	leakInvocations  = 10_000
	leakEnvironments = 1_000
	leakCrashes      = 250
	leakAtOnce       = 16
)

// TestLeaks has a lamb serve ten thousand invocations in a thousand
// environments, by functions that leave processes, files and connections
// behind, some of them by crashing. When all functions are deleted it has no
// more of anything than after its first few.
func TestLeaks(t *testing.T) {
	home := folder(t)
	l, err := launch(lambCommand.build(t), home, []string{"--listen", "127.0.0.1:0", "--ephemeral", "--log-level", "error"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.mustDie(t) })
	mark := "LEAK_MARK=" + filepath.Base(home)
	// As many at once as later: what is kept for the next burst is kept now.
	l.litter(t, mark, 200, 3*leakAtOnce, leakAtOnce)
	before := l.settled(t, home, mark)
	l.litter(t, mark, leakInvocations, leakEnvironments, leakCrashes)
	l.awaitNoMoreThan(t, before, home, mark)
	l.terminate(t)
	if code := l.exitCode(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if left := markedProcesses(t, mark); len(left) > 0 {
		t.Errorf("processes %v have outlived lamb", left)
	}
	if left := groupsOf(t, l.PID); len(left) > 0 {
		t.Errorf("control groups are left: %q", left)
	}
	if left := filesBelow(t, home); len(left) > 0 {
		t.Errorf("files are left: %q", left)
	}
}

// litter makes functions, invokes them until at least so many invocations,
// environments and crashes have been, and deletes them.
func (l *lamb) litter(t *testing.T, mark string, invocations, environments, crashes int) {
	t.Helper()
	variable, value, _ := strings.Cut(mark, "=")
	names := []string{"litter-a", "litter-b"}
	for _, name := range names {
		l.create(t, fn{name: name, handler: "litter", code: rawFunction.zip(t), env: map[string]string{variable: value}})
	}
	c := l.client()
	started := l.metric(t, "lamb_environments_started_total")
	done := 0
	for round := 0; l.metric(t, "lamb_environments_started_total")-started < float64(environments); round++ {
		name := names[round%2]
		done += l.burst(t, c, name, `"hold"`, leakAtOnce)
		done += l.burst(t, c, name, `"litter"`, leakAtOnce/4)
		// New configuration ends the environments.
		if _, err := c.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{
			FunctionName: &name, Description: aws.String(fmt.Sprint("round ", round)),
		}); err != nil {
			t.Fatal(err)
		}
		waitUpdated(t, c, name)
	}
	done += l.burst(t, c, names[0], `"crash"`, crashes)
	l.burst(t, c, names[1], `"echo"`, invocations-done)
	for _, name := range names {
		if _, err := c.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: &name}); err != nil {
			t.Fatal(err)
		}
	}
}

// burst invokes a function n times, a few at once, and returns n.
func (l *lamb) burst(t *testing.T, c *lambda.Client, name, payload string, n int) int {
	t.Helper()
	var (
		all  sync.WaitGroup
		left atomic.Int64
	)
	left.Store(int64(n))
	for range leakAtOnce {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				out, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, Payload: []byte(payload)})
				if err != nil {
					t.Error(err)
					return
				}
				crashed := out.FunctionError != nil
				if wants := payload == `"crash"`; crashed != wants || !crashed && string(out.Payload) != payload {
					t.Errorf("%s gives %s", payload, out.Payload)
					return
				}
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return max(0, n)
}
