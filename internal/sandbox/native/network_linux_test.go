package native_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/native"
	"github.com/lambhq/lamb/internal/sandbox/relay"
	"github.com/lambhq/lamb/internal/sandbox/sandboxtest"
)

// greet answers every connection with a text.
func greet(t *testing.T, text string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, text+"\n")
			c.Close()
		}
	}()
	return l
}

func portOf(l net.Listener) uint16 { return uint16(l.Addr().(*net.TCPAddr).Port) }

// bash runs a script in a sandbox of its own; its connections are bash's
// /dev/tcp.
func bash(t *testing.T, p *native.Provider, script string) string {
	t.Helper()
	sb, err := p.Create(context.Background(), sandbox.Spec{ID: "curious", Task: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	return bashIn(t, sb, script)
}

func bashIn(t *testing.T, sb sandbox.Sandbox, script string) string {
	t.Helper()
	program, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	out := &text{}
	proc, err := sb.Start(context.Background(), sandbox.Process{
		Path: program, Args: []string{"-c", script}, Env: lambdaEnv, Stdout: out, Stderr: out,
	})
	if err != nil {
		t.Fatal(err)
	}
	<-proc.Done()
	sb.Flush()
	return out.String()
}

// TestPrivateNetwork: what is allowed of the host is reached by its name, also
// from a prepared shell; the Lambda API by the sandbox's own way; nothing else.
func TestPrivateNetwork(t *testing.T) {
	open, closed, api := greet(t, "hello"), greet(t, "secret"), greet(t, "nobody")
	ports, err := relay.ParseHostPorts(fmt.Sprintf("%d,%d", portOf(open), portOf(api)))
	if err != nil {
		t.Fatal(err)
	}
	for _, ready := range []int{0, 1} {
		p := newProvider(t, native.Config{
			Ready: ready, Stores: []string{"/tmp"},
			Policy: relay.Policy{HostPorts: ports, LambdaPort: portOf(api)},
			LambdaAPI: func(_ context.Context, id string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				go func() {
					_, _ = io.WriteString(theirs, "lambda for "+id+"\n")
					theirs.Close()
				}()
				return ours, nil
			},
		})
		native.AwaitPool(t, p)
		if name := p.Fingerprint().Network; name != native.NetworkPrivate {
			t.Skipf("the network is %s: %q", name, p.Fingerprint().Missing)
		}
		var script strings.Builder
		get := func(host string, l net.Listener) {
			fmt.Fprintf(&script, "(exec 3<>/dev/tcp/%s/%d && cat <&3) 2>/dev/null || echo no\n", host, portOf(l))
		}
		get("host.lamb.internal", open)
		get("host.lamb.internal", api)
		get("host.lamb.internal", closed)
		get("127.0.0.1", open)
		get("169.254.169.254", open)
		script.WriteString("cat /etc/resolv.conf\n")
		want := "hello\nlambda for curious\nno\nno\nno\nnameserver 10.77.0.1\n"
		if out := bash(t, p, script.String()); out != want {
			t.Errorf("with %d shells ready:\n%s\nwant\n%s", ready, out, want)
		}
	}
}

// TestPrivateNetworkRootless is the same as an ordinary user.
func TestPrivateNetworkRootless(t *testing.T) {
	if !sandboxtest.AsOrdinaryUser(t, "^TestPrivateNetwork$") {
		t.Skip("this is an ordinary user: TestPrivateNetwork is the same")
	}
}

func TestNoNetwork(t *testing.T) {
	l := greet(t, "hello")
	all, err := relay.ParseHostPorts("all")
	if err != nil {
		t.Fatal(err)
	}
	p := newProvider(t, native.Config{Network: native.NetworkNone, Policy: relay.Policy{HostPorts: all}})
	if name := p.Fingerprint().Network; name != native.NetworkNone {
		t.Errorf("the network is %s", name)
	}
	out := bash(t, p, fmt.Sprintf("(exec 3<>/dev/tcp/10.77.0.1/%d && cat <&3) 2>&1 | grep -om1 'unreachable$'", portOf(l)))
	if out != "unreachable\n" {
		t.Errorf("%q", out)
	}
}

func TestUnknownNetwork(t *testing.T) {
	p, err := native.New(native.Config{WorkDir: t.TempDir(), Network: "bridge"})
	if err == nil {
		p.Close()
		t.Error("an unknown network is accepted")
	}
}

// TestHostNetwork: what is on this host is reached, and only this sandbox
// reaches its Runtime API, as far as users can be told apart.
func TestHostNetwork(t *testing.T) {
	l := greet(t, "hello")
	p := newProvider(t, native.Config{Network: native.NetworkHost, Ready: 1, Stores: []string{os.TempDir()}})
	native.AwaitPool(t, p)
	if fp := p.Fingerprint(); fp.Network != native.NetworkHost || fp.Isolation {
		t.Errorf("%+v", fp)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	owner, err := p.Create(ctx, sandbox.Spec{ID: "owner", Task: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	go func() {
		for {
			c, err := owner.Listener().Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "event\n")
			c.Close()
		}
	}()
	get := func(address string) string {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("(exec 3<>/dev/tcp/%s/%s && cat <&3) 2>/dev/null || echo no\n", host, port)
	}
	services := get(l.Addr().String()) + get(fmt.Sprint("host.lamb.internal:", portOf(l)))

	out := bashIn(t, owner, services+get(owner.Address()))
	if want := "hello\nhello\nevent\n"; out != want {
		t.Errorf("its own: %q, want %q", out, want)
	}
	want := "hello\nhello\n"
	if os.Geteuid() != 0 {
		want += "event\n" // the same user, as the fingerprint says
	}
	// A connection that is closed at once looks open to bash.
	if out := bash(t, p, services+get(owner.Address())); out != want && out != want+"no\n" {
		t.Errorf("another's: %q, want %q", out, want)
	}
}

// TestHostNetworkRootless is the same as an ordinary user.
func TestHostNetworkRootless(t *testing.T) {
	if !sandboxtest.AsOrdinaryUser(t, "^TestHostNetwork$") {
		t.Skip("this is an ordinary user: TestHostNetwork is the same")
	}
}
