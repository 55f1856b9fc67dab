package telemetry

import (
	"context"
	"errors"
	"net"
	"strconv"
	"time"
)

// connector holds at most one connection to a port of the environment.
type connector struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	port int
	conn net.Conn // nil when there is none
}

func (c *connector) connect(ctx context.Context) error {
	conn, err := c.dial(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)))
	if err != nil {
		return err
	}
	if conn == nil {
		return errors.New("dial returned no connection")
	}
	c.conn = conn
	return nil
}

// abortOn makes reads and writes fail when ctx ends, until the returned
// function is called. Deadlines would follow the machine's clock, not ours.
func (c *connector) abortOn(ctx context.Context) (stop func() bool) {
	conn := c.conn
	return context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
}

// close drops the connection, if there is one. What an error there would mean
// is the subscriber's business.
func (c *connector) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}
