package loopback

import (
	"context"
	"fmt"
	"net"
	"net/netip"
)

// Target checks the arguments of sandbox.Dialer: it refuses all but TCP to a
// port of an IPv4 loopback address.
func Target(network, address string) (netip.AddrPort, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp" || !to.Addr().Is4() || !to.Addr().IsLoopback() || to.Port() == 0 {
		return netip.AddrPort{}, fmt.Errorf("%.20q %.60q is not TCP to a loopback address", network, address)
	}
	return to, nil
}

// Dial is that of sandbox.Dialer where the sandbox's loopback is the host's.
func Dial(ctx context.Context, network, address string) (net.Conn, error) {
	to, err := Target(network, address)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp4", to.String())
}
