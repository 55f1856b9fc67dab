package wire

import (
	"io"
	"strconv"
)

// Stream is a request whose body is sent in chunks, while it comes into being.
// It ends with Finish or Abort.
type Stream struct {
	c   *Conn
	err error // of the first write that failed
}

// Stream begins to send the request that was begun. Nothing is sent before the
// first Write or Finish. A request that was not begun on a fresh connection may
// fail where the server has closed it; nothing is sent twice.
func (c *Conn) Stream() (Stream, error) {
	c.out = append(c.out, "Transfer-Encoding: chunked\r\n\r\n"...)
	_, err := c.connect(false)
	return Stream{c: c}, err
}

// Write sends p as one chunk, in one write if it is small. An empty p sends
// nothing.
func (s *Stream) Write(p []byte) (int, error) {
	if s.err != nil || len(p) == 0 {
		return 0, s.err
	}
	c := s.c
	c.out = append(strconv.AppendUint(c.out, uint64(len(p)), 16), "\r\n"...)
	if len(p) <= smallBody {
		c.out = append(append(c.out, p...), "\r\n"...)
		s.flush()
	} else {
		s.flush()
		if s.err == nil {
			_, s.err = c.rw.Write(p)
		}
		c.out = append(c.out, "\r\n"...)
	}
	if s.err != nil {
		return 0, s.err
	}
	return len(p), nil
}

// flush writes what has been gathered.
func (s *Stream) flush() {
	if s.err == nil {
		_, s.err = s.c.rw.Write(s.c.out)
	}
	s.c.out = s.c.out[:0]
}

// Finish ends the body and reads the answer. trailer is called, if it is not
// nil, to add trailer fields with Header.
func (s *Stream) Finish(trailer func(*Conn), res *Response) error {
	c := s.c
	c.out = append(c.out, "0\r\n"...)
	if trailer != nil {
		trailer(c)
	}
	c.out = append(c.out, "\r\n"...)
	s.flush()
	res.reset()
	err := res.read(c.rw)
	if err != nil && s.err != nil {
		err = s.err
	}
	res.Close = res.Close || s.err != nil
	c.finish(err, res)
	return err
}

// Abort closes the connection without an end of the body, which tells the
// server that it is not whole.
func (s *Stream) Abort() {
	s.c.finish(io.ErrClosedPipe, nil)
}
