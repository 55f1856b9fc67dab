package wire

import (
	"errors"
	"io"
	"strconv"
	"sync"
	"time"
)

// A Dialer opens a connection to address, which is host:port.
type Dialer func(address string) (io.ReadWriteCloser, error)

// ErrStopped is the answer to requests after Stop.
var ErrStopped = errors.New("the client has been stopped")

// dialPauses are the pauses between attempts to connect: the API may come up
// at the same time as its client.
var dialPauses = []time.Duration{2 * time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond}

// smallBody is the length up to which a body leaves in the same write as its
// head: copying it costs less than a second system call.
const smallBody = 32 << 10

// Conn is the client's side of one connection. The connection is opened by the
// first request and again when it was lost. Only Stop may be called while
// another method runs.
type Conn struct {
	// Address is host:port of the API.
	Address string
	// Dial opens the connection; nil means Dial.
	Dial Dialer
	// UserAgent is sent with every request, if it is not empty.
	UserAgent string

	rw   io.ReadWriteCloser
	used bool   // rw has carried an exchange, so the server may have closed it
	out  []byte // the head of the request, and a small body

	mu      sync.Mutex // guards what follows
	waiting io.Closer  // what Stop closes: the connection of a call that may wait for ever
	stopped bool
}

// Start begins a request's head. path has no spaces or control characters:
// it comes from constants and from ids of the API's own.
func (c *Conn) Start(method string, path []byte) {
	b := append(append(append(c.out[:0], method...), ' '), path...)
	b = append(append(append(b, " HTTP/1.1\r\nHost: "...), c.Address...), "\r\n"...)
	c.out = b
	if c.UserAgent != "" {
		c.Header("User-Agent", c.UserAgent)
	}
}

// Header adds a field to the request that was begun. Bytes that would end the
// field are left out.
func (c *Conn) Header(name, value string) {
	b := append(append(c.out, name...), ": "...)
	for i := range len(value) {
		if ch := value[i]; ch >= ' ' && ch != 0x7f || ch == '\t' {
			b = append(b, ch)
		}
	}
	c.out = append(b, "\r\n"...)
}

// Get sends the request that was begun, without a body, and reads its answer
// into res. It may wait for ever; Stop ends it.
func (c *Conn) Get(res *Response) error {
	c.out = append(c.out, "\r\n"...)
	return c.roundTrip(nil, res, true)
}

// Post sends the request that was begun with a body, and reads its answer.
func (c *Conn) Post(body []byte, res *Response) error {
	c.out = append(c.out, "Content-Length: "...)
	c.out = append(strconv.AppendInt(c.out, int64(len(body)), 10), "\r\n\r\n"...)
	return c.roundTrip(body, res, false)
}

// roundTrip sends and receives once, and once more if the connection had been
// used before and ended before the answer began: the server has closed it
// while it was idle, or the environment was frozen or restored in between.
// res.Repeated tells that the request may have been received twice.
func (c *Conn) roundTrip(body []byte, res *Response, mayWait bool) error {
	repeated := false
	for {
		reused, err := c.connect(mayWait)
		if err != nil {
			return err
		}
		res.reset()
		res.Repeated = repeated
		err = c.exchange(body, res)
		c.finish(err, res)
		if err == nil {
			return nil
		}
		if c.isStopped() && mayWait {
			return ErrStopped
		}
		if !reused || res.begun() || repeated {
			return err
		}
		repeated = true
	}
}

// exchange is one attempt.
func (c *Conn) exchange(body []byte, res *Response) error {
	err := c.send(body)
	// A server that refuses a body early answers and then closes: the answer
	// says more than the failed write.
	if readErr := res.read(c.rw); readErr != nil {
		return errors.Join(err, readErr)
	}
	res.Close = res.Close || err != nil
	return nil
}

// send writes head and body.
func (c *Conn) send(body []byte) error {
	if len(body) <= smallBody {
		head := len(c.out)
		c.out = append(c.out, body...)
		_, err := c.rw.Write(c.out)
		c.out = c.out[:head]
		return err
	}
	if _, err := c.rw.Write(c.out); err != nil {
		return err
	}
	_, err := c.rw.Write(body)
	return err
}

// connect makes sure that there is a connection, and tells whether it has been
// used before.
func (c *Conn) connect(mayWait bool) (reused bool, err error) {
	if mayWait && c.isStopped() {
		return false, ErrStopped
	}
	if c.rw == nil {
		if c.rw, err = c.dial(); err != nil {
			return false, err
		}
		c.used = false
	}
	if mayWait && !c.mayWait(c.rw) {
		return false, ErrStopped
	}
	return c.used, nil
}

// dial connects, with a few attempts.
func (c *Conn) dial() (io.ReadWriteCloser, error) {
	dial := c.Dial
	if dial == nil {
		dial = Dial
	}
	for attempt := 0; ; attempt++ {
		rw, err := dial(c.Address)
		if err == nil || attempt == len(dialPauses) || c.isStopped() {
			return rw, err
		}
		time.Sleep(dialPauses[attempt])
	}
}

// finish closes the connection where it cannot carry another request.
func (c *Conn) finish(err error, res *Response) {
	c.mayWait(nil)
	c.used = true
	if err != nil || res.Close {
		_ = c.Close() // its end is what is wanted
	}
}

// mayWait says which connection Stop is to close, or that none is any more. It
// is false after Stop.
func (c *Conn) mayWait(rw io.Closer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = rw
	return !c.stopped
}

// Stop ends a Get that waits and refuses all later ones with ErrStopped; a
// Post goes through.
func (c *Conn) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if c.waiting != nil {
		interrupt(c.waiting)
	}
}

func (c *Conn) isStopped() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopped
}

// Close closes the connection; the next request opens another.
func (c *Conn) Close() error {
	if c.rw == nil {
		return nil
	}
	err := c.rw.Close()
	c.rw = nil
	return err
}
