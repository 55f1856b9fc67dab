package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"testing"
	"time"
)

// dap is a client of a debugger that speaks the Debug Adapter Protocol, as
// editors do. https://microsoft.github.io/debug-adapter-protocol/specification
type dap struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	seq  int
	// events have come while something else was waited for
	events []dapMessage
}

type dapMessage struct {
	Seq        int            `json:"seq"`
	Type       string         `json:"type"` // request, response or event
	Command    string         `json:"command,omitempty"`
	Arguments  any            `json:"arguments,omitempty"`
	Event      string         `json:"event,omitempty"`
	RequestSeq int            `json:"request_seq,omitempty"`
	Success    bool           `json:"success,omitempty"`
	Message    string         `json:"message,omitempty"`
	Body       map[string]any `json:"body,omitempty"`
}

func attachDAP(t *testing.T, address string) *dap {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // the test is over
	if err := conn.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	return &dap{t: t, conn: conn, in: bufio.NewReader(conn)}
}

// send sends a request and returns its number.
func (c *dap) send(command string, arguments any) int {
	c.t.Helper()
	c.seq++
	body, err := json.Marshal(dapMessage{Seq: c.seq, Type: "request", Command: command, Arguments: arguments})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(c.conn, "Content-Length: %d\r\n\r\n%s", len(body), body); err != nil {
		c.t.Fatal(err)
	}
	return c.seq
}

func (c *dap) read() (m dapMessage) {
	c.t.Helper()
	header, err := textproto.NewReader(c.in).ReadMIMEHeader()
	if err != nil {
		c.t.Fatal(err)
	}
	n, err := strconv.Atoi(header.Get("Content-Length"))
	if err != nil {
		c.t.Fatal(err)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c.in, body); err != nil {
		c.t.Fatal(err)
	}
	if err := json.Unmarshal(body, &m); err != nil {
		c.t.Fatalf("%v: %s", err, body)
	}
	return m
}

// call sends a request and waits for its answer.
func (c *dap) call(command string, arguments any) map[string]any {
	c.t.Helper()
	n := c.send(command, arguments)
	for {
		m := c.read()
		switch {
		case m.Type == "event":
			c.events = append(c.events, m)
		case m.Type == "response" && m.RequestSeq == n:
			if !m.Success {
				c.t.Fatalf("%s: %s", command, m.Message)
			}
			return m.Body
		}
	}
}

// event waits for an event.
func (c *dap) event(name string) map[string]any {
	c.t.Helper()
	for i, m := range c.events {
		if m.Event == name {
			c.events = append(c.events[:i], c.events[i+1:]...)
			return m.Body
		}
	}
	for {
		if m := c.read(); m.Type == "event" && m.Event == name {
			return m.Body
		}
	}
}
