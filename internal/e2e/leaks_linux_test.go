package e2e

import (
	"fmt"
	"os"
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

// nobody is an ordinary user for a lamb that a root's test starts.
const nobody = 65534

// TestLeaks has a lamb serve ten thousand invocations in a thousand
// environments, by functions that leave processes, files and connections
// behind, some of them by crashing. When all functions are deleted it has no
// more of anything than after its first few.
func TestLeaks(t *testing.T) {
	for _, sandbox := range []string{"native", "process"} {
		t.Run(sandbox, func(t *testing.T) { checkLeaks(t, sandbox, os.Geteuid()) })
		t.Run(sandbox+", ordinary user", func(t *testing.T) {
			if os.Geteuid() != 0 {
				t.Skip("this is an ordinary user: the test beside this one is the same")
			}
			checkLeaks(t, sandbox, nobody)
		})
	}
}

func checkLeaks(t *testing.T, sandbox string, uid int) {
	home := t.TempDir()
	l := startAs(t, uid, home, "--listen", "127.0.0.1:0", "--ephemeral", "--sandbox", sandbox, "--log-level", "error")
	mark := "LEAK_MARK=" + filepath.Base(filepath.Dir(home)) + sandbox + fmt.Sprint(uid)
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

// startAs starts a lamb for a user in a folder of its own.
func startAs(t *testing.T, uid int, home string, args ...string) *lamb {
	t.Helper()
	command := lambCommand.build(t)
	if uid != os.Geteuid() {
		// The program and the folder, where that user reaches them. The process
		// stays the one that launch starts and ends.
		setpriv := need(t, "setpriv")
		for dir := home; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chown(home, uid, uid); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := os.Link(command, filepath.Join(dir, "lamb")); err != nil {
			t.Fatal(err)
		}
		command = filepath.Join(dir, "as-user")
		script := fmt.Sprintf("#!/bin/sh\nexec %s --reuid=%d --regid=%d --clear-groups --pdeathsig=KILL %s/lamb \"$@\"\n", setpriv, uid, uid, dir)
		if err := os.WriteFile(command, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	l, err := launch(command, home, args)
	if err != nil && strings.Contains(err.Error(), "the native sandbox does not work here") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.kill()
		if t.Failed() {
			t.Logf("lamb said:\n%s", tail(l.stderr.String()))
		}
	})
	return l
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
