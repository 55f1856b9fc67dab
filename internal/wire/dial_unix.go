//go:build unix

package wire

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"sync"
	"syscall"
)

// DialBlocking connects with a socket whose calls block in the kernel. A
// client that does nothing else while it waits is woken by the kernel alone:
// package net would have the scheduler look for other work, and a poller wake
// it, at several times the cost. It takes a thread for as long as it waits.
// Where address is not an IP address, it is Dial.
func DialBlocking(address string) (io.ReadWriteCloser, error) {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return Dial(address)
	}
	family, target := syscall.AF_INET, syscall.Sockaddr(nil)
	switch ip := addr.Addr().Unmap(); {
	case ip.Is4():
		target = &syscall.SockaddrInet4{Port: int(addr.Port()), Addr: ip.As4()}
	case ip.Zone() == "":
		family, target = syscall.AF_INET6, &syscall.SockaddrInet6{Port: int(addr.Port()), Addr: ip.As16()}
	default:
		return Dial(address) // it knows the numbers of interfaces
	}
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	s := &socket{fd: fd}
	// As package net does: a request in two writes must not wait for an ACK.
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		return nil, errors.Join(os.NewSyscallError("setsockopt", err), s.Close())
	}
	if err := s.connect(target); err != nil {
		return nil, errors.Join(os.NewSyscallError("connect", err), s.Close())
	}
	return s, nil
}

// socket is a connection whose calls block.
type socket struct {
	fd int

	mu     sync.Mutex // guards closed: interrupt must not meet somebody else's fd
	closed bool
}

// connect tries again where a signal came in between, unless the kernel went
// on by itself meanwhile.
func (s *socket) connect(target syscall.Sockaddr) error {
	err := syscall.Connect(s.fd, target)
	for err == syscall.EINTR || err == syscall.EALREADY {
		err = syscall.Connect(s.fd, target)
	}
	if err == syscall.EISCONN {
		return nil
	}
	return err
}

func (s *socket) Read(p []byte) (int, error) {
	for {
		n, err := syscall.Read(s.fd, p)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

func (s *socket) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := syscall.Write(s.fd, p[done:])
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return done, os.NewSyscallError("write", err)
		default:
			done += n
		}
	}
	return done, nil
}

// interrupt ends both directions: a read that waits returns io.EOF.
func (s *socket) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		_ = syscall.Shutdown(s.fd, syscall.SHUT_RDWR) // the peer may have been faster
	}
}

func (s *socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return os.ErrClosed
	}
	s.closed = true
	return os.NewSyscallError("close", syscall.Close(s.fd))
}
