package relay

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecide(t *testing.T) {
	ports, err := ParseHostPorts("5432,8000-8099,9400,9401")
	if err != nil {
		t.Fatal(err)
	}
	own := netip.MustParseAddr("192.168.1.5")
	p := &Policy{
		HostPorts: ports, LambdaPort: 9400, OwnPorts: []uint16{9401},
		Deny: []netip.Prefix{netip.MustParsePrefix("172.16.0.0/12")},
		Own:  func(a netip.Addr) bool { return a == own },
	}
	const denied = "deny"
	for _, test := range []struct {
		proto    Proto
		dst      string
		want     string // the verdict
		wantAddr string // with Allow and Host; empty means dst
	}{
		{TCP, "1.1.1.1:443", "allow", ""},
		{UDP, "1.1.1.1:443", "allow", ""},
		{TCP, "10.0.0.1:5432", "allow", ""},
		{TCP, "10.77.1.1:80", "allow", ""},
		{TCP, "192.168.1.6:80", "allow", ""},
		{TCP, "[2001:db8::1]:80", "allow", ""},
		{TCP, "[::ffff:1.1.1.1]:443", "allow", "1.1.1.1:443"},
		{TCP, "1.1.1.1:0", denied, ""},
		{TCP, "0.0.0.0:80", denied, ""},
		{TCP, "0.1.2.3:80", denied, ""},
		{TCP, "127.0.0.1:80", denied, ""},
		{UDP, "127.255.255.255:80", denied, ""},
		{TCP, "169.254.169.254:80", denied, ""},
		{TCP, "169.254.100.1:9001", denied, ""},
		{TCP, "169.254.170.2:80", denied, ""},
		{TCP, "100.100.100.200:80", denied, ""},
		{TCP, "100.100.100.201:80", "allow", ""},
		{TCP, "168.63.129.16:80", denied, ""},
		{TCP, "192.0.0.192:80", denied, ""},
		{UDP, "224.0.0.251:5353", denied, ""},
		{UDP, "239.1.1.1:1", denied, ""},
		{TCP, "240.0.0.1:1", denied, ""},
		{UDP, "255.255.255.255:67", denied, ""},
		{TCP, "10.77.0.2:80", denied, ""},
		{TCP, "10.77.0.255:80", denied, ""},
		{TCP, "[::]:80", denied, ""},
		{TCP, "[::1]:80", denied, ""},
		{TCP, "[::7f00:1]:80", denied, ""},
		{TCP, "[::ffff:127.0.0.1]:80", denied, ""},
		{TCP, "[::ffff:169.254.169.254]:80", denied, ""},
		{TCP, "[::ffff:10.77.0.1]:5432", "host", "127.0.0.1:5432"},
		{TCP, "[64:ff9b::a9fe:a9fe]:80", denied, ""},
		{TCP, "[2002:7f00:1::]:80", denied, ""},
		{TCP, "[fe80::1]:80", denied, ""},
		{TCP, "[fe80::1%eth0]:80", denied, ""},
		{TCP, "[ff02::1]:80", denied, ""},
		{TCP, "[fd00:ec2::254]:80", denied, ""},
		{TCP, "[fd00::1]:80", "allow", ""},
		{TCP, "172.17.0.2:80", denied, ""},
		{TCP, "192.168.1.5:80", denied, ""},
		{TCP, "[::ffff:192.168.1.5]:80", denied, ""},
		{TCP, "10.77.0.1:5432", "host", "127.0.0.1:5432"},
		{UDP, "10.77.0.1:5432", "host", "127.0.0.1:5432"},
		{TCP, "10.77.0.1:8000", "host", "127.0.0.1:8000"},
		{TCP, "10.77.0.1:8099", "host", "127.0.0.1:8099"},
		{TCP, "10.77.0.1:8100", denied, ""},
		{TCP, "10.77.0.1:53", "dns", ""},
		{UDP, "10.77.0.1:53", "dns", ""},
		{TCP, "10.77.0.1:9400", "lambda", ""},
		{UDP, "10.77.0.1:9400", denied, ""},
		{TCP, "10.77.0.1:9401", denied, ""},
	} {
		dst := netip.MustParseAddrPort(test.dst)
		got := p.Decide(test.proto, dst)
		if got.Verdict.String() != test.want {
			t.Errorf("%s %s: %s (%s), want %s", test.proto.Network(), test.dst, got.Verdict, got.Reason, test.want)
		}
		want := netip.AddrPort{}
		if got.Verdict == Allow || got.Verdict == Host {
			want = dst
			if test.wantAddr != "" {
				want = netip.MustParseAddrPort(test.wantAddr)
			}
		}
		if got.Addr != want {
			t.Errorf("%s %s: dials %s, want %s", test.proto.Network(), test.dst, got.Addr, want)
		}
		if (got.Verdict == Deny) != (got.Reason != "") {
			t.Errorf("%s %s: %s with the reason %q", test.proto.Network(), test.dst, got.Verdict, got.Reason)
		}
	}
}

func TestDecideZero(t *testing.T) {
	p := &Policy{}
	if d := p.Decide(TCP, netip.AddrPort{}); d.Verdict != Deny {
		t.Errorf("no destination: %s", d.Verdict)
	}
	for _, port := range []uint16{80, 9400} {
		if d := p.Decide(TCP, netip.AddrPortFrom(netip.MustParseAddr(HostAddress), port)); d.Verdict != Deny {
			t.Errorf("port %d of the host: %s", port, d.Verdict)
		}
	}
}

func TestParseHostPorts(t *testing.T) {
	for _, test := range []struct {
		text    string
		in, out []uint16
		want    string // String; empty means text
	}{
		{"all", []uint16{1, 80, 65535}, []uint16{0}, ""},
		{"none", nil, []uint16{1, 80, 65535}, ""},
		{"80", []uint16{80}, []uint16{79, 81}, ""},
		{"80, 90-92", []uint16{80, 90, 91, 92}, []uint16{89, 93}, "80,90-92"},
		{"65535", []uint16{65535}, []uint16{65534}, ""},
	} {
		h, err := ParseHostPorts(test.text)
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		for _, port := range test.in {
			if !h.Contains(port) {
				t.Errorf("%q lacks %d", test.text, port)
			}
		}
		for _, port := range test.out {
			if h.Contains(port) {
				t.Errorf("%q has %d", test.text, port)
			}
		}
		want := test.want
		if want == "" {
			want = test.text
		}
		if diff := cmp.Diff(want, h.String()); diff != "" {
			t.Errorf("%q:\n%s", test.text, diff)
		}
	}
	for _, text := range []string{"", "0", "65536", "a", "5-4", "1-", "-1", "1,,2", "80;90", "ALL"} {
		if _, err := ParseHostPorts(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}
