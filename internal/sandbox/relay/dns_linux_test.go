package relay

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// nameServer answers every A query with an address, over both protocols.
type nameServer struct {
	queries atomic.Int32
	// wrong makes it send an answer to another query first, over UDP.
	wrong bool
}

func (s *nameServer) answer(msg []byte) []byte {
	q, rcode, ok := parseQuestion(msg)
	if !ok {
		return nil
	}
	s.queries.Add(1)
	var addr netip.Addr
	if q.kind == typeA {
		addr = netip.MustParseAddr("192.0.2.7")
	}
	return makeAnswer(msg, q, rcode, addr)
}

func (s *nameServer) serve(t *testing.T, world *netns, address string) {
	t.Helper()
	l := world.listen(t, address)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if msg, err := readMessage(conn); err == nil {
				_ = writeMessage(conn, s.answer(msg))
			}
			conn.Close()
		}
	}()
	udp := world.listenUDP(t, address)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			answer := s.answer(buf[:n])
			if s.wrong {
				other := slices.Clone(answer)
				other[0] ^= 1
				_, _ = udp.WriteTo(other, from)
			}
			_, _ = udp.WriteTo(answer, from)
		}
	}()
}

func resolvConf(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// resolver is Go's, inside, over one protocol.
func (n *netns) resolver(network string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return n.dial(network, HostAddress+":53")
	}}
}

func TestDNS(t *testing.T) {
	world := newWorld(t)
	server := &nameServer{wrong: true}
	server.serve(t, world, worldAddr+":53")
	// The first is closed: the second is asked.
	conf := resolvConf(t, "nameserver 198.18.0.1\nnameserver "+worldAddr+"\n")
	env, _ := newEnvironment(t, Config{ResolvConf: conf, Name: "sandbox"}, SessionConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, network := range []string{"udp4", "tcp4"} {
		r := env.resolver(network)
		for _, test := range []struct {
			name, network string
			want          string // empty: no such host
			asked         bool
		}{
			{HostName + ".", "ip4", HostAddress, false},
			{HostName + ".", "ip6", "", false},
			{"other.lamb.internal.", "ip", "", false},
			{"sandbox.", "ip4", "127.0.0.1", false},
			{"example.com.", "ip4", "192.0.2.7", true},
		} {
			before := server.queries.Load()
			got, err := r.LookupNetIP(ctx, test.network, test.name)
			if test.want == "" {
				dnsErr, ok := errors.AsType[*net.DNSError](err)
				if !ok || !dnsErr.IsNotFound {
					t.Errorf("%s, %s: %v, %v; want not found", network, test.name, got, err)
				}
			} else if err != nil || len(got) != 1 || got[0].Unmap().String() != test.want {
				t.Errorf("%s, %s: %v, %v; want %s", network, test.name, got, err, test.want)
			}
			if asked := server.queries.Load() > before; asked != test.asked {
				t.Errorf("%s, %s: the host's name server was asked: %v", network, test.name, asked)
			}
		}
	}
}

// TestDNSFails: without a name server there is an answer all the same.
func TestDNSFails(t *testing.T) {
	newWorld(t)
	path := resolvConf(t, "nameserver "+hostAddr+"\n")
	env, _ := newEnvironment(t, Config{ResolvConf: path}, SessionConfig{})
	for _, network := range []string{"udp4", "tcp4"} {
		conn := mustDial(t, env, network, HostAddress+":53")
		msg := query("example.com", typeA)
		var answer []byte
		var err error
		if network == "tcp4" {
			if err := writeMessage(conn, msg); err != nil {
				t.Fatal(err)
			}
			answer, err = readMessage(conn)
		} else {
			if _, err := conn.Write(msg); err != nil {
				t.Fatal(err)
			}
			answer = make([]byte, 512)
			_, err = conn.Read(answer)
		}
		if err != nil || answer[3]&0xf != rcodeServFail {
			t.Errorf("%s: %x, %v; want SERVFAIL", network, answer, err)
		}
	}
}

// TestResolvConfChanges: a new file has new name servers.
func TestResolvConfChanges(t *testing.T) {
	path := resolvConf(t, "nameserver 192.0.2.1\n")
	r := &resolvers{path: path}
	expect := func(want string) {
		t.Helper()
		if got := r.current(); len(got) != 1 || got[0].String() != want+":53" {
			t.Errorf("%v, want %s", got, want)
		}
	}
	expect("192.0.2.1")
	if err := os.WriteFile(path, []byte("nameserver 192.0.2.2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	expect("192.0.2.2")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect("192.0.2.2")
}
