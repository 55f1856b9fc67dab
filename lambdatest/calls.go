package lambdatest

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// maxCallBody is how much of a body is kept.
const maxCallBody = 64 << 10

// Call is a request that a program has made to the environment's APIs.
type Call struct {
	// At is when its headers had come, by the system's clock.
	At     time.Time
	Method string
	Path   string
	Header http.Header
	// Body is the first 64 KiB of it at most, and Trailer what followed it; both
	// are there when the whole body has come (Complete).
	Body     []byte
	Trailer  http.Header
	Complete bool
}

// Calls are the requests so far, in the order in which they came; none unless
// Config.RecordCalls is set.
func (e *Environment) Calls() []Call { return e.box.calls.all() }

// calls keeps what programs ask.
type calls struct {
	tell func() // that there is another, or more of one
	wg   sync.WaitGroup

	mu      sync.Mutex
	list    []*Call
	streams []*stream
}

// all waits for what has come to be understood.
func (c *calls) all() []Call {
	c.mu.Lock()
	streams := slices.Clone(c.streams)
	c.mu.Unlock()
	for _, s := range streams {
		s.settle()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	copied := make([]Call, 0, len(c.list))
	for _, call := range c.list {
		copied = append(copied, *call)
	}
	return copied
}

// follow begins to read a connection along.
func (c *calls) follow() *stream {
	s := newStream()
	c.mu.Lock()
	c.streams = append(c.streams, s)
	c.mu.Unlock()
	c.wg.Go(func() {
		defer s.end()
		c.read(s)
	})
	return s
}

// read takes the requests of one connection.
func (c *calls) read(from io.Reader) {
	r := bufio.NewReader(from)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return // the end, or nothing that we understand
		}
		call := &Call{At: time.Now(), Method: req.Method, Path: req.URL.Path, Header: req.Header}
		c.mu.Lock()
		c.list = append(c.list, call)
		c.mu.Unlock()
		c.tell()
		body, err := io.ReadAll(io.LimitReader(req.Body, maxCallBody))
		if err == nil {
			_, err = io.Copy(io.Discard, req.Body)
		}
		c.mu.Lock()
		call.Body, call.Trailer, call.Complete = body, req.Trailer, err == nil
		c.mu.Unlock()
		c.tell()
		if err != nil {
			return
		}
	}
}

// stream is a pipe that knows when its reader has taken everything and wants
// more.
type stream struct {
	mu      sync.Mutex
	changed *sync.Cond
	buf     []byte
	wants   bool // the reader waits
	closed  bool // nothing more comes
	ended   bool // nobody reads any more
}

func newStream() *stream {
	s := &stream{}
	s.changed = sync.NewCond(&s.mu)
	return s
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.buf) == 0 {
		if s.closed {
			return 0, io.EOF
		}
		s.wants = true
		s.changed.Broadcast()
		s.changed.Wait()
	}
	n := copy(p, s.buf)
	s.buf = s.buf[n:]
	return n, nil
}

func (s *stream) write(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.buf, s.wants = append(s.buf, p...), false
	s.changed.Broadcast()
}

// close says that nothing more comes, end that nobody reads any more.
func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.changed.Broadcast()
}

func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.buf = true, nil
	s.changed.Broadcast()
}

// settle waits until the reader has taken what has come.
func (s *stream) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.ended && !s.wants {
		s.changed.Wait()
	}
}

// tapped is a listener whose connections are read along.
type tapped struct {
	net.Listener
	calls *calls
}

// Accept implements net.Listener.
func (l *tapped) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tappedConn{conn, l.calls.follow()}, nil
}

type tappedConn struct {
	net.Conn
	copy *stream
}

func (c *tappedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.copy.write(p[:n])
	}
	var timeout net.Error
	if err != nil && !(errors.As(err, &timeout) && timeout.Timeout()) {
		c.copy.close()
	}
	return n, err
}

func (c *tappedConn) Close() error {
	c.copy.close()
	return c.Conn.Close()
}
