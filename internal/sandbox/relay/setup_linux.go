package relay

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// relayPort is where the sockets inside listen. It is privileged, so that no
// program inside can take it.
const relayPort = 2

// backlog bounds connections that wait to be accepted.
const backlog = 256

// The sockets that Setup needs, by their place in SocketTypes.
const (
	socketRoute = iota
	socketFilter
	socketTCP
	socketUDP
	socketRaw
	// Sockets is how many there are.
	Sockets
)

// SocketTypes are the arguments of socket(2), domain, type and protocol, for
// the sockets that Setup needs. They are all that must be done inside the
// namespace: a socket belongs to that in which it was opened. The last needs
// CAP_NET_RAW there.
func SocketTypes() [Sockets][3]int {
	const flags = unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	return [Sockets][3]int{
		socketRoute:  {unix.AF_NETLINK, unix.SOCK_RAW | flags, unix.NETLINK_ROUTE},
		socketFilter: {unix.AF_NETLINK, unix.SOCK_RAW | flags, unix.NETLINK_NETFILTER},
		socketTCP:    {unix.AF_INET, unix.SOCK_STREAM | flags, 0},
		socketUDP:    {unix.AF_INET, unix.SOCK_DGRAM | flags, 0},
		socketRaw:    {unix.AF_INET, unix.SOCK_RAW | flags, unix.IPPROTO_RAW},
	}
}

// OpenSockets opens them in the calling thread's network namespace.
func OpenSockets() ([]int, error) {
	var fds []int
	for _, t := range SocketTypes() {
		fd, err := unix.Socket(t[0], t[1], t[2])
		if err != nil {
			closeAll(fds)
			return nil, os.NewSyscallError("socket", err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// Inlet is lamb's end of a namespace that is set up. Nobody reads from it
// until it is served.
type Inlet struct {
	tcp *net.TCPListener
	udp *net.UDPConn
	raw *net.IPConn
}

// Setup makes a namespace ready, by the sockets that were opened in it, which
// it takes over. The caller needs no thread inside, but privilege over it: as
// root, or as the user who owns the namespace's user namespace. It is done
// once for a namespace.
func Setup(fds []int) (_ *Inlet, err error) {
	defer func() { closeAll(fds) }() // what Inlet has are duplicates
	if len(fds) != Sockets {
		return nil, fmt.Errorf("set up the network: %d sockets, want %d", len(fds), Sockets)
	}
	in := &Inlet{}
	defer func() {
		if err != nil {
			in.Close()
			err = fmt.Errorf("set up the network: %w", err)
		}
	}()
	if err := addressing().run(fds[socketRoute]); err != nil {
		return nil, err
	}
	if err := filter().run(fds[socketFilter]); err != nil {
		if missingFilter(err) {
			err = fmt.Errorf("%w: %w", ErrNoTPROXY, err)
		}
		return nil, err
	}
	if err := bind(fds); err != nil {
		return nil, err
	}
	return in, in.adopt(fds)
}

// bind makes the sockets take what is meant for others.
func bind(fds []int) error {
	for _, fd := range []int{fds[socketTCP], fds[socketUDP]} {
		if err := unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_TRANSPARENT, 1); err != nil {
			return os.NewSyscallError("set IP_TRANSPARENT", err)
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Port: relayPort}); err != nil {
			return os.NewSyscallError("bind", err)
		}
	}
	if err := unix.SetsockoptInt(fds[socketUDP], unix.SOL_IP, unix.IP_RECVORIGDSTADDR, 1); err != nil {
		return os.NewSyscallError("set IP_RECVORIGDSTADDR", err)
	}
	return os.NewSyscallError("listen", unix.Listen(fds[socketTCP], backlog))
}

// adopt gives the sockets to the runtime's poller.
func (in *Inlet) adopt(fds []int) error {
	file := func(i int) (*os.File, error) {
		fd, err := unix.FcntlInt(uintptr(fds[i]), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return nil, os.NewSyscallError("dup", err)
		}
		return os.NewFile(uintptr(fd), "relay"), nil
	}
	packet := func(i int) (net.PacketConn, error) {
		f, err := file(i)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return net.FilePacketConn(f)
	}
	f, err := file(socketTCP)
	if err != nil {
		return err
	}
	defer f.Close()
	listener, err := net.FileListener(f)
	if err != nil {
		return err
	}
	in.tcp = listener.(*net.TCPListener)
	udp, err := packet(socketUDP)
	if err != nil {
		return err
	}
	in.udp = udp.(*net.UDPConn)
	raw, err := packet(socketRaw)
	if err != nil {
		return err
	}
	in.raw = raw.(*net.IPConn)
	return nil
}

// Close ends the way out. A served inlet is closed by its Session.
func (in *Inlet) Close() error {
	var errs []error
	if in.tcp != nil {
		errs = append(errs, in.tcp.Close())
	}
	if in.udp != nil {
		errs = append(errs, in.udp.Close())
	}
	if in.raw != nil {
		errs = append(errs, in.raw.Close())
	}
	return errors.Join(errs...)
}

func ip4(s string) []byte {
	a := netip.MustParseAddr(s).As4()
	return a[:]
}
