package gateway

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// hostileClient is a connection on which a test writes what it likes.
type hostileClient struct {
	net.Conn
	t  *testing.T
	in *bufio.Reader
}

func (d *door) hostile(t *testing.T) *hostileClient {
	t.Helper()
	c, err := net.Dial("tcp", d.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &hostileClient{c, t, bufio.NewReader(c)}
}

func (c *hostileClient) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// answer reads an answer that must come.
func (c *hostileClient) answer() answer {
	c.t.Helper()
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return read(c.t, res)
}

// ended waits until the server hangs up.
func (c *hostileClient) ended() {
	c.t.Helper()
	if _, err := io.Copy(io.Discard, c.in); err != nil && strings.Contains(err.Error(), "timeout") {
		c.t.Errorf("the connection is still there: %v", err)
	}
}

// signedInvoke is an invocation as text.
func (d *door) signedInvoke(t *testing.T, event string) string {
	signed := d.request(t, "POST", invokePath, nil).Header
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nX-Amz-Date: %s\r\nContent-Length: %d\r\n\r\n%s",
		invokePath, signed.Get("Authorization"), signed.Get("X-Amz-Date"), len(event), event)
}

// TestServerLimits: the server that NewServer makes bounds what comes before a
// request is one, and an idle connection, in time and in size.
func TestServerLimits(t *testing.T) {
	s := NewServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout != HeaderTimeout || s.IdleTimeout != IdleTimeout || s.MaxHeaderBytes != MaxHeaderBytes {
		t.Errorf("limits are %s, %s, %d", s.ReadHeaderTimeout, s.IdleTimeout, s.MaxHeaderBytes)
	}
}

// TestSlowHeaders: headers have one deadline for all of them, which a byte now
// and then does not move; other connections are served meanwhile.
func TestSlowHeaders(t *testing.T) {
	const limit = 300 * time.Millisecond
	d := open(t, nil)
	impatient := httptest.NewUnstartedServer(nil)
	impatient.Config = NewServer(d.Config.Handler, slog.New(slog.DiscardHandler))
	impatient.Config.ReadHeaderTimeout = limit
	impatient.Start()
	t.Cleanup(impatient.Close)
	d.Server = impatient
	c := d.hostile(t)
	c.send("POST " + invokePath + " HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
	hungUp := make(chan struct{})
	go func() {
		defer close(hungUp)
		for {
			if _, err := io.WriteString(c, "x"); err != nil {
				return
			}
			<-time.After(limit / 20)
		}
	}()
	good := d.hostile(t)
	good.send(d.signedInvoke(t, `"served"`))
	if a := good.answer(); a.body != `"served"` {
		t.Errorf("another connection is answered %d %s", a.status, a.body)
	}
	select {
	case <-hungUp:
	case <-time.After(20 * time.Second):
		t.Error("headers that never end are still taken")
	}
}

// TestGiantHeaders: what is over the limit is refused, and the rest not read.
func TestGiantHeaders(t *testing.T) {
	d := open(t, nil)
	for name, head := range map[string]string{
		"one header":   "X-Large: " + strings.Repeat("y", MaxHeaderBytes+8<<10) + "\r\n",
		"many headers": strings.Repeat("X-Large: "+strings.Repeat("y", 1000)+"\r\n", MaxHeaderBytes/1000),
	} {
		t.Run(name, func(t *testing.T) {
			c := d.hostile(t)
			go func() { _, _ = io.WriteString(c, "GET /_lamb/health HTTP/1.1\r\nHost: localhost\r\n"+head+"\r\n") }()
			if a := c.answer(); a.status != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("status %d", a.status)
			}
			c.ended()
		})
	}
}

// TestByteByByte: a request that comes in the smallest pieces is a request.
func TestByteByByte(t *testing.T) {
	d := open(t, nil)
	c := d.hostile(t)
	for _, b := range []byte(d.signedInvoke(t, `"in pieces"`)) {
		c.send(string(b))
	}
	if a := c.answer(); a.status != 200 || a.body != `"in pieces"` {
		t.Errorf("answer is %d %s", a.status, a.body)
	}
}

// TestHalfClosed: a client that sends its request and then says that nothing
// more will come is answered.
func TestHalfClosed(t *testing.T) {
	d := open(t, nil)
	c := d.hostile(t)
	c.send(d.signedInvoke(t, `"the end"`))
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if a := c.answer(); a.status != 200 || a.body != `"the end"` {
		t.Errorf("answer is %d %s", a.status, a.body)
	}
	c.ended()
}

// TestPipelined: requests that come before the answers to those before them
// are answered one after the other, each with its own.
func TestPipelined(t *testing.T) {
	d := open(t, nil)
	c := d.hostile(t)
	const n = 200
	var all strings.Builder
	for i := range n {
		all.WriteString(d.signedInvoke(t, fmt.Sprint(i)))
	}
	go func() { _, _ = io.WriteString(c, all.String()) }()
	for i := range n {
		if a := c.answer(); a.status != 200 || a.body != fmt.Sprint(i) {
			t.Fatalf("answer %d is %d %s", i, a.status, a.body)
		}
	}
}
