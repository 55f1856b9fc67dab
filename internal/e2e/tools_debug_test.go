package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDebug attaches debuggers that we did not write to functions of lamb dev
// --debug, by the line that it prints, stops them in their handler, and has
// them go on. Their own limit is a second; stopped, they have minutes.
func TestDebug(t *testing.T) {
	t.Parallel()
	if here != (world{}) {
		t.Skip("--debug runs functions as processes whatever the sandbox: once is enough")
	}
	t.Run("node", func(t *testing.T) { t.Parallel(); debugNode(t) })
	t.Run("python", func(t *testing.T) { t.Parallel(); debugPython(t) })
	t.Run("go", func(t *testing.T) { t.Parallel(); debugGo(t) })
}

// answerOf calls a function meanwhile.
func (l *lamb) answerOf(t *testing.T, name string) <-chan string {
	answered := make(chan string, 1)
	go func() { answered <- string(l.invoke(t, name, `{"name": "lamb"}`).Payload) }()
	return answered
}

// stillAt expects that a function that is stopped has not answered.
func stillAt(t *testing.T, answered <-chan string) {
	t.Helper()
	select {
	case a := <-answered:
		t.Errorf("it has answered %s although it is stopped", a)
	default:
	}
}

// debugger is a debugger at a terminal, which takes commands.
func debugger(t *testing.T, program string, args ...string) (said *output, say io.Writer) {
	t.Helper()
	cmd := exec.Command(program, args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c, err := startCommand(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s%s", program, c.stdout, c.stderr)
		}
	})
	return c.stdout, in
}

// tell gives a debugger a command.
func tell(t *testing.T, in io.Writer, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(in, format+"\n", args...); err != nil {
		t.Fatal(err)
	}
}

// write puts files into a new folder.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := folder(t)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const oneSecond = "timeout = 1\n"

// attachTo is the address in the line that tells what to attach with.
func attachTo(t *testing.T, d *lamb, before string) string {
	t.Helper()
	_, rest, _ := strings.Cut(d.stderr.lines(t, before, 1), before)
	address, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	return address
}

// free skips a test whose port somebody has already.
func free(t *testing.T, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("the debugger's port is taken: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func debugNode(t *testing.T) {
	node := need(t, "node")
	free(t, "127.0.0.1:9229")
	dir := write(t, map[string]string{"lamb.toml": "name = \"debug-node\"\n" + oneSecond, "index.mjs": "export const handler = async (event, context) => {\n" +
		"  const left = context.getRemainingTimeInMillis();\n  return event.name + 's';\n};\n"})
	d := startDev(t, "--debug", dir)
	d.stderr.lines(t, "debug-node serves (", 1)
	if a := <-d.answerOf(t, "debug-node"); a != `"lambs"` {
		t.Fatalf("it answers %s", a)
	}
	said, in := debugger(t, node, "inspect", attachTo(t, d, "debug: node inspect"))
	said.holds(t, "\ndebug> ") // what is typed before is lost
	tell(t, in, "setBreakpoint('index.mjs', 3)")
	said.lines(t, "> 3   return event.name", 1)
	answered := d.answerOf(t, "debug-node")
	// The file that is edited is the one that runs: an editor's breakpoints are met.
	said.lines(t, "break in "+filepath.Join(dir, "index.mjs")+":3", 1)
	tell(t, in, "exec('left > 60000 ? `long ${event.name}` : `short ${left}`')")
	said.lines(t, "'long lamb'", 1)
	stillAt(t, answered)
	tell(t, in, "cont")
	if a := <-answered; a != `"lambs"` {
		t.Errorf("it goes on to answer %s", a)
	}
}

func debugGo(t *testing.T) {
	dlv, err := exec.LookPath("dlv")
	if err != nil {
		t.Skip("there is no dlv: go install github.com/go-delve/delve/cmd/dlv@latest")
	}
	dir, err := filepath.Abs("testdata/debugfunc")
	if err != nil {
		t.Fatal(err)
	}
	// The standard library is built for a debugger too, and takes its time the
	// first time: not while others wait for lamb dev.
	build := exec.Command("go", "build", "-buildvcs=false", "-tags", "lambda.norpc", "-gcflags=all=-N -l", "-o", os.DevNull, dir)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	d := startDev(t, "--debug", dir)
	command := attachTo(t, d, "debug: dlv attach --waitfor")
	d.stderr.lines(t, "debug-go serves (", 1)
	if a := <-d.answerOf(t, "debug-go"); a != `"lambs"` {
		t.Fatalf("it answers %s", a)
	}
	said, in := debugger(t, dlv, "attach", "--waitfor", command, "--allow-non-terminal-interactive=true")
	tell(t, in, "break main.answer\ncontinue")
	said.lines(t, "Breakpoint 1 set ", 1)
	answered := d.answerOf(t, "debug-go")
	said.lines(t, "[Breakpoint 1] main.answer() ", 1)
	tell(t, in, "args")
	said.lines(t, `name = "lamb"`, 1)
	if left := strings.TrimSpace(said.lines(t, "minutesLeft = ", 1)); left != "minutesLeft = 14" {
		t.Errorf("a function that is stopped has %s", left)
	}
	stillAt(t, answered)
	tell(t, in, "clearall\ncontinue")
	if a := <-answered; a != `"lambs"` {
		t.Errorf("it goes on to answer %s", a)
	}
}

func debugPython(t *testing.T) {
	python := withModule(t, "debugpy", func(python string, args ...string) *exec.Cmd {
		return here.command(context.Background(), folder(t), python, args...)
	})
	out, err := exec.Command(python, "-c", "import os, sys; print('python%d.%d=%s' % (*sys.version_info[:2], os.path.realpath(sys.executable)))").Output()
	if err != nil {
		t.Fatal(err)
	}
	interpreter := strings.TrimSpace(string(out))
	runtime, _, _ := strings.Cut(interpreter, "=")
	free(t, "127.0.0.1:5678")
	dir := write(t, map[string]string{"lamb.toml": "name = \"debug-python\"\nruntime = \"" + runtime + "\"\n" + oneSecond,
		"app.py": "def handler(event, context):\n    name = event['name']\n    return name + 's'\n"})
	d := startDev(t, "--debug", "--interpreter", interpreter, dir)
	d.stderr.lines(t, "debug-python serves (", 1)
	if a := <-d.answerOf(t, "debug-python"); a != `"lambs"` {
		t.Fatalf("it answers %s", a)
	}
	c := attachDAP(t, attachTo(t, d, "debug: debugpy at"))
	c.call("initialize", map[string]any{"adapterID": "lamb"})
	c.send("attach", map[string]any{"justMyCode": false})
	c.event("initialized")
	c.call("setBreakpoints", map[string]any{"source": map[string]any{"path": filepath.Join(dir, "app.py")}, "breakpoints": []any{map[string]any{"line": 3}}})
	c.call("configurationDone", nil)
	answered := d.answerOf(t, "debug-python")
	thread := c.event("stopped")["threadId"]
	frames, _ := c.call("stackTrace", map[string]any{"threadId": thread})["stackFrames"].([]any)
	if len(frames) == 0 {
		t.Fatal("a stopped function has no frames")
	}
	frame, _ := frames[0].(map[string]any)
	got := c.call("evaluate", map[string]any{"frameId": frame["id"], "expression": "(name, context.get_remaining_time_in_millis() > 60000)"})["result"]
	if got != "('lamb', True)" {
		t.Errorf("in the handler the debugger sees %v", got)
	}
	stillAt(t, answered)
	c.call("continue", map[string]any{"threadId": thread})
	if a := <-answered; a != `"lambs"` {
		t.Errorf("it goes on to answer %s", a)
	}
}
