package relay

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// batch is a list of netlink messages for one send.
type batch struct {
	bytes []byte
	names []string // of the messages that are acknowledged, by sequence number less one
}

// add appends a message whose acknowledgement is awaited.
func (b *batch) add(name string, kind, flags uint16, body []byte) {
	b.names = append(b.names, name)
	b.append(kind, flags|unix.NLM_F_ACK, uint32(len(b.names)), body)
}

func (b *batch) append(kind, flags uint16, seq uint32, body []byte) {
	ne := binary.NativeEndian
	b.bytes = ne.AppendUint32(b.bytes, uint32(unix.NLMSG_HDRLEN+len(body)))
	b.bytes = ne.AppendUint16(b.bytes, kind)
	b.bytes = ne.AppendUint16(b.bytes, flags|unix.NLM_F_REQUEST)
	b.bytes = ne.AppendUint32(b.bytes, seq)
	b.bytes = ne.AppendUint32(b.bytes, 0)
	b.bytes = append(b.bytes, body...)
	b.bytes = pad(b.bytes)
}

func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// attr is a netlink attribute.
func attr(kind uint16, parts ...[]byte) []byte {
	var body []byte
	for _, p := range parts {
		body = append(body, p...)
	}
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(body)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	return pad(append(b, body...))
}

// nest is an attribute that consists of attributes.
func nest(kind uint16, parts ...[]byte) []byte { return attr(kind|unix.NLA_F_NESTED, parts...) }

func be32(v int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(int32(v))) }

func text(s string) []byte { return append([]byte(s), 0) }

// run sends the batch and reads the answers: the kernel has given them all
// when the send returns, so nothing waits.
func (b *batch) run(fd int) error {
	if err := unix.Sendto(fd, b.bytes, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("send to netlink", err)
	}
	buf := make([]byte, 16<<10)
	for left := len(b.names); left > 0; {
		n, _, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("receive from netlink", err)
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			return fmt.Errorf("read netlink: %w", err)
		}
		for _, m := range messages {
			if m.Header.Type != unix.NLMSG_ERROR || len(m.Data) < 4 {
				continue
			}
			if errno := -int32(binary.NativeEndian.Uint32(m.Data)); errno != 0 {
				return fmt.Errorf("%s: %w", b.name(m.Header.Seq), syscall.Errno(errno))
			}
			left--
		}
	}
	return nil
}

func (b *batch) name(seq uint32) string {
	if seq < 1 || int(seq) > len(b.names) {
		return "netlink"
	}
	return b.names[seq-1]
}

// loIndex is the loopback device's in every namespace.
const loIndex = 1

// addressing brings lo up, gives it the sandbox's address and delivers every
// destination locally.
func addressing() *batch {
	ne := binary.NativeEndian
	b := &batch{}
	link := make([]byte, unix.SizeofIfInfomsg)
	ne.PutUint32(link[4:], loIndex)
	ne.PutUint32(link[8:], unix.IFF_UP)
	ne.PutUint32(link[12:], unix.IFF_UP)
	b.add("bring lo up", unix.RTM_NEWLINK, 0, link)

	self := ip4(SandboxAddress)
	addr := []byte{unix.AF_INET, 32, 0, unix.RT_SCOPE_UNIVERSE, 0, 0, 0, 0}
	ne.PutUint32(addr[4:], loIndex)
	addr = append(addr, attr(unix.IFA_LOCAL, self)...)
	addr = append(addr, attr(unix.IFA_ADDRESS, self)...)
	b.add("add the address", unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, addr)

	oif := attr(unix.RTA_OIF, ne.AppendUint32(nil, loIndex))
	source := attr(unix.RTA_PREFSRC, self)
	b.route("add the route", netip.PrefixFrom(netip.IPv4Unspecified(), 0), unix.RTN_LOCAL, oif, source)
	b.route("add the host's route", netip.PrefixFrom(netip.MustParseAddr(HostAddress), 32), unix.RTN_LOCAL, oif, source)
	// What is always denied fails before it is sent: a program hears that by
	// an error of connect, not by a reset later.
	for _, prefix := range denied {
		if addr := prefix.Addr(); addr.Is4() && !addr.IsLoopback() && !addr.IsUnspecified() {
			b.route("close "+prefix.String(), prefix, unix.RTN_UNREACHABLE)
		}
	}
	return b
}

// route adds a route to the table that is looked at first.
func (b *batch) route(name string, prefix netip.Prefix, kind byte, attributes ...[]byte) {
	scope := byte(unix.RT_SCOPE_UNIVERSE)
	if kind == unix.RTN_LOCAL {
		scope = unix.RT_SCOPE_HOST
	}
	body := []byte{
		unix.AF_INET, byte(prefix.Bits()), 0, 0, unix.RT_TABLE_LOCAL, unix.RTPROT_STATIC, scope, kind, 0, 0, 0, 0,
	}
	if prefix.Bits() > 0 {
		body = append(body, attr(unix.RTA_DST, prefix.Addr().AsSlice())...)
	}
	for _, a := range attributes {
		body = append(body, a...)
	}
	b.add(name, unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, body)
}

const (
	tableName = "lamb"
	chainName = "out"

	// Offsets in an IPv4 header.
	offsetSource, offsetDestination = 12, 16

	// Of nft_tproxy, which x/sys does not name.
	nftaTproxyFamily, nftaTproxyRegPort = 1, 3

	// priorityMangle is where TPROXY belongs.
	priorityMangle = -150

	nfDrop, nfAccept = 0, 1
)

// filter is the packet filter. It drops what no rule takes:
//
//	table ip lamb { chain out { type filter hook prerouting priority mangle; policy drop;
//	  ip daddr 127.0.0.0/8 accept
//	  ip daddr 10.77.0.2 accept
//	  ip daddr 169.254.100.1 accept
//	  ip saddr 10.77.0.2 meta l4proto tcp tproxy to :2 accept
//	  ip saddr 10.77.0.2 meta l4proto udp tproxy to :2 accept
//	}}
//
// The source matters: a program may bind any address, and an answer to a
// foreign one would come back here as if it were going out.
func filter() *batch {
	b := &batch{}
	subsystem := func(kind int) uint16 { return unix.NFNL_SUBSYS_NFTABLES<<8 | uint16(kind) }
	head := []byte{unix.AF_INET, 0, 0, 0}
	add := func(name string, kind int, flags uint16, attributes ...[]byte) {
		body := append([]byte{}, head...)
		for _, a := range attributes {
			body = append(body, a...)
		}
		b.add(name, subsystem(kind), flags, body)
	}
	control := []byte{unix.AF_UNSPEC, 0, 0, unix.NFNL_SUBSYS_NFTABLES} // version 0, resource id big endian
	b.append(unix.NFNL_MSG_BATCH_BEGIN, 0, 0, control)
	add("add a table", unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE, attr(unix.NFTA_TABLE_NAME, text(tableName)))
	add("add a chain", unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE,
		attr(unix.NFTA_CHAIN_TABLE, text(tableName)),
		attr(unix.NFTA_CHAIN_NAME, text(chainName)),
		nest(unix.NFTA_CHAIN_HOOK,
			attr(unix.NFTA_HOOK_HOOKNUM, be32(unix.NF_INET_PRE_ROUTING)),
			attr(unix.NFTA_HOOK_PRIORITY, be32(priorityMangle))),
		attr(unix.NFTA_CHAIN_POLICY, be32(nfDrop)),
		attr(unix.NFTA_CHAIN_TYPE, text("filter")))
	rule := func(name string, expressions ...[]byte) {
		add(name, unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND,
			attr(unix.NFTA_RULE_TABLE, text(tableName)),
			attr(unix.NFTA_RULE_CHAIN, text(chainName)),
			nest(unix.NFTA_RULE_EXPRESSIONS, expressions...))
	}
	rule("pass loopback", load(offsetDestination, 1), equal(127), verdict(nfAccept))
	rule("pass the own address", load(offsetDestination, 4), equal(ip4(SandboxAddress)...), verdict(nfAccept))
	rule("pass the Runtime API", load(offsetDestination, 4), equal(ip4(RuntimeAddress)...), verdict(nfAccept))
	for name, proto := range map[string]byte{"relay TCP": unix.IPPROTO_TCP, "relay UDP": unix.IPPROTO_UDP} {
		rule(name, load(offsetSource, 4), equal(ip4(SandboxAddress)...), transport(), equal(proto),
			immediate(0, relayPort), tproxy(), verdict(nfAccept)) // tproxy alone ends nothing
	}
	b.append(unix.NFNL_MSG_BATCH_END, 0, 0, control)
	return b
}

// expression is an element of a rule.
func expression(name string, data ...[]byte) []byte {
	return nest(unix.NFTA_LIST_ELEM, attr(unix.NFTA_EXPR_NAME, text(name)), nest(unix.NFTA_EXPR_DATA, data...))
}

// load puts bytes of the IP header into the register.
func load(offset, n int) []byte {
	return expression("payload",
		attr(unix.NFTA_PAYLOAD_DREG, be32(unix.NFT_REG_1)),
		attr(unix.NFTA_PAYLOAD_BASE, be32(unix.NFT_PAYLOAD_NETWORK_HEADER)),
		attr(unix.NFTA_PAYLOAD_OFFSET, be32(offset)),
		attr(unix.NFTA_PAYLOAD_LEN, be32(n)))
}

// transport puts the protocol's number into the register.
func transport() []byte {
	return expression("meta",
		attr(unix.NFTA_META_DREG, be32(unix.NFT_REG_1)), attr(unix.NFTA_META_KEY, be32(unix.NFT_META_L4PROTO)))
}

// equal leaves the rule unless the register has this value.
func equal(value ...byte) []byte {
	return expression("cmp",
		attr(unix.NFTA_CMP_SREG, be32(unix.NFT_REG_1)),
		attr(unix.NFTA_CMP_OP, be32(unix.NFT_CMP_EQ)),
		nest(unix.NFTA_CMP_DATA, attr(unix.NFTA_DATA_VALUE, value)))
}

// immediate puts a value into the register.
func immediate(value ...byte) []byte {
	return expression("immediate",
		attr(unix.NFTA_IMMEDIATE_DREG, be32(unix.NFT_REG_1)),
		nest(unix.NFTA_IMMEDIATE_DATA, attr(unix.NFTA_DATA_VALUE, value)))
}

// tproxy gives the packet to the socket at the register's port.
func tproxy() []byte {
	return expression("tproxy",
		attr(nftaTproxyFamily, be32(unix.AF_INET)), attr(nftaTproxyRegPort, be32(unix.NFT_REG_1)))
}

func verdict(code int) []byte {
	return expression("immediate",
		attr(unix.NFTA_IMMEDIATE_DREG, be32(unix.NFT_REG_VERDICT)),
		nest(unix.NFTA_IMMEDIATE_DATA, nest(unix.NFTA_DATA_VERDICT, attr(unix.NFTA_VERDICT_CODE, be32(code)))))
}

// missingFilter tells whether an error means that the kernel lacks TPROXY.
func missingFilter(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPROTONOSUPPORT)
}
