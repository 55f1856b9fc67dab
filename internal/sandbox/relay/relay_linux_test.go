package relay

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds what should happen at once.
const patience = 10 * time.Second

// mustDial connects from inside.
func mustDial(t *testing.T, n *netns, network, address string) net.Conn {
	t.Helper()
	conn, err := n.dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// ask sends a word and waits for it to come back.
func ask(conn net.Conn) error {
	if _, err := conn.Write([]byte("lamb")); err != nil {
		return err
	}
	answer := make([]byte, 4)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return err
	}
	if string(answer) != "lamb" {
		return fmt.Errorf("answered %q", answer)
	}
	return nil
}

func TestTCP(t *testing.T) {
	world := newWorld(t)
	l := world.listen(t, worldAddr+":0")
	echoTCP(t, l)
	env, _ := newEnvironment(t, Config{}, SessionConfig{})
	conn := mustDial(t, env, "tcp4", l.Addr().String())

	if got := conn.RemoteAddr().String(); got != l.Addr().String() {
		t.Errorf("connected to %s, want %s", got, l.Addr())
	}
	if host, _, _ := net.SplitHostPort(conn.LocalAddr().String()); host != SandboxAddress {
		t.Errorf("connected from %s", host)
	}
	// Both ways at once, more than fits into buffers.
	sent := make([]byte, 8<<20)
	rng := rand.NewChaCha8([32]byte{})
	_, _ = rng.Read(sent)
	var writing sync.WaitGroup
	writing.Go(func() {
		if _, err := conn.Write(sent); err != nil {
			t.Error(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Error(err)
		}
	})
	got, err := io.ReadAll(conn)
	writing.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if sha256.Sum256(got) != sha256.Sum256(sent) {
		t.Errorf("%d bytes came back, not those %d that were sent", len(got), len(sent))
	}
}

func TestHalfClose(t *testing.T) {
	world := newWorld(t)
	l := world.listen(t, worldAddr+":0")
	env, _ := newEnvironment(t, Config{}, SessionConfig{})
	for _, test := range []string{"inside first", "outside first"} {
		inside := mustDial(t, env, "tcp4", l.Addr().String())
		outside, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer outside.Close()
		first, second := inside, outside
		if test == "outside first" {
			first, second = outside, inside
		}
		send := func(c net.Conn, text string) {
			if _, err := io.WriteString(c, text); err != nil {
				t.Fatal(test, err)
			}
			if err := c.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(test, err)
			}
		}
		receive := func(c net.Conn, want string) {
			if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(c)
			if err != nil || string(got) != want {
				t.Fatalf("%s: %q, %v; want %q", test, got, err, want)
			}
		}
		send(first, "question")
		receive(second, "question")
		send(second, "answer")
		receive(first, "answer")
	}
}

func TestReset(t *testing.T) {
	world := newWorld(t)
	l := world.listen(t, worldAddr+":0")
	env, _ := newEnvironment(t, Config{}, SessionConfig{})
	for _, test := range []string{"inside", "outside"} {
		inside := mustDial(t, env, "tcp4", l.Addr().String())
		outside, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		from, to := inside, outside
		if test == "outside" {
			from, to = outside, inside
		}
		reset(from)
		if err := to.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := to.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("reset %s: %v", test, err)
		}
		to.Close()
	}
}

// TestDenied: what the policy refuses is reset, and nobody there hears of it,
// though the host itself gets there.
func TestDenied(t *testing.T) {
	world := newWorld(t)
	all, err := ParseHostPorts("all")
	if err != nil {
		t.Fatal(err)
	}
	listen := func(address string) net.Listener {
		l, err := net.Listen("tcp4", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	metadata := world.listen(t, metadataAddr+":80")
	own := listen(hostAddr + ":0")
	loopback := listen("127.0.0.1:0")
	refused := listen("127.0.0.1:0")
	lambs := listen("127.0.0.1:0")
	closed := world.listen(t, worldAddr+":0")
	closed.Close()

	strict, _ := newEnvironment(t, Config{}, SessionConfig{})
	open, _ := newEnvironment(t, Config{Policy: Policy{HostPorts: all, OwnPorts: []uint16{port(lambs.Addr())}}}, SessionConfig{})
	viaHost := func(l net.Listener) string { return fmt.Sprintf("%s:%d", HostAddress, port(l.Addr())) }
	for _, test := range []struct {
		name        string
		env         *netns
		address     string
		server      net.Listener
		unreachable bool // connect fails, else the connection is reset
	}{
		{"metadata", open, metadata.Addr().String(), metadata, true},
		{"the host's own address", open, own.Addr().String(), own, false},
		{"the host's loopback, directly", open, loopback.Addr().String(), loopback, false},
		{"the host's loopback, not allowed", strict, viaHost(refused), refused, false},
		{"lamb's own port", open, viaHost(lambs), lambs, false},
		{"a closed port", open, closed.Addr().String(), nil, false},
		{"the listener inside", open, SandboxAddress + ":2", nil, false},
		{"the listener inside, by loopback", open, "127.0.0.1:2", nil, false},
		{"the magic network", open, "10.77.0.9:80", nil, true},
		{"multicast", open, "224.0.0.1:80", nil, true},
		{"the Lambda API, without one", open, HostAddress + ":9", nil, false},
	} {
		var heard <-chan struct{}
		if test.server != nil {
			direct, err := net.Dial("tcp4", test.server.Addr().String())
			if err != nil {
				t.Fatalf("%s: the host does not get there: %v", test.name, err)
			}
			accepted, err := test.server.Accept()
			if err != nil {
				t.Fatal(err)
			}
			direct.Close()
			accepted.Close()
			heard = echoTCP(t, test.server)
		}
		conn, err := test.env.dial("tcp4", test.address)
		if err == nil {
			if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			err = ask(conn)
			conn.Close()
		}
		if test.unreachable && (conn != nil || !errors.Is(err, syscall.EHOSTUNREACH)) {
			t.Errorf("%s: %v, want EHOSTUNREACH", test.name, err)
		}
		if !test.unreachable && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.EPIPE) {
			t.Errorf("%s: %v", test.name, err)
		}
		if test.server != nil {
			test.server.Close()
		}
		if len(heard) > 0 {
			t.Errorf("%s was reached", test.name)
		}
	}
}

func TestHostPorts(t *testing.T) {
	needNamespace(t)
	ip(t, "link", "set", "lo", "up")
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	echoTCP(t, l)
	ports, err := ParseHostPorts(fmt.Sprint(port(l.Addr())))
	if err != nil {
		t.Fatal(err)
	}
	env, _ := newEnvironment(t, Config{Policy: Policy{HostPorts: ports}}, SessionConfig{})
	conn := mustDial(t, env, "tcp4", fmt.Sprintf("%s:%d", HostAddress, port(l.Addr())))
	if err := ask(conn); err != nil {
		t.Error(err)
	}
}

// TestLambdaAPI: its port leads to the environment's own way to it, also when
// the host's ports have it.
func TestLambdaAPI(t *testing.T) {
	needNamespace(t)
	all, err := ParseHostPorts("all")
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Policy: Policy{HostPorts: all, LambdaPort: 9400}}
	// Without CloseWrite, as a connection in memory.
	env, _ := newEnvironment(t, cfg, SessionConfig{LambdaAPI: func(context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			_, _ = io.CopyN(theirs, theirs, 4)
		}()
		return ours, nil
	}})
	conn := mustDial(t, env, "tcp4", HostAddress+":9400")
	if err := ask(conn); err != nil {
		t.Error(err)
	}
	if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after its end: %d, %v", n, err)
	}
	failing, _ := newEnvironment(t, cfg, SessionConfig{LambdaAPI: func(context.Context) (net.Conn, error) {
		return nil, errors.New("closed")
	}})
	without, _ := newEnvironment(t, cfg, SessionConfig{})
	for name, env := range map[string]*netns{"failing": failing, "without": without} {
		conn, err := env.dial("tcp4", HostAddress+":9400")
		if err == nil {
			err = errors.Join(conn.SetDeadline(time.Now().Add(patience)), ask(conn))
			conn.Close()
		}
		if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestManyConnections(t *testing.T) {
	world := newWorld(t)
	l := world.listen(t, worldAddr+":0")
	echoTCP(t, l)
	env, _ := newEnvironment(t, Config{Limits: Limits{Connections: 20, Dials: 5}}, SessionConfig{})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			conn, err := env.dial("tcp4", l.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			if err := errors.Join(conn.SetDeadline(time.Now().Add(patience)), ask(conn)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestConnectionLimits: what is too much for an environment waits, what is too
// much for all is reset.
func TestConnectionLimits(t *testing.T) {
	world := newWorld(t)
	l := world.listen(t, worldAddr+":0")
	accepted := echoTCP(t, l)
	r, err := New(Config{Limits: Limits{Connections: 1, TotalConnections: 1}})
	if err != nil {
		t.Fatal(err)
	}
	var envs []*netns
	for range 2 {
		env, in := newInlet(t)
		s := r.Serve(in, SessionConfig{})
		t.Cleanup(func() { s.Close() })
		envs = append(envs, env)
	}
	t.Cleanup(func() { r.Close() })
	first := mustDial(t, envs[0], "tcp4", l.Addr().String())
	if err := ask(first); err != nil {
		t.Fatal(err)
	}
	waiting := mustDial(t, envs[0], "tcp4", l.Addr().String())
	other, err := envs[1].dial("tcp4", l.Addr().String())
	if err == nil {
		err = errors.Join(other.SetDeadline(time.Now().Add(patience)), ask(other))
		other.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("beyond the limit of all: %v", err)
	}
	if n := len(accepted); n != 1 {
		t.Errorf("%d connections arrived, want 1", n)
	}
	first.Close()
	if err := ask(waiting); err != nil {
		t.Errorf("the one that waited: %v", err)
	}
}

// TestEnvironmentsApart: the address of one is never that of another.
func TestEnvironmentsApart(t *testing.T) {
	needNamespace(t)
	all, err := ParseHostPorts("all")
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Policy: Policy{HostPorts: all}}
	a, _ := newEnvironment(t, cfg, SessionConfig{})
	b, _ := newEnvironment(t, cfg, SessionConfig{})
	l := a.listen(t, "0.0.0.0:0")
	accepted := echoTCP(t, l)
	number := port(l.Addr())
	if err := ask(mustDial(t, a, "tcp4", fmt.Sprintf("%s:%d", SandboxAddress, number))); err != nil {
		t.Fatalf("its own: %v", err)
	}
	<-accepted
	for _, host := range []string{SandboxAddress, HostAddress, "10.77.0.3", RuntimeAddress, "127.0.0.1", "0.0.0.0"} {
		conn, err := b.dial("tcp4", fmt.Sprintf("%s:%d", host, number))
		if err == nil {
			err = errors.Join(conn.SetDeadline(time.Now().Add(patience)), ask(conn))
			conn.Close()
		}
		if err == nil {
			t.Errorf("%s: answered", host)
		}
	}
	if len(accepted) > 0 {
		t.Error("another environment was reached")
	}
}

func TestIPv6(t *testing.T) {
	needNamespace(t)
	env, _ := newEnvironment(t, Config{}, SessionConfig{})
	for _, network := range []string{"tcp6", "udp6"} {
		if _, err := env.dial(network, "[2001:db8::1]:80"); !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("%s: %v, want ENETUNREACH", network, err)
		}
	}
}

// TestClose: nothing is left of a session that ends in the middle of its work.
func TestClose(t *testing.T) {
	world := newWorld(t)
	l := world.listen(t, worldAddr+":0")
	silent := world.listenUDP(t, worldAddr+":0")
	r, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	once := func() {
		env, in := newInlet(t)
		s := r.Serve(in, SessionConfig{})
		inside, err := env.dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer inside.Close()
		outside, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer outside.Close()
		// A byte through both: before it, the relay may still be dialling, and
		// a dial that is given up ends without a reset.
		if _, err := inside.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := outside.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		udp, err := env.dial("udp4", silent.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer udp.Close()
		if _, err := udp.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := silent.ReadFrom(make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		for name, conn := range map[string]net.Conn{"inside": inside, "outside": outside} {
			if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%s: %v, want a reset", name, err)
			}
		}
		env.file.Close()
	}
	once() // the first fills pools
	before := openFiles(t)
	for range 5 {
		once()
	}
	// Package net keeps the pipes of splices until they are collected.
	after := openFiles(t)
	for end := time.Now().Add(patience); after > before && time.Now().Before(end); after = openFiles(t) {
		runtime.GC()
	}
	if after > before {
		t.Errorf("%d files are open, %d before", after, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestSetupErrors(t *testing.T) {
	needNamespace(t)
	if _, err := Setup(nil); err == nil {
		t.Error("no sockets are enough")
	}
	n, in := newInlet(t)
	defer in.Close()
	before := openFiles(t)
	var fds []int
	if err := n.do(func() (err error) {
		fds, err = OpenSockets()
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := Setup(fds); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("a second time: %v, want EEXIST", err)
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d files are open, %d before", after, before)
	}
}
