package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// acceptPause is how long accepting rests after an error such as too many open
// files.
const acceptPause = 50 * time.Millisecond

// acceptTCP accepts connections until the inlet is closed.
func (s *Session) acceptTCP() {
	for {
		// First a slot, so that what is too much waits in the kernel.
		select {
		case s.connections <- struct{}{}:
		case <-s.ctx.Done():
			return
		}
		conn, err := s.inlet.tcp.AcceptTCP()
		if err != nil {
			<-s.connections
			if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			s.log.Warn("a connection from the sandbox could not be accepted", "error", err)
			select {
			case <-time.After(acceptPause):
			case <-s.ctx.Done():
				return
			}
			continue
		}
		s.running.Go(func() {
			defer func() { <-s.connections }()
			s.serveTCP(conn)
		})
	}
}

// serveTCP serves a connection from inside; its local address is where the
// program wanted to connect.
func (s *Session) serveTCP(inside *net.TCPConn) {
	if err := s.relay.take(); err != nil {
		reset(inside)
		return
	}
	defer s.relay.give()
	stop := context.AfterFunc(s.ctx, func() { reset(inside) })
	defer stop()
	dst := inside.LocalAddr().(*net.TCPAddr).AddrPort()
	d := s.decide(TCP, dst)
	switch d.Verdict {
	case DNS:
		s.serveDNS(inside)
	case Allow, Host, Lambda:
		outside, err := s.dial(d)
		if err != nil {
			s.log.Debug("destination not reached", "protocol", "tcp", "destination", dst.String(), "error", err)
			reset(inside)
			return
		}
		stop := context.AfterFunc(s.ctx, func() { reset(outside) })
		defer stop()
		join(s.ctx, inside, outside)
	default:
		reset(inside)
	}
}

// join passes bytes both ways until both directions have ended. The end of one
// is passed on and leaves the other open; an error resets both, and so does the
// end of ctx: what a session cuts off must not look complete.
func join(ctx context.Context, a, b net.Conn) {
	var both sync.WaitGroup
	both.Go(func() { pass(ctx, a, b) })
	pass(ctx, b, a)
	both.Wait()
	a.Close()
	b.Close()
}

func pass(ctx context.Context, to, from net.Conn) {
	_, err := io.Copy(to, from) // splice(2) between TCP connections
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = closeWrite(to)
	}
	if err != nil {
		reset(to)
		reset(from)
	}
}

// closeWrite tells the other side that nothing more comes. A connection that
// cannot say so is closed by join, when both directions have ended.
func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// reset closes a connection so that the other side sees an error.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		// Fails only when it is closed already.
		_ = tcp.SetLinger(0)
	}
	c.Close()
}
