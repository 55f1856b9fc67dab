package envapi

import (
	"errors"
	"io"
)

// response streams the body into the handler's sink.
func (c *conn) response(id []byte) bool {
	sink, e := c.s.cfg.Handler.Response(c.idString(id), c.header())
	if e != nil {
		return c.answerError(e)
	}
	for {
		e, err := c.feed(sink)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			sink.Abort(err)
			return c.truncated(err)
		}
		if e != nil {
			return c.answerError(e)
		}
	}
	if e := sink.Finish(c.body.trailer); e != nil {
		return c.answerError(e)
	}
	return c.accepted()
}

// feed gives the next bytes of the body to the sink. Where more are known to
// come than the connection's own buffer holds, they are read into the sink's.
func (c *conn) feed(sink Sink) (*Error, error) {
	if b := &c.body; c.r == c.w && !b.chunked && b.left > smallBuffer {
		if roomy, ok := sink.(Roomy); ok {
			if room := roomy.Room(); len(room) > 0 {
				n, err := c.readBodyInto(room)
				if err == nil {
					roomy.Filled(n)
				}
				return nil, err
			}
		}
	}
	p, err := c.readBody()
	if err != nil {
		return nil, err
	}
	return sink.Write(p), nil
}

// truncated answers a body that was cut or cannot be followed, and ends.
func (c *conn) truncated(err error) bool {
	c.s.cfg.Log.Debug("envapi: request body cut", "err", err)
	c.body.broken = true
	return c.answerError(ErrTruncated)
}

// header copies what the handler may want. The usual values are the ones of
// the connection's request before, so that nothing is allocated.
func (c *conn) header() Header {
	q := &c.req
	return Header{
		ContentType:     again(&c.contentType, q.contentType),
		ContentLength:   q.contentLength,
		ResponseMode:    string(q.mode),
		HasResponseMode: q.hasMode,
		ErrorType:       string(q.errorType),
		XRayErrorCause:  string(q.cause),
		UserAgent:       again(&c.userAgent, q.userAgent),
		RuntimeFeatures: again(&c.features, q.features),
	}
}

// idString is the request id of the path.
func (c *conn) idString(id []byte) string {
	if string(id) == c.id {
		return c.id
	}
	return decodeSegment(id)
}

// again returns b as a string, the last one if it is equal.
func again(last *string, b []byte) string {
	if string(b) != *last {
		*last = string(b)
	}
	return *last
}
