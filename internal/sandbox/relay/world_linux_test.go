package relay

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// The tests run in a network namespace of their own, which is the host of
// these tests; another is the rest of the world, at the other end of a cable:
// nothing reaches a real network.
const (
	hostAddr     = "198.18.0.1"
	worldAddr    = "198.18.0.2"
	metadataAddr = "169.254.169.254" // of the world

	inNamespace = "LAMB_RELAY_TEST"      // "yes", or why not
	asPart      = "LAMB_RELAY_TEST_PART" // a part that a test plays in another process
)

func TestMain(m *testing.M) {
	if part := os.Getenv(asPart); part != "" {
		os.Exit(play(part))
	}
	if os.Getenv(inNamespace) != "" {
		goleak.VerifyTestMain(m)
		return
	}
	cmd := again("yes", unix.CLONE_NEWNET)
	if err := cmd.Start(); err != nil {
		cmd = again("no network namespace: "+err.Error(), 0)
		if err := cmd.Start(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	err := cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// again is this test program once more.
func again(why string, flags uintptr) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inNamespace+"="+why)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = namespaces(flags)
	return cmd
}

// namespaces are new ones, with a user namespace where they need it.
func namespaces(flags uintptr) *syscall.SysProcAttr {
	sys := &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
	if flags != 0 && os.Geteuid() != 0 {
		sys.Cloneflags |= unix.CLONE_NEWUSER
		sys.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		sys.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	return sys
}

// netns is a network namespace.
type netns struct{ file *os.File }

// newNetns makes one.
func newNetns(t testing.TB) *netns {
	t.Helper()
	n := &netns{}
	err := onThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		n.file, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		t.Fatal("unshare: ", err)
	}
	t.Cleanup(func() { n.file.Close() })
	return n
}

// onThread runs f on a thread that ends with it.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

// do runs f inside the namespace.
func (n *netns) do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		return f()
	})
}

// enterForGood takes the calling goroutine inside; its thread ends with it.
func (n *netns) enterForGood() error {
	runtime.LockOSThread()
	return unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET)
}

// dial connects from inside.
func (n *netns) dial(network, address string) (conn net.Conn, err error) {
	err = n.do(func() (err error) {
		conn, err = net.DialTimeout(network, address, patience)
		return err
	})
	return conn, err
}

// listen listens inside.
func (n *netns) listen(t testing.TB, address string) net.Listener {
	t.Helper()
	var l net.Listener
	err := n.do(func() (err error) {
		l, err = net.Listen("tcp4", address)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// listenUDP opens a UDP socket inside.
func (n *netns) listenUDP(t testing.TB, address string) *net.UDPConn {
	t.Helper()
	var c net.PacketConn
	err := n.do(func() (err error) {
		c, err = net.ListenPacket("udp4", address)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.UDPConn)
}

// newWorld connects the tests' host with a world.
func newWorld(t testing.TB) *netns {
	t.Helper()
	needNamespace(t)
	n := newNetns(t)
	// Its name for ip is that of a file in /proc.
	path := filepath.Join("/proc", fmt.Sprint(os.Getpid()), "fd", fmt.Sprint(n.file.Fd()))
	ip(t, "link", "set", "lo", "up")
	ip(t, "link", "add", "cable", "type", "veth", "peer", "name", "far")
	t.Cleanup(func() { ip(t, "link", "del", "cable") })
	ip(t, "link", "set", "far", "netns", path)
	ip(t, "addr", "add", hostAddr+"/24", "dev", "cable")
	ip(t, "link", "set", "cable", "up")
	ip(t, "route", "add", metadataAddr, "dev", "cable")
	if err := n.do(func() error {
		ip(t, "addr", "add", worldAddr+"/24", "dev", "far")
		ip(t, "addr", "add", metadataAddr+"/32", "dev", "far")
		ip(t, "link", "set", "lo", "up")
		ip(t, "link", "set", "far", "up")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func needNamespace(t testing.TB) {
	t.Helper()
	if why := os.Getenv(inNamespace); why != "yes" {
		t.Skip(why)
	}
}

// ip runs the program, in the calling thread's namespace.
func ip(t testing.TB, args ...string) {
	t.Helper()
	program, err := exec.LookPath("ip")
	if err != nil {
		t.Skip(err)
	}
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Errorf("ip %v: %v\n%s", args, err, out)
	}
}

// newInlet sets a new namespace up.
func newInlet(t testing.TB) (*netns, *Inlet) {
	t.Helper()
	n := newNetns(t)
	var fds []int
	if err := n.do(func() (err error) {
		fds, err = OpenSockets()
		return err
	}); err != nil {
		t.Fatal(err)
	}
	in, err := Setup(fds)
	if err != nil {
		t.Fatal(err)
	}
	return n, in
}

// newEnvironment is a served namespace.
func newEnvironment(t testing.TB, cfg Config, session SessionConfig) (*netns, *Session) {
	t.Helper()
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n, in := newInlet(t)
	s := r.Serve(in, session)
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), r.Close()); err != nil {
			t.Error(err)
		}
	})
	return n, s
}

// echoTCP answers every connection with what it sends, until the listener is
// closed; the channel has an element for each.
func echoTCP(t testing.TB, l net.Listener) <-chan struct{} {
	t.Helper()
	accepted := make(chan struct{}, 1000)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- struct{}{}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return accepted
}

func port(a net.Addr) uint16 {
	switch a := a.(type) {
	case *net.TCPAddr:
		return uint16(a.Port)
	case *net.UDPAddr:
		return uint16(a.Port)
	}
	return 0
}
