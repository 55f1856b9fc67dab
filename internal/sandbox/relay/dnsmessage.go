package relay

import (
	"encoding/binary"
	"net/netip"
	"strings"
)

const (
	dnsHeader = 12
	// maxDNSName is RFC 1035's, in bytes on the wire.
	maxDNSName = 255
	// maxDNSAnswer is the longest message that is made here.
	maxDNSAnswer = dnsHeader + maxDNSName + 4 + 12 + 16

	typeA    = 1
	typeAAAA = 28
	classIN  = 1

	rcodeOK       = 0
	rcodeFormat   = 1
	rcodeServFail = 2
	rcodeNXDomain = 3
	rcodeNotImp   = 4
)

// ownZone belongs to lamb: nothing in it is asked of the host's name servers.
const ownZone = "lamb.internal"

// question is a query's only question.
type question struct {
	name        string // lower case, without the last dot
	kind, class uint16
	end         int // where it ends in the message
}

// parseQuestion reads a query; the code says what is wrong with it. A message
// that is not even a query has ok false and gets no answer.
func parseQuestion(msg []byte) (q question, rcode int, ok bool) {
	if len(msg) < dnsHeader || msg[2]&0x80 != 0 {
		return q, 0, false
	}
	q.end = dnsHeader
	if msg[2]>>3&0xf != 0 {
		return q, rcodeNotImp, true
	}
	if binary.BigEndian.Uint16(msg[4:]) != 1 {
		return q, rcodeFormat, true
	}
	var labels []string
	at := dnsHeader
	for {
		if at >= len(msg) {
			return q, rcodeFormat, true
		}
		n := int(msg[at])
		at++
		if n == 0 {
			break
		}
		// Longer ones are pointers, and there is nothing to point to.
		if n > 63 || at+n > len(msg) || at+n-dnsHeader > maxDNSName-1 {
			return q, rcodeFormat, true
		}
		labels = append(labels, strings.ToLower(string(msg[at:at+n])))
		at += n
	}
	if at+4 > len(msg) {
		return q, rcodeFormat, true
	}
	q.name = strings.Join(labels, ".")
	q.kind, q.class = binary.BigEndian.Uint16(msg[at:]), binary.BigEndian.Uint16(msg[at+2:])
	q.end = at + 4
	return q, rcodeOK, true
}

// makeAnswer answers a query with an address, or without one.
func makeAnswer(msg []byte, q question, rcode int, addr netip.Addr) []byte {
	b := make([]byte, 0, maxDNSAnswer)
	b = append(b, msg[:2]...)
	// It is an answer; recursion is desired if it was, and available.
	b = append(b, msg[2]&0x79|0x80, 0x80|byte(rcode))
	questions, answers := byte(0), byte(0)
	if q.end > dnsHeader {
		questions = 1
	}
	if addr.IsValid() {
		answers = 1
	}
	b = append(b, 0, questions, 0, answers, 0, 0, 0, 0)
	b = append(b, msg[dnsHeader:q.end]...)
	if !addr.IsValid() {
		return b
	}
	b = append(b, 0xc0, dnsHeader) // the question's name
	b = binary.BigEndian.AppendUint16(b, q.kind)
	b = binary.BigEndian.AppendUint16(b, classIN)
	b = binary.BigEndian.AppendUint32(b, 60) // seconds
	b = binary.BigEndian.AppendUint16(b, uint16(addr.BitLen()/8))
	return append(b, addr.AsSlice()...)
}

// ownAnswer answers what lamb knows itself; nil when the host's name servers
// are to be asked. own is the sandbox's own name.
func ownAnswer(msg []byte, q question, own string) []byte {
	var v4, v6 netip.Addr
	switch {
	case q.class != classIN:
		return nil
	case q.name == HostName:
		v4 = netip.MustParseAddr(HostAddress)
	case q.name == "localhost", strings.HasSuffix(q.name, ".localhost"), own != "" && q.name == strings.ToLower(own):
		v4, v6 = netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()
	case q.name == ownZone, strings.HasSuffix(q.name, "."+ownZone), strings.HasSuffix(q.name, ".0.77.10.in-addr.arpa"):
		return makeAnswer(msg, q, rcodeNXDomain, netip.Addr{})
	default:
		return nil
	}
	switch q.kind {
	case typeA:
		return makeAnswer(msg, q, rcodeOK, v4)
	case typeAAAA:
		return makeAnswer(msg, q, rcodeOK, v6)
	}
	return makeAnswer(msg, q, rcodeOK, netip.Addr{})
}

// answers tells whether a message can be the answer to a query.
func answers(answer, query []byte) bool {
	return len(answer) >= dnsHeader && answer[2]&0x80 != 0 && answer[0] == query[0] && answer[1] == query[1]
}

// parseNameServers reads the name servers of a resolv.conf, three at most. As
// with the C library, none means this host's own.
func parseNameServers(conf string) []netip.AddrPort {
	var list []netip.AddrPort
	for line := range strings.Lines(conf) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" || len(list) == maxNameServers {
			continue
		}
		if addr, err := netip.ParseAddr(fields[1]); err == nil {
			list = append(list, netip.AddrPortFrom(addr, dnsPort))
		}
	}
	if list == nil {
		list = []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), dnsPort)}
	}
	return list
}

// maxNameServers is the C library's.
const maxNameServers = 3
