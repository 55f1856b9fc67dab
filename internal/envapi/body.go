package envapi

import (
	"bytes"
	"errors"
	"io"
	"time"
)

// Bounds of chunked framing: what a client may send besides the data.
const (
	maxChunkLine    = 1 << 10
	maxChunkExtra   = 16 << 10  // extensions of a whole body
	maxTrailerBytes = 256 << 10 // an error body with its stack, base64
	maxTrailers     = maxHeaders
)

const (
	errorTypeHeader = "lambda-runtime-function-error-type"
	errorBodyHeader = "lambda-runtime-function-error-body"
)

// errBadChunk is a body whose framing cannot be followed.
var errBadChunk = errors.New("envapi: malformed chunked body")

type chunkState uint8

const (
	chunkSize chunkState = iota // at the start of a size line
	chunkData                   // left bytes of the chunk to come
	chunkEnd                    // at the CRLF behind the data
	chunkTrailer
)

// body is how far the current request's body has been read.
type body struct {
	chunked bool
	done    bool
	broken  bool // cut or malformed: the connection cannot go on
	// continued: 100 Continue was sent or is not wanted any more.
	continued bool
	state     chunkState
	left      int64 // of the declared length, or of the chunk
	extra     int   // bytes of extensions so far
	timeout   time.Duration
	trailer   Trailer
}

func (b *body) reset(q *request) {
	*b = body{chunked: q.chunked}
	if !q.chunked {
		b.left = q.contentLength
		b.done = b.left == 0
	}
}

// readBody returns the next bytes of the body as soon as there are any,
// io.EOF after the last. They are valid until the next call.
func (c *conn) readBody() ([]byte, error) {
	b := &c.body
	if b.done {
		return nil, io.EOF
	}
	if !b.chunked {
		p, err := c.take()
		b.done = b.left == 0
		return p, err
	}
	for {
		switch b.state {
		case chunkSize:
			if err := c.readChunkSize(); err != nil {
				return nil, err
			}
		case chunkData:
			p, err := c.take()
			if b.left == 0 {
				b.state = chunkEnd
			}
			return p, err
		case chunkEnd:
			line, err := c.readLine(2)
			if err != nil {
				return nil, err
			}
			if len(line) != 0 {
				return nil, errBadChunk
			}
			b.state = chunkSize
		case chunkTrailer:
			if err := c.readTrailer(); err != nil {
				return nil, err
			}
			b.done = true
			return nil, io.EOF
		}
	}
}

// take returns what is there of the next left bytes, reading if that is
// nothing.
func (c *conn) take() ([]byte, error) {
	if c.r == c.w {
		if c.body.left > smallBuffer && len(c.in.b) < largeBuffer {
			c.resize(largeBuffer)
		}
		if err := c.fillBody(); err != nil {
			return nil, err
		}
	}
	n := int(min(int64(c.w-c.r), c.body.left))
	p := c.in.b[c.r : c.r+n]
	c.r += n
	c.body.left -= int64(n)
	return p, nil
}

// readBodyInto reads from the connection, past its buffer, which is empty, what
// there is of a body of known length.
func (c *conn) readBodyInto(p []byte) (int, error) {
	if err := c.expectBody(); err != nil {
		return 0, err
	}
	b := &c.body
	n, err := c.read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	b.done = b.left == 0
	return n, bodyError(err)
}

// fillBody is fill within a body.
func (c *conn) fillBody() error {
	if err := c.expectBody(); err != nil {
		return err
	}
	return bodyError(c.fill())
}

// expectBody comes before a read within a body: the client is told to go on if
// it asked, and pauses are bounded.
func (c *conn) expectBody() error {
	if c.req.expectContinue && !c.body.continued {
		c.body.continued = true
		if err := c.write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
			return err
		}
	}
	if c.body.timeout > 0 {
		c.extendReadDeadline(c.body.timeout)
	}
	return nil
}

// bodyError is the error of a read within a body, where an end is unexpected.
func bodyError(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readLine returns the next line without its CRLF; limit bounds it with them.
func (c *conn) readLine(limit int) ([]byte, error) {
	for scanned := 0; ; {
		have := c.in.b[c.r:c.w]
		if i := bytes.IndexByte(have[scanned:], '\n'); i >= 0 {
			i += scanned
			if i == 0 || have[i-1] != '\r' || i >= limit {
				return nil, errBadChunk
			}
			c.r += i + 1
			return have[:i-1], nil
		}
		if scanned = len(have); scanned >= limit {
			return nil, errBadChunk
		}
		if err := c.fillBody(); err != nil {
			return nil, err
		}
	}
}

// readChunkSize reads "hex [;extension]" and sets the next state.
func (c *conn) readChunkSize() error {
	line, err := c.readLine(maxChunkLine)
	if err != nil {
		return err
	}
	var n int64
	i := 0
	for ; i < len(line) && hexValue(line[i]) >= 0; i++ {
		if i == 15 {
			return errBadChunk
		}
		n = n<<4 | int64(hexValue(line[i]))
	}
	ext := line[i:]
	c.body.extra += len(ext)
	if i == 0 || len(ext) > 0 && ext[0] != ';' || c.body.extra > maxChunkExtra {
		return errBadChunk
	}
	for _, e := range ext {
		if !isValueByte(e) {
			return errBadChunk
		}
	}
	c.body.left, c.body.state = n, chunkData
	if n == 0 {
		c.body.state = chunkTrailer
	}
	return nil
}

// readTrailer reads what follows the last chunk and keeps the two trailers
// that mean something.
func (c *conn) readTrailer() error {
	total := 0
	for n := 0; n <= maxTrailers; n++ {
		line, err := c.readLine(maxTrailerBytes)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			return nil
		}
		if total += len(line); total > maxTrailerBytes {
			return errBadChunk
		}
		name, value, ok := splitHeader(line)
		if !ok {
			return errBadChunk
		}
		switch {
		case equalFold(name, errorTypeHeader) && c.body.trailer.ErrorType == "":
			c.body.trailer.ErrorType = string(value)
		case equalFold(name, errorBodyHeader) && c.body.trailer.ErrorBody == "":
			c.body.trailer.ErrorBody = string(value)
		}
	}
	return errBadChunk
}
