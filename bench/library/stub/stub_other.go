//go:build !linux

package main

import (
	"errors"
	"net"
)

var errLinux = errors.New("the benchmarks of the library need Linux")

// stub is not there.
type stub struct {
	listener *net.TCPListener
	event    []byte
}

func (*stub) accept(int) error { return errLinux }
func (*stub) serve(int) error  { return errLinux }
func (*stub) hangUp() error    { return nil }
