package wire

import (
	"io"
	"net"
)

// Dial connects by package net: waiting costs no thread, and address may be a
// name. Clients that wait in numbers use it.
func Dial(address string) (io.ReadWriteCloser, error) { return net.Dial("tcp", address) }

// interrupt ends a read that waits in another goroutine, without making the
// connection's descriptor free for others.
func interrupt(c io.Closer) {
	switch c := c.(type) {
	case interface{ interrupt() }:
		c.interrupt()
	default:
		_ = c.Close() // a connection of package net, or of a test
	}
}
