package lambdatest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/extension"
	"github.com/lambhq/lamb/lambdatest"
)

// isolated skips the test where there is no isolation to be had.
func isolated(t *testing.T) {
	t.Helper()
	if err := lambdatest.CanIsolate(); err != nil {
		t.Skip(err)
	}
}

// TestMemoryLimit: a compiled runtime that takes more memory than its function
// has is killed, and the environment goes on.
func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	isolated(t)
	env := lambdatest.New(t, lambdatest.Config{
		Runtime: lambdatest.Exec(self(t), "a-runtime"), Isolate: true, MemoryMB: 160, Timeout: 30 * time.Second,
	})
	for range 2 {
		res := env.Call("memory")
		if res.ErrorType != "Runtime.OutOfMemory" || !strings.Contains(string(res.Payload), "signal: killed") {
			t.Errorf("%+v %s", res, res.Payload)
		}
		if used := res.Record.MaxMemoryBytes; used < 100<<20 || used > 180<<20 {
			t.Errorf("it had %d bytes", used)
		}
		if res := env.Call("work"); string(res.Payload) != `"160"` {
			t.Errorf("after it: %+v %s", res, res.Payload)
		}
	}
	events := env.Events("platform.report")
	if first := string(events[0].Record); !strings.Contains(first, `"errorType":"Runtime.OutOfMemory"`) {
		t.Errorf("report %s", first)
	}
}

// TestIsolatedFolders: programs see AWS's folders; those of the code are run
// where they are, and others from /opt.
func TestIsolatedFolders(t *testing.T) {
	t.Parallel()
	isolated(t)
	code, elsewhere := t.TempDir(), t.TempDir()
	const script = "#!/bin/sh\necho \"$0 in $(pwd) sees $(ls /home /root 2>/dev/null | wc -l)\"; exit 3\n"
	write := func(dir, name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	env := lambdatest.New(t, lambdatest.Config{
		Isolate: true, Code: code,
		Runtime: lambdatest.InTurn(lambdatest.Exec(write(code, "start")), lambdatest.Exec(write(elsewhere, "other")), lambdatest.Exec("sh", "-c", "echo by name; exit 4")),
	})
	env.Init()
	env.Call("x")
	if res := env.Call("x"); !strings.Contains(string(res.Payload), "exit status 4") {
		t.Errorf("%+v %s", res, res.Payload)
	}
	for _, line := range []string{"/var/task/start in /var/task sees 0\n", "/opt/bootstrap in /var/task sees 0\n", "by name\n"} {
		env.WaitLog(line)
	}
}

// TestIsolatedExtension: processes and goroutines share an environment and this
// machine's network, isolated ones too.
func TestIsolatedExtension(t *testing.T) {
	t.Parallel()
	isolated(t)
	batches := make(chan []lambdatest.Event, 100)
	env := lambdatest.New(t, lambdatest.Config{
		Isolate: true, Timeout: 30 * time.Second, FreezeAfter: 20 * time.Millisecond,
		Runtime: lambdatest.Exec(self(t), "a-runtime"),
		Extensions: []lambdatest.Extension{
			{Name: "agent", Program: lambdatest.Exec(self(t), "an-extension")},
			{Name: "sink", Program: lambdatest.Subscriber(extension.Subscription{
				Streams: []extension.Stream{extension.Function}, Timeout: 25 * time.Millisecond}, batches)},
		},
	})
	if res := env.Call("work"); string(res.Payload) != `"128"` {
		t.Errorf("%+v %s", res, res.Payload)
	}
	if batch := <-batches; string(batch[0].Record) != `"did work"` {
		t.Errorf("the first batch is %s", batch[0].Record)
	}
	env.WaitFrozen()
	env.Call("work")
	env.Shutdown()
	env.WaitLog("agent: SHUTDOWN\n")
}

// TestIsolateNeedsProcesses: a limit that would limit nothing is a mistake.
func TestIsolateNeedsProcesses(t *testing.T) {
	t.Parallel()
	text := fails(t, func(t lambdatest.TB) {
		lambdatest.New(t, lambdatest.Config{Isolate: true, Runtime: lambdatest.Handler(greet)})
	})
	if !strings.Contains(text, "Config.Isolate: no program is a process") {
		t.Error(text)
	}
}

// fatal is a test whose Fatalf is expected.
type fatal struct {
	lambdatest.TB
	failed chan<- string
}

func (f fatal) Fatalf(format string, args ...any) {
	f.failed <- fmt.Sprintf(format, args...)
	runtime.Goexit()
}
