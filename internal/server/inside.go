package server

import (
	"context"
	"net"
	"sync"

	"github.com/lambhq/lamb/internal/gateway"
)

// insideListener brings connections from inside execution environments to the
// gateway, marked with where they come from. Nobody else can make one.
type insideListener struct {
	conns chan net.Conn
	done  chan struct{} // closed by Close
	once  sync.Once
}

func newInsideListener() *insideListener {
	return &insideListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

// dial opens a connection to the Lambda API from an environment.
func (l *insideListener) dial(ctx context.Context, environment string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- gateway.EnvironmentConn{Conn: ours, Environment: environment}:
		return theirs, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (l *insideListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *insideListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *insideListener) Addr() net.Addr { return &net.UnixAddr{Name: "inside", Net: "pipe"} }
