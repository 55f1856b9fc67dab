package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/runtimes"
	"github.com/lambhq/lamb/internal/sandbox"
)

// startPatience is how long a program may take to its first request.
const startPatience = 30 * time.Second

// command is a program as the floors start it: plainly, as a child.
type command struct {
	path string
	args []string
	env  []string
	dir  string
}

// rawCommand is the raw worker.
func (b *bench) rawCommand() command { return command{path: b.worker, dir: b.scratch} }

// The least that an interpreter needs to ask for its first event.
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

// interpreterCommands are the interpreter that lamb takes for a function: by
// itself, and with lamb's runtime program and the function.
func (b *bench) interpreterCommands(ctx context.Context, s spec) (bare, program command, err error) {
	resolver := runtimes.New(runtimes.Options{Path: filepath.SplitList(os.Getenv("PATH")), Dir: b.path("runtimes")})
	rt, err := resolver.Resolve(ctx, s.runtime)
	if err != nil {
		return bare, program, err
	}
	task := b.path(rt.Family)
	if err := os.MkdirAll(task, 0o755); err != nil {
		return bare, program, err
	}
	file, code, script := "echo.py", pythonEcho, []string{"-c", barePython}
	if rt.Family == "nodejs" {
		file, code, script = "echo.mjs", nodeEcho, []string{"-e", bareNode}
	}
	if err := os.WriteFile(filepath.Join(task, file), code, 0o644); err != nil {
		return bare, program, err
	}
	env := rt.Env(sandbox.Paths{Task: task, Runtime: rt.Dir, Lang: rt.Lang})
	env = append(env, "LAMBDA_TASK_ROOT="+task, "LAMBDA_RUNTIME_DIR="+rt.Dir, "_HANDLER="+s.handler, "AWS_REGION="+region, "AWS_LAMBDA_FUNCTION_NAME=bench")
	path := filepath.Join(rt.Lang, rt.Interpreter)
	return command{path, script, env, task}, command{path, []string{filepath.Join(rt.Dir, rt.Program)}, env, task}, nil
}

// arrivals is a listener for programs' first requests.
type arrivals struct {
	*net.TCPListener
}

func listen() (arrivals, error) {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	return arrivals{l}, err
}

// await returns when n programs have sent the first line of a request each,
// and then hangs up on them.
func await(l net.Listener, n int) error {
	if tcp, ok := l.(*net.TCPListener); ok {
		if err := tcp.SetDeadline(time.Now().Add(startPatience)); err != nil {
			return err
		}
	}
	conns, errs := make([]net.Conn, n), make([]error, n)
	var wg sync.WaitGroup
	var err error
	for i := range n {
		if conns[i], err = l.Accept(); err != nil {
			break
		}
		wg.Go(func() {
			_ = conns[i].SetReadDeadline(time.Now().Add(startPatience))
			_, errs[i] = bufio.NewReader(conns[i]).ReadString('\n')
		})
	}
	wg.Wait()
	// All at once, so that none ends while others are still starting.
	for _, c := range conns {
		if c != nil {
			c.Close()
		}
	}
	return errors.Join(append(errs, err)...)
}

// start starts a command whose first request comes to the listener.
func (a arrivals) start(c command) (*exec.Cmd, error) {
	cmd := exec.Command(c.path, c.args...)
	cmd.Env = append([]string{"AWS_LAMBDA_RUNTIME_API=" + a.Addr().String()}, c.env...)
	cmd.Dir = c.dir
	return cmd, cmd.Start()
}

// plain starts a command n times at once and measures, in milliseconds, until
// the last has sent its first request.
func (b *bench) plain(c command, n int) (contender, error) {
	l, err := listen()
	if err != nil {
		return nil, err
	}
	b.onClose(l.Close)
	return func(context.Context) ([]float64, error) {
		cmds, errs := make([]*exec.Cmd, n), make([]error, n)
		var starting sync.WaitGroup
		began := time.Now()
		for i := range n {
			starting.Go(func() { cmds[i], errs[i] = l.start(c) })
		}
		err := await(l, n)
		took := time.Since(began)
		starting.Wait()
		for i, cmd := range cmds {
			if errs[i] == nil {
				_ = cmd.Process.Kill() // it may have ended by itself
				_ = cmd.Wait()         // killed
			}
		}
		if err := errors.Join(append(errs, err)...); err != nil {
			return nil, fmt.Errorf("%s: %w", c.path, err)
		}
		return []float64{millis(took)}, nil
	}, nil
}
