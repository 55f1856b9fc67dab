package front

import (
	"net"
	"syscall"
)

// finishDetached sends the answer of a request whose handler has returned. It
// is called by a goroutine that has other things to do, so it does not wait
// for a client that does not read: a goroutine of its own does that.
func (c *conn) finishDetached() {
	c.w.tryOnce = true
	err := c.w.finish()
	if rest := c.w.rest; err == nil && len(rest) > 0 {
		c.s.wg.Go(func() { c.detachedOver(c.write(rest)) })
		return
	}
	c.detachedOver(err)
}

// detachedOver lets the connection go on. Its goroutine waits for the client's
// next bytes: to end the connection is to close it.
func (c *conn) detachedOver(err error) {
	again := err == nil && !c.w.close && c.body.left == 0 && c.rest()
	c.answered <- again // there is room
	if !again {
		_ = closeWrite(c.nc)
		_ = c.nc.Close()
	}
}

// tryWrite writes what can be written without waiting.
func (c *conn) tryWrite(p []byte) (n int, err error) {
	if c.raw == nil {
		sc, ok := c.nc.(syscall.Conn)
		if !ok {
			return 0, nil
		}
		if c.raw, err = sc.SyscallConn(); err != nil {
			return 0, err
		}
	}
	cerr := c.raw.Write(func(fd uintptr) bool {
		n, err = syscall.Write(int(fd), p)
		return true
	})
	switch {
	case cerr != nil:
		return 0, cerr
	case err == syscall.EAGAIN || err == syscall.EINTR:
		return 0, nil
	case err != nil:
		return 0, &net.OpError{Op: "write", Net: "tcp", Err: err}
	}
	return n, nil
}
