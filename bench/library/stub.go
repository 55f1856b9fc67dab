// Package library is the Runtime API that the benchmarks' library rows run
// functions on: nothing but the same event, again and again, as fast as one
// goroutine can, and without allocating anything per event. Its folders ours and
// theirs are the functions.
package library

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Stub is a Runtime API for one function at a time.
type Stub struct {
	listener *net.TCPListener
}

// NewStub listens on the loopback.
func NewStub() (*Stub, error) {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	return &Stub{l}, err
}

// Address is what goes into AWS_LAMBDA_RUNTIME_API.
func (s *Stub) Address() string { return s.listener.Addr().String() }

// Close ends the stub.
func (s *Stub) Close() error { return s.listener.Close() }

// Accept waits for a function's connection.
func (s *Stub) Accept(patience time.Duration) (*Conn, error) {
	if err := s.listener.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	tcp, err := s.listener.AcceptTCP()
	if err != nil {
		return nil, err
	}
	defer tcp.Close()
	// A descriptor of its own whose calls block in the kernel: the poller of
	// package net would cost more than the functions that are measured.
	file, err := tcp.File()
	if err != nil {
		return nil, err
	}
	if err := syscall.SetNonblock(int(file.Fd()), false); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Conn{file: file, buf: make([]byte, 64<<10)}, nil
}

// Conn is a function's connection.
type Conn struct {
	file *os.File
	buf  []byte
	have int // bytes in buf
}

// Close hangs up.
func (c *Conn) Close() error { return c.file.Close() }

var accepted = []byte("HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n")

// Next waits until the function asks for an event.
func (c *Conn) Next() error {
	return c.request("GET /2018-06-01/runtime/invocation/next ", nil)
}

// Serve gives the function the same event n times, takes its answers, which
// have to be the event, and returns when it asks for one more. It has asked for
// the first before.
func (c *Conn) Serve(event []byte, n int) error {
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\nLambda-Runtime-Deadline-Ms: %d\r\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:bench\r\nLambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\r\nContent-Length: %d\r\n\r\n", time.Now().Add(time.Hour).UnixMilli(), len(event))
	answer = append(answer, event...)
	// Every trace is another: what functions do about that is part of it.
	trace := answer[bytes.Index(answer, []byte("Parent="))+len("Parent="):][:16]
	for i := range n {
		for digit := range trace {
			trace[digit] = "0123456789abcdef"[i>>(4*(len(trace)-1-digit))&15]
		}
		if _, err := c.file.Write(answer); err != nil {
			return err
		}
		if err := c.request("POST /2018-06-01/runtime/invocation/8476a536-e9f4-11e8-9739-2dfe598c3fcd/response ", event); err != nil {
			return err
		}
		if _, err := c.file.Write(accepted); err != nil {
			return err
		}
		if err := c.Next(); err != nil {
			return err
		}
	}
	return nil
}

// request reads one request, of which it knows the beginning and the body.
func (c *Conn) request(begin string, body []byte) error {
	c.have = 0
	head, err := c.until([]byte("\r\n\r\n"), 0)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(c.buf, []byte(begin)) {
		return fmt.Errorf("the function asks %.200q", c.buf[:head])
	}
	if body == nil {
		return nil
	}
	if bytes.Contains(c.buf[:head], []byte("\r\nTransfer-Encoding: chunked\r\n")) {
		return c.chunked(head, body)
	}
	if err := c.fill(head + len(body)); err != nil {
		return err
	}
	if !bytes.Equal(c.buf[head:c.have], body) {
		return fmt.Errorf("the function answers %.200q", c.buf[head:c.have])
	}
	return nil
}

// chunked reads a body in chunks and its trailer.
func (c *Conn) chunked(at int, body []byte) error {
	for {
		end, err := c.until([]byte("\r\n"), at)
		if err != nil {
			return err
		}
		size, err := strconv.ParseUint(string(c.buf[at:end-2]), 16, 32)
		if err != nil {
			return err
		}
		if size == 0 {
			for c.buf[at] != '\r' { // the trailer ends with an empty line
				if at, err = c.until([]byte("\r\n"), at); err != nil {
					return err
				}
				if err := c.fill(at + 2); err != nil {
					return err
				}
			}
			if len(body) > 0 {
				return fmt.Errorf("%d bytes are missing", len(body))
			}
			return nil
		}
		if err := c.fill(end + int(size) + 2); err != nil {
			return err
		}
		if int(size) > len(body) || !bytes.Equal(c.buf[end:end+int(size)], body[:size]) {
			return fmt.Errorf("the function answers %.200q", c.buf[end:end+int(size)])
		}
		body, at = body[size:], end+int(size)+2
	}
}

// until reads up to and including a mark and returns where it ends.
func (c *Conn) until(mark []byte, from int) (int, error) {
	for {
		if i := bytes.Index(c.buf[from:c.have], mark); i >= 0 {
			return from + i + len(mark), nil
		}
		if err := c.fill(c.have + 1); err != nil {
			return 0, err
		}
	}
}

// fill reads until there are n bytes.
func (c *Conn) fill(n int) error {
	if n > len(c.buf) {
		c.buf = append(c.buf, make([]byte, 2*n-len(c.buf))...)
	}
	for c.have < n {
		got, err := c.file.Read(c.buf[c.have:])
		if err != nil {
			return err
		}
		c.have += got
	}
	return nil
}
