package main

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// patience is how long functions may take to their first request.
const patience = 30 * time.Second

// stub serves one event to the functions that are connected.
type stub struct {
	listener *net.TCPListener
	event    []byte
	conns    []*conn
	epoll    int
	ready    [64]syscall.EpollEvent
}

// hangUp closes all connections.
func (s *stub) hangUp() error {
	if s.conns == nil {
		return nil
	}
	errs := []error{os.NewSyscallError("close", syscall.Close(s.epoll))}
	for _, c := range s.conns {
		errs = append(errs, os.NewSyscallError("close", syscall.Close(c.fd)))
	}
	s.conns = nil
	return errors.Join(errs...)
}

// accept hangs up on the functions that there were, and waits until n others
// have asked for an event.
func (s *stub) accept(n int) error {
	if err := s.hangUp(); err != nil {
		return err
	}
	s.conns = make([]*conn, 0, n)
	var err error
	if s.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if err := s.listener.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	for i := range n {
		fd, err := s.acceptOne()
		if err != nil {
			return err
		}
		s.conns = append(s.conns, newConn(i, fd, s.event))
		if err := syscall.EpollCtl(s.epoll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)}); err != nil {
			return os.NewSyscallError("epoll_ctl", err)
		}
	}
	return s.loop(0)
}

// acceptOne is a descriptor of its own for the next connection, whose calls
// block unless they say otherwise.
func (s *stub) acceptOne() (int, error) {
	tcp, err := s.listener.AcceptTCP()
	if err != nil {
		return 0, err
	}
	defer tcp.Close()
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, err
	}
	var fd int
	var dupErr error
	if err := raw.Control(func(old uintptr) { fd, dupErr = syscall.Dup(int(old)) }); err != nil {
		return 0, err
	}
	if dupErr != nil {
		return 0, os.NewSyscallError("dup", dupErr)
	}
	return fd, os.NewSyscallError("fcntl", syscall.SetNonblock(fd, false))
}

// serve gives n events to the functions, all of which are asking for one, and
// returns when all have been answered and everybody asks for one more.
func (s *stub) serve(n int) error {
	given := 0
	for _, c := range s.conns {
		if given == n {
			break
		}
		if err := c.give(); err != nil {
			return err
		}
		given++
	}
	return s.loop(n - given)
}

// loop answers requests, of which so many are to get an event, until all
// functions are waiting for another.
func (s *stub) loop(events int) error {
	busy := 0
	for _, c := range s.conns {
		if !c.asks {
			busy++
		}
	}
	for busy > 0 {
		n, err := s.wait()
		if err != nil {
			return err
		}
		for _, ready := range s.ready[:n] {
			c := s.conns[ready.Fd]
			if err := c.step(); err != nil {
				return err
			}
			switch {
			case !c.asks:
			case events > 0:
				events--
				if err := c.give(); err != nil {
					return err
				}
			default:
				busy--
			}
		}
	}
	return nil
}

// wait waits until there is something to read.
func (s *stub) wait() (int, error) {
	for {
		n, _, err := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(s.epoll), uintptr(unsafe.Pointer(&s.ready)), uintptr(len(s.ready)), ^uintptr(0), 0, 0)
		switch err {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		default:
			return 0, os.NewSyscallError("epoll_pwait", err)
		}
	}
}

// receive reads what is there into p; 0 if there is nothing.
func receive(fd int, p []byte) (int, error) {
	n, _, err := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), syscall.MSG_DONTWAIT, 0, 0)
	switch {
	case err == syscall.EAGAIN || err == syscall.EINTR:
		return 0, nil
	case err != 0:
		return 0, os.NewSyscallError("recvfrom", err)
	case n == 0:
		return 0, errors.New("a function has hung up")
	}
	return int(n), nil
}

// send writes all of p; it waits for room.
func send(fd int, p []byte) error {
	for len(p) > 0 {
		n, _, err := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch err {
		case 0:
			p = p[n:]
		case syscall.EINTR:
		default:
			return os.NewSyscallError("write", err)
		}
	}
	return nil
}
