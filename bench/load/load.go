// Package load is the client that benchmarks put load on with: HTTP/1.1 over
// keep-alive connections, written by hand, so that what is measured is the
// server. Each connection has one request in flight; every answer is compared
// byte by byte; the first that differs ends the load with an error.
package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	// maxHead bounds an answer's status line and headers, maxBody its body,
	// in bytes.
	maxHead = 64 << 10
	maxBody = 16 << 20
	// patience is how long a whole load may take.
	patience = 2 * time.Minute
)

// Request is what is sent: everything, from the request line to the last byte
// of the body.
type Request struct {
	Bytes []byte
	// Want is the body of the answer; nil accepts any.
	Want []byte
}

// Get makes a Request without a body, to which any answer will do.
func Get(host, path string) Request {
	return Request{Bytes: []byte("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")}
}

// Post makes a Request. The header lines end in "\r\n" each; Host and
// Content-Length are added.
func Post(host, path, header string, body, want []byte) Request {
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: %d\r\n\r\n", path, host, header, len(body))
	return Request{Bytes: append([]byte(head), body...), Want: want}
}

// Client is a number of connections to one server. One goroutine uses it.
type Client struct {
	conns []*conn
}

type conn struct {
	net.Conn
	in   *bufio.Reader
	body []byte
}

// Dial opens n connections.
func Dial(ctx context.Context, address string, n int) (*Client, error) {
	c := &Client{}
	for range n {
		nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		c.conns = append(c.conns, &conn{Conn: nc, in: bufio.NewReaderSize(nc, maxHead)})
	}
	return c, nil
}

// Close closes the connections.
func (c *Client) Close() error {
	var errs []error
	for _, conn := range c.conns {
		if err := conn.Close(); !errors.Is(err, net.ErrClosed) { // a load that ended early
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Result is what a load took.
type Result struct {
	// Latencies are those of all requests, sorted.
	Latencies []time.Duration
	// Elapsed is the time from the first request to the last answer.
	Elapsed time.Duration
}

// Quantile is the latency that the part q of all requests, between 0 and 1,
// did not exceed.
func (r Result) Quantile(q float64) time.Duration {
	return r.Latencies[min(int(q*float64(len(r.Latencies))), len(r.Latencies)-1)]
}

// PerSecond is the number of requests answered per second.
func (r Result) PerSecond() float64 {
	return float64(len(r.Latencies)) / r.Elapsed.Seconds()
}

// Run sends a request n times in all, on all connections at once, and again
// on each as soon as it has the answer. Cancelling ctx ends it with an error.
func (c *Client) Run(ctx context.Context, r Request, n int) (Result, error) {
	requests := make([]Request, len(c.conns))
	for i := range requests {
		requests[i] = r
	}
	return c.run(ctx, requests, max(1, n/len(c.conns)))
}

// Greet sends one request on each connection in turn.
func (c *Client) Greet(r Request) error {
	for _, conn := range c.conns {
		if err := conn.do(r); err != nil {
			return err
		}
	}
	return nil
}

// Each sends one request on each connection, all at once.
func (c *Client) Each(ctx context.Context, requests []Request) (Result, error) {
	if len(requests) != len(c.conns) {
		return Result{}, fmt.Errorf("%d requests for %d connections", len(requests), len(c.conns))
	}
	return c.run(ctx, requests, 1)
}

func (c *Client) run(ctx context.Context, requests []Request, each int) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// A load that has to end early ends by its connections.
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()

	latencies := make([][]time.Duration, len(c.conns))
	errs := make([]error, len(c.conns))
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i, conn := range c.conns {
		latencies[i] = make([]time.Duration, 0, each)
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			for range each {
				began := time.Now()
				if errs[i] = conn.do(requests[i]); errs[i] != nil {
					cancel()
					return
				}
				latencies[i] = append(latencies[i], time.Since(began))
			}
		})
	}
	ready.Wait()
	began := time.Now()
	close(start)
	done.Wait()
	r := Result{Elapsed: time.Since(began)}
	for _, err := range errs {
		// When one connection fails, the others are closed under the load.
		if err != nil && !errors.Is(err, net.ErrClosed) {
			return Result{}, err
		}
	}
	if err := ctx.Err(); err != nil {
		return Result{}, fmt.Errorf("load given up: %w", err)
	}
	r.Latencies = slices.Concat(latencies...)
	slices.Sort(r.Latencies)
	return r, nil
}

// Ask sends one request and returns the answer's body.
func (c *Client) Ask(r Request) ([]byte, error) {
	if err := c.conns[0].do(r); err != nil {
		return nil, err
	}
	return slices.Clone(c.conns[0].body), nil
}

// do sends one request and reads the answer into c.body.
func (c *conn) do(r Request) error {
	if _, err := c.Write(r.Bytes); err != nil {
		return fmt.Errorf("send a request: %w", err)
	}
	h, err := readHead(c.in)
	if err != nil {
		return fmt.Errorf("read an answer: %w", err)
	}
	c.body = slices.Grow(c.body[:0], h.length)[:h.length]
	if _, err := io.ReadFull(c.in, c.body); err != nil {
		return fmt.Errorf("read an answer's body: %w", err)
	}
	switch {
	case h.status != 200:
		return fmt.Errorf("answered %d: %.300s", h.status, c.body)
	case h.functionError:
		return fmt.Errorf("the function failed: %.300s", c.body)
	case r.Want != nil && !bytes.Equal(c.body, r.Want):
		return fmt.Errorf("answered %.100q (%d bytes), want %.100q (%d bytes)", c.body, len(c.body), r.Want, len(r.Want))
	}
	return nil
}

// head is what matters of an answer's head.
type head struct {
	status, length int
	functionError  bool
}

// readHead reads up to the body. It wants a Content-Length: servers know the
// size of what they were asked to echo.
func readHead(in *bufio.Reader) (head, error) {
	h := head{length: -1}
	line, err := readLine(in)
	if err != nil {
		return h, err
	}
	if len(line) < 12 || string(line[:9]) != "HTTP/1.1 " {
		return h, fmt.Errorf("status line %.100q", line)
	}
	if h.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return h, fmt.Errorf("status line %.100q", line)
	}
	for {
		line, err := readLine(in)
		if err != nil {
			return h, err
		}
		if len(line) == 0 {
			break
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return h, fmt.Errorf("header line %.100q", line)
		}
		switch {
		case is(name, "content-length"):
			h.length, err = strconv.Atoi(string(bytes.TrimSpace(value)))
			if err != nil || h.length < 0 || h.length > maxBody {
				return h, fmt.Errorf("header line %.100q", line)
			}
		case is(name, "x-amz-function-error"):
			h.functionError = true
		}
	}
	if h.length < 0 {
		return h, fmt.Errorf("status %d without a Content-Length", h.status)
	}
	return h, nil
}

// is compares a header's name without regard to case.
func is(name []byte, lower string) bool {
	return len(name) == len(lower) && bytes.EqualFold(name, []byte(lower))
}

// readLine returns a line without its end.
func readLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if errors.Is(err, io.EOF) && len(line) > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}
