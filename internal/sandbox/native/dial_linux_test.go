package native_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lambhq/lamb/internal/sandbox/native"
	"github.com/lambhq/lamb/internal/sandbox/sandboxtest"
)

// TestConnectEnds: connecting to a server that accepts nobody ends with the
// context.
func TestConnectEnds(t *testing.T) {
	server, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(server)
	if err := unix.Bind(server, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(server, 0); err != nil {
		t.Fatal(err)
	}
	to := addressOf(t, server)
	// The kernel connects one or two, then none.
	for range 10 {
		client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		conn, err := native.Connect(ctx, client, to)
		cancel()
		if err == nil {
			defer conn.Close()
			continue
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		return
	}
	t.Error("a server that accepts nobody has ten connections")
}

// TestConnectToItself: a socket whose own port is where nobody listens is not
// connected.
func TestConnectToItself(t *testing.T) {
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(client, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	conn, err := native.Connect(context.Background(), client, addressOf(t, client))
	if !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("%v, %v", conn, err)
	}
}

// TestConnectReset: a server that resets a connection at once, as hostile
// subscribers do, is an error and nothing worse.
func TestConnectReset(t *testing.T) {
	server, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	client, err := net.Dial("tcp4", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	accepted, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(accepted.(*net.TCPConn).SetLinger(0), accepted.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
		t.Fatal(err)
	}
	f, err := client.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if conn, err := native.ConnectionOf(f); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("%v, %v", conn, err)
	}
}

// addressOf is a socket's own.
func addressOf(t *testing.T, fd int) netip.AddrPort {
	t.Helper()
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	v4 := name.(*unix.SockaddrInet4)
	return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), uint16(v4.Port))
}

// TestHosts: a server inside is found by both of AWS's names.
func TestHosts(t *testing.T) {
	for _, network := range []string{native.NetworkNone, native.NetworkHost} {
		p := newProvider(t, native.Config{Network: network})
		out := bash(t, p, "while read -r address names; do case \" $names \" in *' sandbox sandbox.localdomain '*) echo $address;; esac; done </etc/hosts")
		if out != "127.0.0.1\n" {
			t.Errorf("with network %s: %q", network, out)
		}
	}
}

// TestDialRootless is the suite's part as an ordinary user, on prepared shells;
// TestRootless has it on fresh ones.
func TestDialRootless(t *testing.T) {
	if !sandboxtest.AsOrdinaryUser(t, "^TestConformancePool$/^Dial") {
		t.Skip("this is an ordinary user: TestConformancePool is the same")
	}
}
