package lambdatest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/lambhq/lamb/lambda"
)

// Program is something that an environment can start: a runtime or an
// extension. The zero value is none.
type Program struct {
	// run is set for goroutines, path for processes, attached for what the test
	// starts itself.
	run      func(ctx context.Context, p *Process) error
	path     string
	args     []string
	files    []*os.File
	attached bool
	turns    []Program
}

// Handler is a function that package lambda runs: anything that lambda.Start
// takes. It runs in the test's process, so the race detector, the debugger and
// the coverage see it. Its variables are not set there: it sees those that the
// test sets (T.Setenv). What it prints is not the environment's log.
//
// It ends, as a process would, at a timeout or a reset: its context is done and
// its connections are closed. Code that heeds neither goes on in the test's
// process.
func Handler(handler any, opts ...lambda.Option) Program {
	return Go(func(ctx context.Context, p *Process) error {
		rt := lambda.Runtime{
			Handler: handler, Options: append([]lambda.Option{lambda.WithContext(ctx)}, opts...),
			Endpoint: p.Endpoint, Getenv: p.Getenv, Dial: p.Dial,
			Setenv: func(string, string) error { return nil }, // others run in this process
		}
		return rt.Run(ctx)
	})
}

// Go is a program in the test's process: run is its main. What it returns is
// how it exits: nil is status 0, an ExitStatus is that, any other error and a
// panic are 1 and 2, and are printed to Stderr. When ctx is done it has been
// killed: nothing that it does counts any more.
func Go(run func(ctx context.Context, p *Process) error) Program { return Program{run: run} }

// Exec is an executable of this machine, such as a compiled bootstrap or an
// interpreter with its script. path is as for exec.Command. The working folder
// of a runtime is Config.Code, as it is /var/task, and / is that of an
// extension. Its memory is not limited unless Config.Isolate is set.
func Exec(path string, args ...string) Program { return Program{path: path, args: args} }

// WithFiles is p, an Exec, with further open files: entry i becomes descriptor
// 3+i, as in os/exec, every time that it is started; 16 at most. They stay the
// test's.
func (p Program) WithFiles(files ...*os.File) Program {
	p.files = files
	return p
}

// Attached is a program that the test starts by itself, with the variables of
// Environment.Environ, on this machine. The environment does not see it end, and
// can neither stop nor kill it unless it is told which process it is (Attach): a
// reset closes its connections.
func Attached() Program { return Program{attached: true} }

// InTurn is another program each time that it is started, which is once for
// every init; the last one is used again.
func InTurn(programs ...Program) Program { return Program{turns: programs} }

// ExitStatus is an error that ends a Go program with an exit status.
type ExitStatus int

func (s ExitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// Process is what a Go program knows of itself.
type Process struct {
	// Name is "bootstrap", or the extension's.
	Name string
	// Endpoint is the address of the APIs, as AWS_LAMBDA_RUNTIME_API has it.
	Endpoint string
	// Env are its variables, "NAME=VALUE".
	Env []string
	// Stdout and Stderr lead to the environment's log.
	Stdout, Stderr io.Writer

	self *goroutine
}

// Getenv is a variable's value.
func (p *Process) Getenv(name string) string {
	for _, v := range p.Env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// Dial connects to the endpoint with a connection that is closed when the
// program is killed. It fits runtimeapi.Client and extension.Client.
func (p *Process) Dial(endpoint string) (io.ReadWriteCloser, error) { return p.self.dial(endpoint) }

// DialContext is Dial for http.Transport.
func (p *Process) DialContext(context.Context, string, string) (net.Conn, error) {
	return p.self.dial(p.Endpoint)
}

// CatchSIGTERM installs a handler for SIGTERM, which kills the program
// otherwise: the channel is closed when the signal comes.
func (p *Process) CatchSIGTERM() <-chan struct{} { return p.self.catch() }

// take is the program of the n-th start, from 0.
func (p Program) take(n int) Program {
	for len(p.turns) > 0 {
		p = p.turns[min(n, len(p.turns)-1)]
	}
	return p
}

// check tells what is wrong with a program.
func (p Program) check() error {
	if len(p.turns) > 0 {
		var errs []error
		for _, turn := range p.turns {
			errs = append(errs, turn.check())
		}
		return errors.Join(errs...)
	}
	if len(p.files) > 0 && p.path == "" {
		return errors.New("WithFiles is for Exec")
	}
	if p.run == nil && p.path == "" && !p.attached {
		return errors.New("no program: use Handler, Go, Exec or Attached")
	}
	return nil
}

// isProcess tells whether the program needs a sandbox for processes.
func (p Program) isProcess() bool { return p.path != "" }

// isAttached tells whether the test starts the program.
func (p Program) isAttached() bool { return p.attached }

// any tells whether the program, or one of its turns, is something.
func (p Program) any(is func(Program) bool) bool {
	return is(p) || slices.ContainsFunc(p.turns, func(turn Program) bool { return turn.any(is) })
}

// conns are the open connections of a goroutine.
type conns struct {
	mu     sync.Mutex
	closed bool
	open   map[net.Conn]struct{}
}

var errKilled = errors.New("the program has been killed")

func (c *conns) add(conn net.Conn) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errors.Join(errKilled, conn.Close())
	}
	if c.open == nil {
		c.open = make(map[net.Conn]struct{})
	}
	c.open[conn] = struct{}{}
	return nil
}

func (c *conns) remove(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, conn)
}

// closeAll closes those that are open, and all that come.
func (c *conns) closeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for conn := range c.open {
		_ = conn.Close() // whoever uses it notices
	}
	clear(c.open)
}

// tracked is a connection that is forgotten when it is closed.
type tracked struct {
	net.Conn
	of *conns
}

func (t *tracked) Close() error {
	t.of.remove(t.Conn)
	return t.Conn.Close()
}
