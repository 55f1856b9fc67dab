//go:build unix

// Package loopback gives the sandboxes that share the host's network a
// listener each, on a port of its own of the host's loopback, that only one
// user can reach: it asks the kernel for the owner of the socket at the other
// end. Its limits: it keeps other users out, not other programs of the same
// user; it sees who made the socket, not who uses it now; and root passes as
// anyone it likes. It also connects to servers that such sandboxes run.
package loopback

import (
	"net"
	"net/netip"
)

// Peers tells who connects. The zero value lets everyone in.
type Peers struct {
	owner   ownerFunc    // nil when this kernel does not say
	release func() error // nil when there is nothing to release
}

// ownerFunc returns the user id that owns the TCP socket with these ends.
type ownerFunc func(local, remote netip.AddrPort) (uid uint32, err error)

// NewPeers returns the check that works on this host, and a sentence for the
// fingerprint when none does. The caller closes it, after its listeners.
func NewPeers() (p Peers, missing string) { return newPeers() }

// Listen opens a listener that only this user, as the host knows it, reaches.
func (p Peers) Listen(uid int) (net.Listener, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil || p.owner == nil {
		return l, err
	}
	return &checkedListener{Listener: l, owner: p.owner, uid: uint32(uid)}, nil
}

// Close releases what the check holds.
func (p Peers) Close() error {
	if p.release == nil {
		return nil
	}
	return p.release()
}

// checkedListener accepts connections of one user only.
type checkedListener struct {
	net.Listener
	owner ownerFunc
	uid   uint32
}

// Accept closes the connections of others and goes on.
func (l *checkedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		// The other end's local address is our remote one. A socket that is
		// closed already has no owner: nobody waits for an answer there.
		uid, err := l.owner(addrPort(c.RemoteAddr()), addrPort(c.LocalAddr()))
		if err == nil && uid == l.uid {
			return c, nil
		}
		_ = c.Close() // a stranger's connection
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
