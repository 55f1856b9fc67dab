package runtimes

import (
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
)

// The least that each interpreter needs to ask for an event.
const (
	barePython = `
import _socket, os
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
s = _socket.socket(); s.connect((host, int(port)))
s.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n"); s.recv(1)`
	bareNode = `
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
require("net").connect(Number(port), host).write("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n");`
)

// BenchmarkStart measures from exec to the first call of next: the program
// with an empty function, and an interpreter that does nothing else.
func BenchmarkStart(b *testing.B) {
	task := b.TempDir()
	for name, data := range map[string]string{"x.py": "def f(e, c): pass\n", "x.js": "exports.f = async () => {};\n"} {
		writeTree(b, task, map[string]string{name: data})
	}
	for _, id := range []string{"python3.8", "python3.11", "python3.12", "python3.13", "nodejs20.x"} {
		rt, err := sharedHost.Resolve(b.Context(), id)
		if err != nil || !rt.Exact {
			continue // not on this machine
		}
		bare := []string{"-c", barePython}
		if rt.Family == "nodejs" {
			bare = []string{"-e", bareNode}
		}
		b.Run(id+"/program", func(b *testing.B) { benchStart(b, rt, task, filepath.Join(rt.Dir, rt.Program)) })
		b.Run(id+"/bare", func(b *testing.B) { benchStart(b, rt, task, bare...) })
	}
}

func benchStart(b *testing.B, rt *Runtime, task string, args ...string) {
	var cpu time.Duration // wall-clock time says little on a busy machine
	for b.Loop() {
		a := &api{idle: make(chan struct{}), conns: map[string]bool{}}
		server := httptest.NewServer(a)
		cmd := exec.Command(filepath.Join(rt.Lang, rt.Interpreter), args...)
		cmd.Env = append(rt.Env(sandbox.Paths{Task: task, Runtime: rt.Dir, Lang: rt.Lang}),
			"AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(server.URL, "http://"), "LAMBDA_TASK_ROOT="+task, "_HANDLER=x.f")
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		<-a.idle
		b.StopTimer()
		cmd.Process.Kill()
		cmd.Wait()
		cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		server.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(cpu.Microseconds())/1000/float64(b.N), "cpu-ms/op")
}
