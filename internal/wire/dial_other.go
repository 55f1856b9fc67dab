//go:build !unix

package wire

import "io"

// DialBlocking is Dial where there are no sockets of Unix.
func DialBlocking(address string) (io.ReadWriteCloser, error) { return Dial(address) }
