package loopback

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
)

func owners(t *testing.T) map[string]ownerFunc {
	t.Helper()
	d, err := dialDiag()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.close() })
	return map[string]ownerFunc{"sock_diag": d.owner, "proc": procNetOwner}
}

func TestOwner(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, owner := range owners(t) {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp4", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if uid, err := owner(addrPort(c.LocalAddr()), addrPort(c.RemoteAddr())); err != nil || uid != uint32(os.Geteuid()) {
				t.Errorf("owner %d, %v", uid, err)
			}
			// The other direction is the listener's accepted socket, not yet
			// accepted; an unused port has nobody.
			nobody := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 1)
			if uid, err := owner(nobody, addrPort(c.RemoteAddr())); err == nil {
				t.Errorf("port 1 is owned by %d", uid)
			}
			if _, err := owner(netip.MustParseAddrPort("[::1]:1"), addrPort(c.RemoteAddr())); err == nil {
				t.Error("IPv6 was answered")
			}
		})
	}
}

// TestOwnerMapped: Java and others speak IPv4 through IPv6 sockets.
func TestOwnerMapped(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fd, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skip("no IPv6:", err)
	}
	defer syscall.Close(fd)
	to := &syscall.SockaddrInet6{Port: l.Addr().(*net.TCPAddr).Port}
	copy(to.Addr[:], net.ParseIP("127.0.0.1").To16())
	if err := syscall.Connect(fd, to); err != nil {
		t.Skip("no IPv4 through IPv6:", err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for name, owner := range owners(t) {
		if uid, err := owner(addrPort(c.RemoteAddr()), addrPort(c.LocalAddr())); err != nil || uid != uint32(os.Geteuid()) {
			t.Errorf("%s: owner %d, %v", name, uid, err)
		}
	}
}
