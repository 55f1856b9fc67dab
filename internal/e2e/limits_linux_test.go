package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// enforces tells whether lamb said at its start that it enforces a limit.
func (l *lamb) enforces(t testing.TB, limit string) bool {
	t.Helper()
	_, said, ok := strings.Cut(l.stderr.String(), "  limits ")
	if said, _, _ = strings.Cut(said, "\n"); !ok || !strings.Contains(said, limit+" enforced") && !strings.Contains(said, limit+" not enforced") {
		t.Fatalf("lamb does not say whether it enforces %s: %q", limit, said)
	}
	return strings.Contains(said, limit+" enforced")
}

// exactly is a log in which a full environment has its 128 MB: processors charge
// memory ahead, so that the kernel's high-water mark may be a little above the
// limit, as it also is on AWS.
func exactly(log string) string {
	return strings.Replace(log, "Max Memory Used: 129 MB", "Max Memory Used: 128 MB", 1)
}

// TestLimits: a function meets every limit that lamb says it enforces.
func TestLimits(t *testing.T) {
	t.Parallel()
	l := startLamb(t)
	limited := func(t *testing.T, name, event string) answer {
		t.Helper()
		memory := int32(128)
		if event == "processes" {
			memory = 3008 // a thousand need some
		}
		l.create(t, fn{name: name, handler: "limits", code: rawFunction.zip(t), memory: memory})
		return l.invoke(t, name, `"`+event+`"`, withTail)
	}
	number := func(t *testing.T, name, event string) int {
		t.Helper()
		n, err := strconv.Atoi(limited(t, name, event).succeeded(t))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		if !l.enforces(t, "memory") {
			t.Skip("lamb says that it does not enforce it here")
		}
		a := limited(t, "swallows", "memory")
		a.failure(t, "Runtime.OutOfMemory", "Runtime exited with error: signal: killed")
		hasLines(t, exactly(a.Log), "Memory Size: 128 MB\tMax Memory Used: 128 MB\t", "Status: error\tError Type: Runtime.OutOfMemory\n")
		if e := l.environments(t, "swallows"); len(e) != 1 || e[0].FirstFatalError != "Runtime.OutOfMemory" {
			t.Errorf("environments %+v", e)
		}
		a = l.invoke(t, "swallows", `"files"`, withTail) // in the same environment, from its start
		a.succeeded(t)
		hasLines(t, exactly(a.Log), "Max Memory Used: 128 MB\t")
	})
	t.Run("memory of a child", func(t *testing.T) {
		t.Parallel()
		if !l.enforces(t, "memory") {
			t.Skip("lamb says that it does not enforce it here")
		}
		// The kernel ends the process that takes most, and the function is told,
		// as of any child (docs/design/004-environment.md).
		a := limited(t, "has-child", "child")
		if p := a.succeeded(t); p != `"signal: killed"` {
			t.Errorf("the child ended with %s", p)
		}
		if strings.Contains(a.Log, "Status: ") {
			t.Errorf("the invocation failed: %s", a.Log)
		}
		l.invoke(t, "has-child", `"nothing"`).succeeded(t)
		if e := l.environments(t, "has-child"); len(e) != 1 || e[0].FirstFatalError != "" || e[0].Invocations != 2 {
			t.Errorf("environments %+v", e)
		}
		// That child is not why the function ends later.
		l.invoke(t, "has-child", `"killed"`).failure(t, "Runtime.ExitError", "Runtime exited with error: signal: killed")
	})
	t.Run("tmp", func(t *testing.T) {
		t.Parallel()
		if !l.enforces(t, "/tmp size") {
			t.Skip("lamb says that it does not enforce it here")
		}
		a := limited(t, "fills", "tmp")
		if n, _ := strconv.Atoi(a.succeeded(t)); n < 500 || n > 512 {
			t.Errorf("%d MB fit into /tmp, want 512", n)
		}
		if strings.Contains(a.Log, "Max Memory Used: 128 MB") {
			t.Errorf("what is in /tmp counts as memory: %s", a.Log)
		}
	})
	t.Run("files", func(t *testing.T) {
		t.Parallel()
		// Some are open from the start.
		if n := number(t, "opens", "files"); n < 1000 || n > 1024 {
			t.Errorf("%d files can be open, want 1024", n)
		}
	})
	t.Run("processes", func(t *testing.T) {
		t.Parallel()
		if !l.enforces(t, "processes") {
			t.Skip("lamb says that it does not enforce it here")
		}
		// The runtime's own threads count.
		if n := number(t, "spawns", "processes"); n < 900 || n > 1024 {
			t.Errorf("%d processes can be started, want 1024", n)
		}
	})
	t.Run("CPU", func(t *testing.T) {
		t.Parallel()
		cpuShare(t, l, "burns")
	})
	t.Run("time", func(t *testing.T) {
		t.Parallel()
		l.create(t, fn{name: "hangs", handler: "hang", code: rawFunction.zip(t), timeout: 1})
		began := time.Now()
		a := l.invoke(t, "hangs", "{}", withTail)
		if took := time.Since(began); took < time.Second {
			t.Errorf("it had %v, want 1s", took)
		}
		a.failure(t, "Sandbox.Timedout", "Task timed out after 1.00 seconds")
		hasLines(t, a.Log, "Duration: 1000.00 ms\tBilled Duration: ", "Status: timeout\n")
	})
}

// cpuShare: 128 MB have 7 % of a CPU in an invocation, and what there is in an
// init.
func cpuShare(t *testing.T, l *lamb, name string) {
	if !l.enforces(t, "CPU") {
		t.Skip("lamb says that it does not enforce it here")
	}
	var took struct{ Init, Invoke int }
	for i := range 5 { // others want the CPU too, and an init has what they leave
		again := fmt.Sprint(name, i)
		l.create(t, fn{name: again, handler: "limits", code: rawFunction.zip(t)})
		l.invoke(t, again, `"cpu"`).into(t, &took)
		// It may have saved something up.
		if want := 300; took.Invoke < want {
			t.Fatalf("60 ms of CPU took %d ms, want %d at least: 128 MB have a fourteenth", took.Invoke, want)
		}
		if took.Init*2 <= took.Invoke {
			return
		}
	}
	t.Errorf("60 ms of CPU took %d ms in the init and %d ms in the invocation: inits are not limited", took.Init, took.Invoke)
}

// TestCPULimitsOff: with --cpu-limits off lamb says that it does not limit it,
// and does not.
func TestCPULimitsOff(t *testing.T) {
	t.Parallel()
	l := startLamb(t, "--cpu-limits", "off")
	if l.enforces(t, "CPU") {
		t.Error("lamb says that it limits the CPU")
	}
	l.create(t, fn{name: "burns", handler: "limits", code: rawFunction.zip(t)})
	var took struct{ Init, Invoke int }
	for range 5 { // others want the CPU too
		l.invoke(t, "burns", `"cpu"`).into(t, &took)
		if took.Invoke < 600 {
			return
		}
	}
	t.Errorf("60 ms of CPU took %d ms", took.Invoke)
}
