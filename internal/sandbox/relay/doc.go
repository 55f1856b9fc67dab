// Package relay is the way out of a sandbox's network namespace. It owns what
// such a namespace needs apart from loopback (an address, a route, a packet
// filter, the sockets in it), the policy of what may be reached, and the
// connections made on the sandboxes' behalf. It knows nothing of sandboxes,
// functions or Lambda.
//
// The namespace has no device but lo. A local default route delivers every
// IPv4 packet to the namespace itself, and a packet filter (TPROXY) gives
// those for foreign addresses to sockets that lamb holds there:
//
//	inside the namespace                │ on the host
//	connect 1.2.3.4:443 ──lo──▶ TCP ────┼──▶ Policy ──▶ dial ──▶ 1.2.3.4:443
//	sendto 1.2.3.4:443 ───lo──▶ UDP ────┼──▶ Policy ──▶ flow ──▶ 1.2.3.4:443
//	                  ◀──lo── raw UDP ──┼───────────── flow ◀──
//	host.lamb.internal = 10.77.0.1 ─────┼──▶ 127.0.0.1, allowed ports only
//	nameserver 10.77.0.1:53 ────────────┼──▶ the host's name servers
//
// Nothing of the host changes, and nothing is left after a crash: closing the
// sockets ends it. Environments share no network, so none reaches another.
// Without the filter packets would end in the namespace: it fails closed.
//
// There is no IPv6: without an address and a route, connecting fails at once
// with ENETUNREACH and programs turn to IPv4. Only TCP and UDP get out. A TCP
// connection is accepted before lamb dials: one that is refused, by the policy
// or by the destination, is reset right after it was opened. Only what is
// denied to all, such as metadata addresses, fails in connect, by EHOSTUNREACH.
package relay
