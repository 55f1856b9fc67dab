package relay

import (
	"encoding/binary"
	"net/netip"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// routes asks the host's kernel where an address leads. One socket is kept: a
// look-up is two system calls, and never out of date.
type routes struct {
	mu  sync.Mutex // guards what follows
	fd  int        // -1 when closed
	seq uint32
}

func openRoutes() (*routes, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return &routes{fd: fd}, nil
}

func (r *routes) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fd >= 0 {
		unix.Close(r.fd)
		r.fd = -1
	}
}

// own tells whether packets for an address end on this host, or go to many.
// When the kernel cannot say, they do.
func (r *routes) own(addr netip.Addr) bool {
	family, bits := byte(unix.AF_INET), byte(32)
	if addr.Is6() {
		family, bits = unix.AF_INET6, 128
	}
	body := make([]byte, unix.SizeofRtMsg)
	body[0], body[1] = family, bits
	body = append(body, attr(unix.RTA_DST, addr.AsSlice())...)

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fd < 0 {
		return true
	}
	r.seq++
	b := &batch{}
	b.append(unix.RTM_GETROUTE, 0, r.seq, body)
	if err := unix.Sendto(r.fd, b.bytes, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return true
	}
	var buf [4096]byte
	for {
		n, _, err := unix.Recvfrom(r.fd, buf[:], unix.MSG_DONTWAIT)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return true
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			return true
		}
		for _, m := range messages {
			if m.Header.Seq == r.seq {
				return !leadsAway(m)
			}
		}
	}
}

// leadsAway tells whether an answer is that of a destination elsewhere, or one
// to which there is no way, which the dial will report.
func leadsAway(m syscall.NetlinkMessage) bool {
	switch {
	case m.Header.Type == unix.RTM_NEWROUTE && len(m.Data) >= unix.SizeofRtMsg:
		return m.Data[7] == unix.RTN_UNICAST
	case m.Header.Type == unix.NLMSG_ERROR && len(m.Data) >= 4:
		errno := syscall.Errno(-int32(binary.NativeEndian.Uint32(m.Data)))
		return errno == unix.ENETUNREACH || errno == unix.EHOSTUNREACH
	}
	return false
}
