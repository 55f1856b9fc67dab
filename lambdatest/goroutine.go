package lambdatest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"syscall"

	"github.com/lambhq/lamb/internal/sandbox"
)

// goroutine is a Go program that runs: the process that it stands for can be
// killed at once, while the goroutine itself has to notice.
type goroutine struct {
	cancel context.CancelFunc
	conns  conns
	// gone is closed when the goroutine has returned.
	gone chan struct{}

	once sync.Once
	done chan struct{} // the process has ended; exit is valid then
	exit sandbox.Exit

	mu     sync.Mutex
	caught chan struct{} // see catch; nil before
	raised bool          // caught is closed
}

var _ sandbox.Proc = (*goroutine)(nil)

// startGoroutine runs a program with what sandboxes give to processes.
func startGoroutine(run func(ctx context.Context, p *Process) error, p *Process) *goroutine {
	ctx, cancel := context.WithCancel(context.Background())
	g := &goroutine{cancel: cancel, gone: make(chan struct{}), done: make(chan struct{})}
	p.self = g
	go func() {
		defer close(g.gone)
		g.end(exitOf(run, ctx, p))
	}()
	return g
}

// exitOf runs a program to its end.
func exitOf(run func(ctx context.Context, p *Process) error, ctx context.Context, p *Process) (exit sandbox.Exit) {
	defer func() {
		if v := recover(); v != nil {
			fmt.Fprintf(p.Stderr, "panic: %v\n\n%s", v, debug.Stack())
			exit = sandbox.Exit{Code: 2}
		}
	}()
	err := run(ctx, p)
	var status ExitStatus
	switch {
	case err == nil:
		return sandbox.Exit{}
	case errors.As(err, &status):
		return sandbox.Exit{Code: int(status)}
	case ctx.Err() == nil:
		fmt.Fprintln(p.Stderr, err)
	}
	return sandbox.Exit{Code: 1}
}

// end makes exit how the process ended, unless it has ended already.
func (g *goroutine) end(exit sandbox.Exit) {
	g.once.Do(func() {
		g.exit = exit
		g.cancel()
		g.conns.closeAll()
		close(g.done)
	})
}

func (g *goroutine) dial(endpoint string) (net.Conn, error) {
	c, err := net.Dial("tcp", endpoint)
	if err != nil {
		return nil, err
	}
	if err := g.conns.add(c); err != nil {
		return nil, err
	}
	return &tracked{c, &g.conns}, nil
}

func (g *goroutine) catch() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.caught == nil {
		g.caught = make(chan struct{})
	}
	return g.caught
}

// Done implements sandbox.Proc.
func (g *goroutine) Done() <-chan struct{} { return g.done }

// Exit implements sandbox.Proc.
func (g *goroutine) Exit() sandbox.Exit { return g.exit }

// Signal implements sandbox.Proc.
func (g *goroutine) Signal(sig syscall.Signal) error {
	g.mu.Lock()
	caught := sig == syscall.SIGTERM && g.caught != nil
	if caught && !g.raised {
		g.raised = true
		close(g.caught)
	}
	g.mu.Unlock()
	if !caught {
		g.end(sandbox.Exit{Code: -1, Signal: sig})
	}
	return nil
}
