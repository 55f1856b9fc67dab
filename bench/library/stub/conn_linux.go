package main

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

const (
	next = "GET /2018-06-01/runtime/invocation/next "
	post = "POST /2018-06-01/runtime/invocation/"
	// firstID and firstTrace are what is written over by every event.
	firstID    = "8476a536-e9f4-11e8-9739-000000000000"
	firstTrace = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=0000000000000000;Sampled=1"
)

var accepted = []byte("HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n")

// conn is a function's connection.
type conn struct {
	fd   int
	asks bool // for an event

	event  []byte
	answer []byte // to a request for an event
	id     []byte // in there: the request id
	trace  []byte // in there: what names the segment
	path   []byte // what the event's answer begins with
	serial uint64 // of the event
	due    bool   // the event has no answer yet

	buf     []byte // the request that is being read
	have    int    // bytes in it
	at      int    // where its body, or the next chunk of it, begins; 0 before the end of its head
	chunked bool
	same    int // bytes of the chunks before, which are the event's
}

// newConn is the connection of a number, which is in its request ids.
func newConn(number, fd int, event []byte) *conn {
	c := &conn{fd: fd, event: event, buf: make([]byte, 64<<10), path: []byte(post + firstID + "/response ")}
	c.answer = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: %s\r\nLambda-Runtime-Deadline-Ms: %d\r\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:bench\r\nLambda-Runtime-Trace-Id: %s\r\nContent-Length: %d\r\n\r\n%s", firstID, time.Now().Add(time.Hour).UnixMilli(), firstTrace, len(event), event)
	c.id = c.answer[bytes.Index(c.answer, []byte(firstID)):][:len(firstID)]
	count(c.id[:8], uint64(number))
	c.trace = c.answer[bytes.Index(c.answer, []byte("Parent="))+len("Parent="):][:16]
	return c
}

// give answers with the event, under another id and with another trace: what
// functions do about these is part of the measure.
func (c *conn) give() error {
	c.serial++
	count(c.trace, c.serial)
	count(c.id[len(c.id)-12:], c.serial)
	copy(c.path[len(post):], c.id)
	c.asks, c.due = false, true
	return send(c.fd, c.answer)
}

// count writes n in hexadecimal digits.
func count(digits []byte, n uint64) {
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = "0123456789abcdef"[n&15]
		n >>= 4
	}
}

// step reads what has come, and does what it says if that is a whole request.
func (c *conn) step() error {
	if c.have == len(c.buf) {
		c.buf = append(c.buf, make([]byte, len(c.buf))...)
	}
	n, err := receive(c.fd, c.buf[c.have:])
	if err != nil {
		return err
	}
	c.have += n
	if c.at == 0 {
		if err := c.head(); err != nil || c.at == 0 {
			return err
		}
	}
	whole, err := c.body()
	if err != nil || !whole {
		return err
	}
	c.have, c.at, c.due = 0, 0, false
	return send(c.fd, accepted)
}

// head looks at the head of a request, if it is there.
func (c *conn) head() error {
	request := c.buf[:c.have]
	head := bytes.Index(request, []byte("\r\n\r\n")) + 4
	switch {
	case head < 4:
	case c.due && bytes.HasPrefix(request, c.path):
		c.at, c.same = head, 0
		c.chunked = bytes.Contains(request[:head], []byte("\r\nTransfer-Encoding: chunked\r\n"))
	case !c.due && !c.asks && head == c.have && bytes.HasPrefix(request, []byte(next)):
		c.asks, c.have = true, 0
	default:
		return fmt.Errorf("a function asks %.200q", request)
	}
	return nil
}

// body tells whether the whole body of an answer is there, and is the event.
func (c *conn) body() (whole bool, err error) {
	body := c.buf[c.at:c.have]
	if c.chunked {
		return c.chunks()
	}
	if len(body) >= len(c.event) && !bytes.Equal(body, c.event) {
		return false, fmt.Errorf("a function answers %.200q", body)
	}
	return len(body) == len(c.event), nil
}

// chunks is body for one that comes in chunks.
func (c *conn) chunks() (whole bool, err error) {
	for {
		line, after, found := bytes.Cut(c.buf[c.at:c.have], []byte("\r\n"))
		if !found {
			return false, nil
		}
		size, err := strconv.ParseUint(string(line), 16, 31)
		rest := c.event[c.same:]
		switch {
		case err != nil:
			return false, fmt.Errorf("a function sends the chunk %.200q", line)
		case size == 0 && len(rest) > 0 || int(size) > len(rest):
			return false, fmt.Errorf("a function answers with a chunk of %d bytes, where %d are missing", size, len(rest))
		case size == 0:
			// The trailer ends with an empty line.
			return bytes.HasPrefix(after, []byte("\r\n")) || bytes.HasSuffix(after, []byte("\r\n\r\n")), nil
		case len(after) < int(size)+2:
			return false, nil
		case !bytes.HasPrefix(rest, after[:size]):
			return false, fmt.Errorf("a function answers %.200q", after[:size])
		}
		c.same += int(size)
		c.at += len(line) + int(size) + 4
	}
}
