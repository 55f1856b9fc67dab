package relay

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// query makes one for a name.
func query(name string, kind uint16) []byte {
	b := []byte{0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(name, ".") {
		b = append(append(b, byte(len(label))), label...)
	}
	b = binary.BigEndian.AppendUint16(append(b, 0), kind)
	return binary.BigEndian.AppendUint16(b, classIN)
}

func TestOwnAnswer(t *testing.T) {
	const ptr = 12
	for _, test := range []struct {
		name  string
		kind  uint16
		rcode int
		addr  string // empty: none
		pass  bool   // to the host's name servers
	}{
		{name: "host.lamb.internal", kind: typeA, addr: HostAddress},
		{name: "HOST.Lamb.internal", kind: typeA, addr: HostAddress},
		{name: "host.lamb.internal", kind: typeAAAA},
		{name: "host.lamb.internal", kind: 16},
		{name: "other.lamb.internal", kind: typeA, rcode: rcodeNXDomain},
		{name: "lamb.internal", kind: typeA, rcode: rcodeNXDomain},
		{name: "notlamb.internal", kind: typeA, pass: true},
		{name: "sandbox", kind: typeA, addr: "127.0.0.1"},
		{name: "sandbox", kind: typeAAAA, addr: "::1"},
		{name: "localhost", kind: typeA, addr: "127.0.0.1"},
		{name: "a.localhost", kind: typeAAAA, addr: "::1"},
		{name: "1.0.77.10.in-addr.arpa", kind: ptr, rcode: rcodeNXDomain},
		{name: "1.1.77.10.in-addr.arpa", kind: ptr, pass: true},
		{name: "example.com", kind: typeA, pass: true},
	} {
		msg := query(test.name, test.kind)
		q, rcode, ok := parseQuestion(msg)
		if !ok || rcode != rcodeOK || q.name != strings.ToLower(test.name) || q.kind != test.kind || q.end != len(msg) {
			t.Errorf("%s: parsed as %+v, %d, %v", test.name, q, rcode, ok)
			continue
		}
		answer := ownAnswer(msg, q, "sandbox")
		if test.pass {
			if answer != nil {
				t.Errorf("%s: answered %x", test.name, answer)
			}
			continue
		}
		count := byte(0)
		var record []byte
		if test.addr != "" {
			addr := netip.MustParseAddr(test.addr).AsSlice()
			count = 1
			record = append([]byte{0xc0, 12, 0, byte(test.kind), 0, 1, 0, 0, 0, 60, 0, byte(len(addr))}, addr...)
		}
		want := slices.Concat([]byte{0x12, 0x34, 0x81, 0x80 | byte(test.rcode), 0, 1, 0, count, 0, 0, 0, 0}, msg[12:], record)
		if diff := cmp.Diff(want, answer); diff != "" {
			t.Errorf("%s %d:\n%s", test.name, test.kind, diff)
		}
	}
}

func TestParseQuestionMalformed(t *testing.T) {
	whole := query("example.com", typeA)
	change := func(at int, value byte) []byte {
		b := bytes.Clone(whole)
		b[at] = value
		return b
	}
	for _, test := range []struct {
		name  string
		msg   []byte
		ok    bool
		rcode int
	}{
		{"short", whole[:11], false, 0},
		{"an answer", change(2, 0x80), false, 0},
		{"an update", change(2, 5<<3), true, rcodeNotImp},
		{"no question", change(5, 0), true, rcodeFormat},
		{"two questions", change(5, 2), true, rcodeFormat},
		{"cut in the name", whole[:15], true, rcodeFormat},
		{"cut after the name", whole[:len(whole)-1], true, rcodeFormat},
		{"a pointer", change(12, 0xc0), true, rcodeFormat},
		{"a long name", query(strings.Repeat("abcdefg.", 32)+"x", typeA), true, rcodeFormat},
	} {
		q, rcode, ok := parseQuestion(test.msg)
		if ok != test.ok || rcode != test.rcode {
			t.Errorf("%s: %d, %v; want %d, %v", test.name, rcode, ok, test.rcode, test.ok)
			continue
		}
		if !ok {
			continue
		}
		want := append([]byte{0x12, 0x34, test.msg[2]&0x79 | 0x80, 0x80 | byte(rcode)}, make([]byte, 8)...)
		if diff := cmp.Diff(want, makeAnswer(test.msg, q, rcode, netip.Addr{})); diff != "" {
			t.Errorf("%s:\n%s", test.name, diff)
		}
	}
}

func FuzzParseQuestion(f *testing.F) {
	f.Add(query("host.lamb.internal", typeA))
	f.Add(query("example.com", typeAAAA)[:20])
	f.Fuzz(func(t *testing.T, msg []byte) {
		q, rcode, ok := parseQuestion(msg)
		if !ok {
			return
		}
		if q.end > len(msg) || len(q.name) > maxDNSName {
			t.Fatalf("%+v of %d bytes", q, len(msg))
		}
		answer := ownAnswer(msg, q, "sandbox")
		if rcode != rcodeOK {
			answer = makeAnswer(msg, q, rcode, netip.Addr{})
		}
		if answer != nil && (len(answer) > maxDNSAnswer || !answers(answer, msg)) {
			t.Fatalf("answered %x", answer)
		}
	})
}

func TestParseNameServers(t *testing.T) {
	for _, test := range []struct {
		conf string
		want []string
	}{
		{"# nameserver 9.9.9.9\nsearch x\nnameserver 1.1.1.1\nnameserver fe80::1%eth0 # x\n", []string{"1.1.1.1:53", "[fe80::1%eth0]:53"}},
		{"nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4", []string{"1.1.1.1:53", "2.2.2.2:53", "3.3.3.3:53"}},
		{"nameserver\nnameserver nonsense\n", []string{"127.0.0.1:53"}},
		{"", []string{"127.0.0.1:53"}},
	} {
		var got []string
		for _, server := range parseNameServers(test.conf) {
			got = append(got, server.String())
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q:\n%s", test.conf, diff)
		}
	}
}
