package envapi

import (
	"errors"
	"io"
	"net"
	"time"
)

// Bounds of what is read for a client's sake only.
const (
	// maxDrain is how much of a refused body is read so that a client which
	// writes everything before it reads gets to see the answer.
	maxDrain     = 32 << 20
	drainTimeout = 10 * time.Second
	// maxLinger and lingerTimeout bound the reading after the last answer:
	// closing with unread input would reset the connection and could take
	// the answer with it.
	maxLinger     = 256 << 10
	lingerTimeout = time.Second
)

// conn is one connection. Its goroutine owns everything here; only a Waiter's
// holder writes to nc while the goroutine waits in next.
type conn struct {
	s  *Server
	nc net.Conn

	// in.b[r:w] is what was read and not yet used.
	in   *buffer
	r, w int

	readDeadline  time.Time // zero: none set
	writeDeadline time.Time

	req   request
	body  body
	reply reply // what succeed answers with

	// The last strings made, to make the same one only once: a runtime sends
	// the same headers with every response, and the id it was given.
	userAgent, contentType, features, id string

	vec  [2][]byte // for writeBoth
	bufs net.Buffers
}

func newConn(s *Server, nc net.Conn) *conn {
	return &conn{s: s, nc: nc, in: s.cfg.Buffers.get(smallBuffer)}
}

// serve handles requests until the connection ends.
func (c *conn) serve() {
	for c.readHead() && c.handle() {
		c.shrink()
	}
	_ = c.nc.Close()
	c.s.cfg.Buffers.put(c.in)
}

// readHead reads and parses the next request's head; it reports whether there
// is one.
func (c *conn) readHead() bool {
	c.clearReadDeadline()
	scanned := 0 // bytes after r that are whole lines
	for {
		n, complete, perr := scanHead(c.in.b[c.r:c.w], scanned)
		if perr == nil && !complete && c.w-c.r > maxHead && !mayBeLong(c.in.b[c.r:c.w]) {
			perr = errHeadTooLarge
		}
		if perr == nil && complete {
			head := c.in.b[c.r : c.r+n]
			c.r += n
			perr = c.req.parse(head)
		}
		if perr != nil {
			c.refuse(perr)
			return false
		}
		if complete {
			c.body.reset(&c.req)
			return true
		}
		scanned = n
		if c.w > c.r && c.readDeadline.IsZero() {
			c.setReadDeadline(time.Now().Add(c.s.cfg.HeaderTimeout))
		}
		if err := c.fill(); err != nil {
			if c.w > c.r {
				c.s.cfg.Log.Debug("envapi: request cut in its head", "err", err)
			}
			return false
		}
	}
}

// fill reads once, making room for it.
func (c *conn) fill() error {
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	if c.w == len(c.in.b) {
		if c.r > 0 {
			c.w = copy(c.in.b, c.in.b[c.r:c.w])
			c.r = 0
		} else {
			c.resize(2 * len(c.in.b))
		}
	}
	n, err := c.read(c.in.b[c.w:])
	c.w += n
	return err
}

// read reads something, or fails.
func (c *conn) read(p []byte) (int, error) {
	n, err := c.nc.Read(p)
	if n > 0 {
		return n, nil // an error comes again with the next read
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return 0, err
}

// resize moves the unread bytes into a buffer of at least size, which they
// must fit.
func (c *conn) resize(size int) {
	if size > smallBuffer {
		size = max(size, largeBuffer)
	}
	old := c.in
	c.in = c.s.cfg.Buffers.get(size)
	c.w = copy(c.in.b, old.b[c.r:c.w])
	c.r = 0
	c.s.cfg.Buffers.put(old)
}

// shrink goes back to a small buffer between requests.
func (c *conn) shrink() {
	if len(c.in.b) > smallBuffer && c.w-c.r <= smallBuffer {
		c.resize(smallBuffer)
	}
}

func (c *conn) setReadDeadline(t time.Time) {
	c.readDeadline = t
	_ = c.nc.SetReadDeadline(t) // fails on a closed connection only, as the read will
}

func (c *conn) clearReadDeadline() {
	if !c.readDeadline.IsZero() {
		c.readDeadline = time.Time{}
		_ = c.nc.SetReadDeadline(time.Time{})
	}
}

// extendReadDeadline allows a pause of about d from now; it is set anew only
// when a quarter has passed, because every read of a body calls this.
func (c *conn) extendReadDeadline(d time.Duration) {
	now := time.Now()
	if left := c.readDeadline.Sub(now); left < d-d/4 || left > d {
		c.setReadDeadline(now.Add(d))
	}
}

// write writes all of p. It fails when nothing at all could be written for
// WriteTimeout (up to twice that: an armed deadline is used again, since
// setting one costs as much as building the answer).
func (c *conn) write(p []byte) error {
	for {
		c.armWrite()
		n, err := c.nc.Write(p)
		if err == nil {
			return nil
		}
		if n == 0 || !isTimeout(err) {
			return err
		}
		p = p[n:]
	}
}

// writeBoth writes a then b without joining them.
func (c *conn) writeBoth(a, b []byte) error {
	c.vec = [2][]byte{a, b}
	c.bufs = c.vec[:]
	defer func() { c.vec, c.bufs = [2][]byte{}, nil }()
	for {
		c.armWrite()
		n, err := c.bufs.WriteTo(c.nc)
		if err == nil {
			return nil
		}
		if n == 0 || !isTimeout(err) {
			return err
		}
	}
}

func (c *conn) armWrite() {
	now := time.Now()
	if c.writeDeadline.Sub(now) < c.s.cfg.WriteTimeout {
		c.writeDeadline = now.Add(2 * c.s.cfg.WriteTimeout)
		_ = c.nc.SetWriteDeadline(c.writeDeadline) // as above
	}
}

// refuse answers a request that is not HTTP as it should be, and ends.
func (c *conn) refuse(e *protocolError) {
	c.s.cfg.Log.Debug("envapi: request refused", "status", e.status, "reason", e.reason)
	if c.write(appendAnswer(nil, e.status, textType, "", []byte(e.Error()+"\n"), answerOptions{})) == nil {
		c.linger()
	}
}

// linger tells the peer that no more comes and reads on for a moment.
func (c *conn) linger() {
	hc, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || hc.CloseWrite() != nil {
		return
	}
	c.setReadDeadline(time.Now().Add(lingerTimeout))
	for n := 0; n < maxLinger; n += c.w {
		c.r, c.w = 0, 0
		if c.fill() != nil {
			return
		}
	}
}

// drain reads the rest of the request's body, of at most limit bytes; it
// reports whether it got to the end, so that another request can follow.
func (c *conn) drain(limit int64) bool {
	b := &c.body
	switch {
	case b.done:
		return true
	case b.broken, b.left > limit:
		return false
	case c.req.expectContinue && !b.continued:
		return false // the client may or may not send it: nobody knows what follows
	}
	c.setReadDeadline(time.Now().Add(drainTimeout))
	b.timeout = 0 // the deadline is for all of it
	for n := int64(0); n <= limit; {
		p, err := c.readBody()
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			return false
		}
		n += int64(len(p))
	}
	return false
}
