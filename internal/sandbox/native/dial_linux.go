package native

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/loopback"
)

var _ sandbox.Dialer = (*Box)(nil)

// Dial implements sandbox.Dialer. It waits for no other operation, so that a
// Thaw can come while it waits for a frozen sandbox.
func (b *Box) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = b.life.Beside(ctx, "dial into", func(ctx context.Context) (err error) {
		if b.provider.net == NetworkHost {
			conn, err = loopback.Dial(ctx, network, address)
			return err
		}
		to, err := loopback.Target(network, address)
		if err != nil {
			return err
		}
		fd, err := b.socket(ctx)
		if err == nil {
			conn, err = connect(ctx, fd, to)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", to, err)
		}
		return nil
	})
	return conn, err
}

// socket returns a new TCP socket of the sandbox's network: process 1 makes
// it, because lamb may not enter that as an ordinary user, and as root would
// need a thread for it.
func (b *Box) socket(ctx context.Context) (fd int, err error) {
	c := b.shell.control
	// One at a time, until it is answered: requests that a frozen process 1
	// does not read must not fill the socket to it.
	select {
	case b.dialing <- struct{}{}:
	case <-ctx.Done():
		return -1, ctx.Err()
	case <-c.dead:
		return -1, c.cause
	}
	type made struct {
		fd  int
		err error
	}
	answer, gone := make(chan made), make(chan struct{})
	defer close(gone)
	number := c.request(func(r report, fds []int) (taken bool) {
		<-b.dialing
		m := made{fd: -1}
		switch errno := r.errno(2); {
		case errno != 0:
			m.err = os.NewSyscallError("socket", errno)
		case len(fds) != 1:
			// The kernel leaves out what lamb has no free number for.
			m.err = os.NewSyscallError("receive a socket", syscall.EMFILE)
		default:
			m.fd = fds[0]
		}
		select {
		case answer <- m:
			return m.fd >= 0
		case <-gone:
			return false
		}
	})
	if err := c.submit(number, b.provider.image.socket(number)); err != nil {
		<-b.dialing
		return -1, err
	}
	select {
	case m := <-answer:
		return m.fd, m.err
	case <-ctx.Done():
		return -1, ctx.Err()
	case <-c.dead:
		return -1, c.cause
	}
}

// connect connects a socket, which it takes over and which does not block.
func connect(ctx context.Context, fd int, to netip.AddrPort) (net.Conn, error) {
	// Before the poller has it, to which a socket that does not connect yet
	// looks ready.
	err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
	f := os.NewFile(uintptr(fd), "dial")
	defer f.Close() // what is returned is a duplicate
	if err == unix.EINPROGRESS || err == unix.EINTR {
		err = awaitConnected(ctx, f)
	} else {
		err = os.NewSyscallError("connect", err)
	}
	if err != nil {
		return nil, err
	}
	return connectionOf(f)
}

// connectionOf is the connection of a socket that was connected.
func connectionOf(f *os.File) (net.Conn, error) {
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	switch remote := conn.RemoteAddr(); {
	case remote == nil: // the server has reset it already
		err = unix.ECONNRESET
	case remote.String() == conn.LocalAddr().String():
		// Nobody listens there, and chance gave our end that very port: TCP
		// then connects a socket to itself.
		err = unix.ECONNREFUSED
	default:
		return conn, nil
	}
	conn.Close()
	return nil, os.NewSyscallError("connect", err)
}

// awaitConnected waits until a socket that connects is connected.
func awaitConnected(ctx context.Context, f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	// Ends the wait; without an effect when that is over.
	stop := context.AfterFunc(ctx, func() { _ = f.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	var failed error
	err = raw.Write(func(fd uintptr) (done bool) {
		done, failed = connected(int(fd))
		return done
	})
	switch {
	case failed != nil:
		return failed
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	}
	return err
}

// connected tells whether connecting has come to an end, and to which.
func connected(fd int) (done bool, err error) {
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return true, os.NewSyscallError("getsockopt", err)
	}
	if code != 0 {
		return true, os.NewSyscallError("connect", syscall.Errno(code))
	}
	_, err = unix.Getpeername(fd)
	return err == nil, nil // the poller may wake up for nothing
}
