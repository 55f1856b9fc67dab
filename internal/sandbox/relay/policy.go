package relay

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Addresses that every sandbox sees.
const (
	// HostName is the name of the host's loopback services.
	HostName = "host.lamb.internal"
	// HostAddress is what it resolves to, and the name server.
	HostAddress = "10.77.0.1"
	// SandboxAddress is the sandbox's own, the same in each.
	SandboxAddress = "10.77.0.2"
	// RuntimeAddress is AWS's address of the Runtime API, which is never
	// relayed.
	RuntimeAddress = "169.254.100.1"
)

// dnsPort is where name servers listen.
const dnsPort = 53

// Proto is a transport protocol.
type Proto uint8

// The protocols that get out.
const (
	TCP Proto = iota + 1
	UDP
)

// Network is the protocol's name for package net.
func (p Proto) Network() string {
	if p == UDP {
		return "udp"
	}
	return "tcp"
}

// Verdict says what becomes of a connection or datagram.
type Verdict uint8

// The zero verdict denies.
const (
	Deny   Verdict = iota
	Allow          // dial Decision.Addr, the destination itself
	Host           // dial Decision.Addr, on the host's loopback
	DNS            // answer as the name server
	Lambda         // hand to the Lambda API, marked as this environment's
)

// String is for logs and tests.
func (v Verdict) String() string {
	return [...]string{"deny", "allow", "host", "dns", "lambda"}[v]
}

// Decision is what Policy says of one destination.
type Decision struct {
	Verdict Verdict
	Addr    netip.AddrPort // what to dial, for Allow and Host
	Reason  string         // why it is denied, for logs
}

// Policy decides what sandboxes may reach. It looks at the address that would
// be dialled, never at a name. Its zero value allows public and private
// networks, and nothing of the host.
type Policy struct {
	// HostPorts are the ports of the host's 127.0.0.1 that are reached as
	// host.lamb.internal.
	HostPorts HostPorts
	// LambdaPort is the port of the Lambda API; zero means none. It is
	// reached as host.lamb.internal only, and only by Lambda.
	LambdaPort uint16
	// OwnPorts are lamb's other ports, refused also when HostPorts has them.
	OwnPorts []uint16
	// Deny are further prefixes that are refused.
	Deny []netip.Prefix
	// Own tells whether an address is the host's own (or a broadcast); nil
	// means that none is.
	Own func(netip.Addr) bool
}

// denied is what no sandbox reaches, whatever the configuration. Nobody
// writes to it.
var denied = prefixes(
	"0.0.0.0/8", "127.0.0.0/8",
	"169.254.0.0/16",     // link-local, with most clouds' metadata
	"100.100.100.200/32", // Alibaba's metadata
	"168.63.129.16/32",   // Azure's host
	"192.0.0.192/32",     // Oracle's metadata
	"224.0.0.0/3",        // multicast, reserved, broadcast
	"10.77.0.0/24",       // ours
	"::/96",              // unspecified, loopback, IPv4 in disguise
	"64:ff9b::/96", "64:ff9b:1::/48", "2002::/16",
	"fe80::/10", "ff00::/8",
	"fd00:ec2::/32", // AWS's metadata
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// Decide says what becomes of traffic to a destination.
func (p *Policy) Decide(proto Proto, dst netip.AddrPort) Decision {
	addr, port := dst.Addr().Unmap().WithZone(""), dst.Port()
	if !addr.IsValid() || port == 0 {
		return Decision{Reason: "no such destination"}
	}
	if addr.String() == HostAddress {
		return p.host(proto, port)
	}
	for _, list := range [][]netip.Prefix{denied, p.Deny} {
		for _, prefix := range list {
			if prefix.Contains(addr) {
				return Decision{Reason: "in " + prefix.String()}
			}
		}
	}
	if p.Own != nil && p.Own(addr) {
		return Decision{Reason: "an address of the host; use " + HostName}
	}
	return Decision{Verdict: Allow, Addr: netip.AddrPortFrom(addr, port)}
}

// host decides for the host's loopback services.
func (p *Policy) host(proto Proto, port uint16) Decision {
	switch {
	case port == dnsPort:
		return Decision{Verdict: DNS}
	case p.LambdaPort != 0 && port == p.LambdaPort && proto == TCP:
		return Decision{Verdict: Lambda}
	case p.LambdaPort != 0 && port == p.LambdaPort, slices.Contains(p.OwnPorts, port):
		return Decision{Reason: "a port of lamb"}
	case !p.HostPorts.Contains(port):
		return Decision{Reason: "not among the host's allowed ports"}
	}
	return Decision{Verdict: Host, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)}
}

// HostPorts is a set of ports. The zero value is empty.
type HostPorts struct{ ranges []portRange }

type portRange struct{ first, last uint16 }

// ParseHostPorts reads "all", "none" or a list such as "5432,8000-8099".
func ParseHostPorts(s string) (HostPorts, error) {
	switch s {
	case "all":
		return HostPorts{[]portRange{{1, 65535}}}, nil
	case "none":
		return HostPorts{}, nil
	}
	var h HostPorts
	for item := range strings.SplitSeq(s, ",") {
		item = strings.TrimSpace(item)
		from, to, isRange := strings.Cut(item, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.ParseUint(from, 10, 16)
		last, err2 := strconv.ParseUint(to, 10, 16)
		if err1 != nil || err2 != nil || first == 0 || first > last {
			return HostPorts{}, fmt.Errorf("host ports %q: %q is neither a port nor a range of ports (want all, none, or a list such as 5432,8000-8099)", s, item)
		}
		h.ranges = append(h.ranges, portRange{uint16(first), uint16(last)})
	}
	return h, nil
}

// Contains tells whether a port is in the set.
func (h HostPorts) Contains(port uint16) bool {
	for _, r := range h.ranges {
		if r.first <= port && port <= r.last {
			return true
		}
	}
	return false
}

// String is the form that ParseHostPorts reads.
func (h HostPorts) String() string {
	var items []string
	for _, r := range h.ranges {
		switch {
		case r == portRange{1, 65535}:
			return "all"
		case r.first == r.last:
			items = append(items, strconv.Itoa(int(r.first)))
		default:
			items = append(items, fmt.Sprintf("%d-%d", r.first, r.last))
		}
	}
	if items == nil {
		return "none"
	}
	return strings.Join(items, ",")
}
