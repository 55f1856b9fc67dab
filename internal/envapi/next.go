package envapi

import (
	"errors"
	"net/http"
)

// maxIgnoredBody bounds a body where none is expected.
const maxIgnoredBody = 64 << 10

// maxPipelined bounds what is buffered while the connection waits.
const maxPipelined = largeBuffer

var errPipelined = errors.New("envapi: too much sent while waiting in next")

// next hands the connection to the handler and then watches it: the answer is
// written by whoever has the event.
func (c *conn) next([]byte) bool { return c.wait(c.s.cfg.Handler.Next) }

// wait gives the connection to whoever has the answer, by way of take.
func (c *conn) wait(take func(w *Waiter) *Error) bool {
	if !c.body.done { // the answer may be long in coming: read it first
		if !c.drain(maxIgnoredBody) {
			c.body.broken = true
			return c.answer(http.StatusRequestEntityTooLarge, "", "", nil)
		}
	}
	c.clearReadDeadline()
	w := &Waiter{c: c, http10: c.req.http10, keepAlive: c.req.keepAlive, pipelined: c.r < c.w}
	if e := take(w); e != nil {
		return w.refused() && c.answerError(e)
	}
	for {
		err := c.fill()
		if err == nil && c.w-c.r > maxPipelined {
			err = errPipelined
		}
		over, alive := w.arrived(err)
		if !over {
			continue
		}
		c.id = w.id
		if alive && !w.keepAlive {
			c.linger()
			return false
		}
		return alive
	}
}
