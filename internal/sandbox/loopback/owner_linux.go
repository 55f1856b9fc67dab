package loopback

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// newPeers returns the check that works on this kernel, and a sentence for the
// fingerprint when none does.
func newPeers() (Peers, string) {
	if d, err := dialDiag(); err == nil {
		if checkWorks(d.owner) {
			return Peers{owner: d.owner, release: d.close}, ""
		}
		_ = d.close() // nothing was written to it
	}
	if checkWorks(procNetOwner) {
		return Peers{owner: procNetOwner}, ""
	}
	return Peers{}, "Every local user can connect to a function's Runtime API: this kernel does not say who owns a socket (sock_diag)."
}

// checkWorks tries owner on a connection of our own: a kernel without the
// needed module answers as if there were no such socket.
func checkWorks(owner ownerFunc) bool {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return false
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		return false
	}
	defer c.Close()
	uid, err := owner(addrPort(c.LocalAddr()), addrPort(c.RemoteAddr()))
	return err == nil && uid == uint32(os.Geteuid())
}

// diag is a netlink socket for questions about single sockets.
type diag struct {
	mu  sync.Mutex // one question at a time; guards what follows
	fd  int
	seq uint32
	buf [1024]byte
}

func dialDiag() (*diag, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	// The kernel answers within the call that asks; the limit is for kernels
	// that only pretend.
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("setsockopt", err)
	}
	return &diag{fd: fd}, nil
}

func (d *diag) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fd < 0 {
		return nil
	}
	err := unix.Close(d.fd)
	d.fd = -1
	return err
}

// The layout of struct inet_diag_req_v2 and struct inet_diag_msg behind a
// netlink header.
const (
	diagHeader = unix.SizeofNlMsghdr
	diagAsk    = diagHeader + 56
	diagAnswer = diagHeader + 72
	diagUID    = diagHeader + 64
)

// errNoSocket: there is no such socket, or not any more.
var errNoSocket = errors.New("no such socket")

// owner implements ownerFunc for IPv4.
func (d *diag) owner(local, remote netip.AddrPort) (uint32, error) {
	if !local.Addr().Is4() || !remote.Addr().Is4() {
		return 0, errNoSocket
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fd < 0 {
		return 0, net.ErrClosed
	}
	d.seq++
	if err := unix.Sendto(d.fd, diagQuestion(d.seq, local, remote), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, os.NewSyscallError("sendto", err)
	}
	for {
		n, _, err := unix.Recvfrom(d.fd, d.buf[:], 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, os.NewSyscallError("recvfrom", err)
		}
		answer := d.buf[:n]
		if n < diagHeader {
			return 0, fmt.Errorf("sock_diag: answer of %d bytes", n)
		}
		if binary.NativeEndian.Uint32(answer[8:]) != d.seq {
			continue // the answer to a question that was given up
		}
		if n < diagAnswer || binary.NativeEndian.Uint16(answer[4:]) != unix.SOCK_DIAG_BY_FAMILY {
			return 0, errNoSocket
		}
		return binary.NativeEndian.Uint32(answer[diagUID:]), nil
	}
}

func diagQuestion(seq uint32, local, remote netip.AddrPort) []byte {
	m := make([]byte, diagAsk)
	ne, be := binary.NativeEndian, binary.BigEndian
	ne.PutUint32(m[0:], diagAsk)
	ne.PutUint16(m[4:], unix.SOCK_DIAG_BY_FAMILY)
	ne.PutUint16(m[6:], unix.NLM_F_REQUEST)
	ne.PutUint32(m[8:], seq)
	q := m[diagHeader:]
	q[0], q[1] = unix.AF_INET, unix.IPPROTO_TCP
	ne.PutUint32(q[4:], ^uint32(0)) // any state
	be.PutUint16(q[8:], local.Port())
	be.PutUint16(q[10:], remote.Port())
	la, ra := local.Addr().As4(), remote.Addr().As4()
	copy(q[12:], la[:])
	copy(q[28:], ra[:])
	ne.PutUint64(q[48:], ^uint64(0)) // any cookie
	return m
}
