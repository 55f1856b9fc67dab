package front

import (
	"net"
	"sync"
)

// others is the listener of the connections that another server serves.
type others struct {
	conns chan net.Conn
	done  chan struct{} // closed by Close
	once  sync.Once

	mu   sync.Mutex
	addr net.Addr // guarded by mu
}

func newOthers() *others {
	return &others{conns: make(chan net.Conn), done: make(chan struct{}), addr: &net.TCPAddr{}}
}

// give passes a connection on with what has been read of it; it reports
// whether somebody took it.
func (o *others) give(nc net.Conn, read []byte) bool {
	select {
	case o.conns <- &replayed{Conn: nc, read: read}:
		return true
	case <-o.done:
		return false
	}
}

// Accept implements net.Listener.
func (o *others) Accept() (net.Conn, error) {
	select {
	case c := <-o.conns:
		return c, nil
	case <-o.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (o *others) Close() error {
	o.once.Do(func() { close(o.done) })
	return nil
}

// Addr implements net.Listener: that of the listener which is served.
func (o *others) Addr() net.Addr {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.addr
}

func (o *others) setAddr(a net.Addr) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.addr = a
}

// replayed is a connection of which the beginning has been read.
type replayed struct {
	net.Conn
	read []byte // only one goroutine reads at a time
}

func (c *replayed) Read(p []byte) (int, error) {
	if len(c.read) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.read)
	if c.read = c.read[n:]; len(c.read) == 0 {
		c.read = nil
	}
	return n, nil
}

// CloseWrite is how net/http ends a connection whose client still sends.
func (c *replayed) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(nc net.Conn) error {
	if c, ok := nc.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return net.ErrClosed
}
