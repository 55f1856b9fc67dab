package front

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// readBuffer is what a connection reads at once; a head that is longer is
	// not hot.
	readBuffer = 8 << 10
	// maxDiscard is how much of a body that the handler left is read to keep
	// the connection, or to let the client see its answer.
	maxDiscard = 256 << 10
	// lingerTimeout bounds the reading after the last answer: to close with
	// unread input would reset the connection, and take the answer with it.
	lingerTimeout = 500 * time.Millisecond
	// writeTimeout bounds a write to a client that does not read, to within a
	// factor of two; the handler may set other deadlines.
	writeTimeout = 30 * time.Second
)

// The states of a connection.
const (
	idle int32 = iota // waits for a request
	busy              // serves one
	shut              // closed by Shutdown while idle
)

// conn is one connection. Its goroutine owns all but state.
type conn struct {
	s      *Server
	nc     net.Conn
	in     source
	br     *bufio.Reader
	remote string
	state  atomic.Int32
	body   body
	w      response
	// detached says that the handler returned without an answer; whoever ends
	// it sends a token. It belongs to the connection's goroutine.
	detached bool
	answered chan bool // the token says whether another request can follow
	raw      syscall.RawConn
	// writeDeadline is the one that is set, zero for none.
	writeDeadline time.Time
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{s: s, nc: nc, in: source{nc: nc}, remote: nc.RemoteAddr().String()}
	c.br = bufio.NewReaderSize(&c.in, readBuffer)
	c.body.c, c.w.c = c, c
	c.w.header = make(http.Header, 8)
	c.answered = make(chan bool, 1)
	return c
}

// closeIdle closes the connection if it waits for a request.
func (c *conn) closeIdle() {
	if c.state.CompareAndSwap(idle, shut) {
		_ = c.nc.Close()
	}
}

// serve handles requests until the connection ends or is given away.
func (c *conn) serve() {
	wait := c.s.cfg.HeaderTimeout
	for {
		c.in.expect(wait)
		err := c.awaitHead()
		if c.detached { // the request before is (or was) answered meanwhile
			c.detached = false
			if !<-c.answered {
				_ = c.nc.Close()
				return
			}
		}
		if err != nil || !c.state.CompareAndSwap(idle, busy) {
			_ = c.nc.Close()
			return
		}
		req := c.hotRequest()
		if req == nil {
			c.giveAway()
			return
		}
		if !c.handle(req) {
			_ = c.nc.Close()
			return
		}
		wait = c.s.cfg.IdleTimeout
		if !c.detached && !c.rest() {
			_ = c.nc.Close()
			return
		}
	}
}

// awaitHead reads until there is a head, or as much as a hot one may have, or
// what cannot become one.
func (c *conn) awaitHead() error {
	if _, err := c.br.Peek(1); err != nil {
		return err
	}
	for n := c.br.Buffered(); n < readBuffer; n = c.br.Buffered() {
		if read, _ := c.br.Peek(n); headIsKnown(read) {
			return nil
		}
		if now := time.Now(); c.in.want.Sub(now) > c.s.cfg.HeaderTimeout {
			c.in.want = now.Add(c.s.cfg.HeaderTimeout) // once it has begun
		}
		if _, err := c.br.Peek(n + 1); err != nil {
			return err
		}
	}
	return nil
}

// rest makes the connection idle after a request, unless the server closes.
func (c *conn) rest() bool {
	c.state.Store(idle)
	return !c.s.isClosing() // which may have begun before the state was stored
}

// hotRequest is the next request if it is hot, else nil with nothing consumed.
func (c *conn) hotRequest() *http.Request {
	read, _ := c.br.Peek(c.br.Buffered())
	head := wholeHead(read)
	if head == nil || !c.s.cfg.Hot(target(head)) {
		return nil
	}
	req := parse(head)
	if req == nil {
		return nil
	}
	_, _ = c.br.Discard(len(head)) // it is all there
	req.RemoteAddr = c.remote
	c.body.left = req.ContentLength
	req.Body = http.NoBody
	if req.ContentLength > 0 {
		req.Body = &c.body
	}
	return req
}

// giveAway passes the connection on to the other server.
func (c *conn) giveAway() {
	c.in.giveUp()
	read, _ := c.br.Peek(c.br.Buffered())
	if !c.s.others.give(c.nc, bytes.Clone(read)) {
		_ = c.nc.Close()
	}
}

// handle answers a request; it reports whether another one can follow.
func (c *conn) handle(req *http.Request) (again bool) {
	defer func() {
		if cause := recover(); cause != nil {
			again = false // the answer, if it has begun, must not look whole
			if cause != http.ErrAbortHandler {
				c.s.cfg.Log.Error("front: handler panicked", "panic", cause)
			}
		}
	}()
	c.w.reset()
	c.s.cfg.Handler.ServeHTTP(&c.w, req)
	if c.detached {
		return true
	}
	if c.w.finish() != nil {
		return false
	}
	unread := c.body.left
	if unread > 0 && unread <= maxDiscard && !c.w.close {
		c.in.want = time.Now().Add(lingerTimeout)
		_, _ = io.Copy(io.Discard, &c.body)
	}
	if c.w.close || c.body.left > 0 {
		c.linger()
		return false
	}
	return true
}

// write writes p, in bounded time. A deadline is used for as long as it is far
// enough away, since setting one is not free.
func (c *conn) write(p []byte) error {
	c.armWrite()
	_, err := c.nc.Write(p)
	return err
}

// writeBoth writes a then b without joining them, so that a client which is
// woken by the one finds the other there too.
func (c *conn) writeBoth(a, b []byte) error {
	c.armWrite()
	both := net.Buffers{a, b}
	_, err := both.WriteTo(c.nc)
	return err
}

func (c *conn) armWrite() {
	if now := time.Now(); c.writeDeadline.Sub(now) < writeTimeout {
		_ = c.setWriteDeadline(now.Add(2 * writeTimeout)) // fails as the write will
	}
}

func (c *conn) setWriteDeadline(t time.Time) error {
	c.writeDeadline = t
	return c.nc.SetWriteDeadline(t)
}

// linger tells the client that no more comes, and reads on for a moment.
func (c *conn) linger() {
	if closeWrite(c.nc) != nil {
		return
	}
	c.in.want = time.Now().Add(lingerTimeout)
	_, _ = io.CopyN(io.Discard, c.br, maxDiscard)
}

// body is the body of the request that is served.
type body struct {
	c    *conn
	left int64
}

func (b *body) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.c.br.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	case err == nil && b.left == 0:
		err = io.EOF
	}
	return n, err
}

func (b *body) Close() error { return nil }
