package e2e

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestInterrupted presses Ctrl-C in the middle of lamb's commands. They say so
// in a word, and leave neither processes nor files behind.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	l := sharedLamb.get(t)
	function := folder(t)
	name := filepath.Base(function) // another one each time: the lamb's log goes on
	script := "#!/bin/sh\ncurl -s -o /dev/null http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next\necho it is here\nexec sleep ${SECONDS_HERE:-60}\n"
	goFunction := filepath.Join(folder(t), "go")
	// It stands for a compiler that takes its time.
	compiler := filepath.Join(folder(t), "go")
	if err := errors.Join(
		os.WriteFile(filepath.Join(function, "bootstrap"), []byte(script), 0o755),
		os.WriteFile(filepath.Join(function, "lamb.toml"), []byte("timeout = 100\n"), 0o644),
		os.Mkdir(goFunction, 0o755), os.WriteFile(filepath.Join(goFunction, "main.go"), []byte("package main\n"), 0o644),
		os.WriteFile(compiler, []byte("#!/bin/sh\necho begun >\"$(dirname \"$0\")/begun\"\nexec sleep 60\n"), 0o755),
	); err != nil {
		t.Fatal(err)
	}
	begun := begunSays(t, filepath.Join(filepath.Dir(compiler), "begun"))
	lambProgram := lambCommand.build(t)
	call := func(t *testing.T, home, path string, args ...string) *lamb {
		t.Helper()
		cmd := here.command(context.Background(), home, lambProgram, args...)
		cmd.Env = append(cmd.Env, "PATH="+path, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=us-east-1")
		c, err := startCommand(cmd)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.mustDie(t) })
		return c
	}
	path := os.Getenv("PATH")
	// Whoever goes away ends no function: this one must end before its lamb does.
	if c := call(t, folder(t), path, "deploy", function, "--target", l.URL, "--env", "SECONDS_HERE=2"); c.exitCode(t) != 0 {
		t.Fatal(c.stderr)
	}
	withCompiler := filepath.Dir(compiler) + string(os.PathListSeparator) + path
	for _, tt := range []struct {
		args   string
		path   string
		status int
		busy   func(t *testing.T, c *lamb) // returns in the middle of its work
	}{
		{args: "run " + function, path: path, status: 130, busy: func(t *testing.T, c *lamb) { c.stderr.lines(t, "it is here", 1) }},
		{args: "run -q " + goFunction, path: withCompiler, status: 130, busy: begun},
		{args: "package " + goFunction, path: withCompiler, status: 130, busy: begun},
		{args: "deploy " + goFunction + " --target " + l.URL, path: withCompiler, status: 130, busy: begun},
		{args: "invoke " + name + " --target " + l.URL, path: path, status: 130, busy: func(t *testing.T, _ *lamb) {
			if err := l.says(name, "it is here"); err != nil {
				t.Fatal(err)
			}
		}},
		{args: "logs -f " + name + " --target " + l.URL, path: path, busy: func(t *testing.T, c *lamb) { c.stdout.lines(t, "it is here", 1) }},
	} {
		home := folder(t)
		c := call(t, home, tt.path, strings.Fields(tt.args)...)
		tt.busy(t, c)
		interrupt(t, c, tt.status)
		if left := filesIn(t, home); left != "" {
			t.Errorf("lamb %s has left %s", tt.args, left)
		}
	}
}

// interrupt ends a command by Ctrl-C, and expects an exit status and that no
// process is left.
func interrupt(t *testing.T, c *lamb, status int) {
	t.Helper()
	processes := watch(t, descendants(t, c.PID)...)
	if err := c.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	code := c.exitCode(t)
	if said := strings.HasSuffix(c.stderr.String(), "lamb: interrupted\n"); code != status || said != (status != 0) {
		t.Errorf("%q: status %d\n%s", c.cmd.Args, code, c.stderr)
	}
	mustEnd(t, processes)
}

// begunSays makes the pipe that the compiler of TestInterrupted writes to, and
// gives what waits for that.
func begunSays(t *testing.T, name string) func(*testing.T, *lamb) {
	t.Helper()
	if err := errors.Join(syscall.Mkfifo(name, 0o666), os.Chmod(name, 0o666)); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(name, os.O_RDWR, 0) // so that opening it waits for nobody
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pipe.Close() })
	return func(t *testing.T, c *lamb) {
		t.Helper()
		err := pipe.SetReadDeadline(time.Now().Add(patience))
		if err == nil {
			_, err = io.ReadFull(pipe, make([]byte, len("begun\n")))
		}
		if err != nil {
			t.Fatalf("the build does not begin: %v\n%s", err, c.stderr)
		}
	}
}

// filesIn are the names in a folder.
func filesIn(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}
