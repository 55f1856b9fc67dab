package envapi

import (
	"errors"
	"io"
)

// invocationError gathers the body and hands it to the handler.
func (c *conn) invocationError(id []byte) bool {
	name, h := c.idString(id), c.header()
	return c.gather(func(body []byte) *Error {
		return c.s.cfg.Handler.InvocationError(name, h, body)
	})
}

// initError likewise.
func (c *conn) initError([]byte) bool {
	h := c.header()
	return c.gather(func(body []byte) *Error {
		return c.s.cfg.Handler.InitError(h, body)
	})
}

// gather is gatherUpTo the largest error.
func (c *conn) gather(take func(body []byte) *Error) bool {
	return c.gatherUpTo(c.s.cfg.MaxError, take)
}

// gatherUpTo reads a whole body of at most limit bytes and answers with what
// take says of it.
func (c *conn) gatherUpTo(limit int, take func(body []byte) *Error) bool {
	if c.req.contentLength > int64(limit) {
		return c.answerError(ErrPayloadTooLarge) // whatever the limit is, as on AWS
	}
	// The buffer grows with what has arrived, not with what was announced.
	pool := c.s.cfg.Buffers
	buf := pool.get(smallBuffer)
	defer func() { pool.put(buf) }()
	n := 0
	for {
		p, err := c.readBody()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return c.truncated(err)
		}
		if n+len(p) > limit {
			return c.answerError(ErrPayloadTooLarge)
		}
		if n+len(p) > len(buf.b) {
			bigger := pool.get(min(max(2*len(buf.b), n+len(p), largeBuffer), max(limit, len(buf.b))))
			copy(bigger.b, buf.b[:n])
			pool.put(buf)
			buf = bigger
		}
		n += copy(buf.b[n:], p)
	}
	if e := take(buf.b[:n]); e != nil {
		return c.answerError(e)
	}
	return c.succeed()
}
