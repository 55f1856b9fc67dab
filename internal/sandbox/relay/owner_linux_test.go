package relay

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOwner: an ordinary user, in the host's namespaces, serves a namespace
// inside a user namespace that belongs to that user: so it is with lamb
// without root.
func TestOwner(t *testing.T) {
	needNamespace(t)
	ip(t, "link", "set", "lo", "up")
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asPart+"=owner")
	if os.Geteuid() == 0 {
		const ordinary = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinary, Gid: ordinary}}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL) {
		t.Skip("no second user here: ", err)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == cannot {
		t.Skipf("%s", out)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// cannot is the exit code for what this host does not allow.
const cannot = 77

// play plays a part of TestOwner in a process of its own.
func play(part string) int {
	run := playOwner
	if part == "inside" {
		run = playInside
	}
	err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, part+":", err)
	}
	switch {
	case errors.Is(err, errCannot):
		return cannot
	case err != nil:
		return 1
	}
	return 0
}

var errCannot = errors.New("an ordinary user cannot make namespaces here")

func playOwner() error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asPart+"=inside")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
		Pdeathsig:   syscall.SIGKILL,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Getegid(), Size: 1}},
		AmbientCaps: []uintptr{unix.CAP_NET_RAW},
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w: %w", errCannot, err)
	}
	theirs.Close()
	buf, oob := make([]byte, 8), make([]byte, unix.CmsgSpace(4*Sockets))
	_, oobn, _, _, err := unix.Recvmsg(pair[0], buf, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		return fmt.Errorf("%d control messages: %w", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	in, err := Setup(fds)
	if err != nil {
		return err
	}
	ports, err := ParseHostPorts("all")
	if err != nil {
		return err
	}
	r, err := New(Config{Policy: Policy{HostPorts: ports}})
	if err != nil {
		return err
	}
	defer r.Close()
	s := r.Serve(in, SessionConfig{})
	defer s.Close()
	if _, err := unix.Write(pair[0], []byte(strconv.Itoa(int(port(l.Addr()))))); err != nil {
		return err
	}
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	if _, err := conn.Write([]byte("lamb")); err != nil {
		return err
	}
	conn.Close()
	return cmd.Wait()
}

// playInside opens the sockets, hands them over and asks the host.
func playInside() error {
	fds, err := OpenSockets()
	if err != nil {
		return err
	}
	if err := unix.Sendmsg(3, []byte("x"), unix.UnixRights(fds...), nil, 0); err != nil {
		return err
	}
	closeAll(fds)
	buf := make([]byte, 8)
	n, err := unix.Read(3, buf)
	if err != nil || n == 0 {
		return fmt.Errorf("the owner has ended: %w", err)
	}
	conn, err := net.Dial("tcp4", HostAddress+":"+string(buf[:n]))
	if err != nil {
		return err
	}
	defer conn.Close()
	n, err = conn.Read(buf)
	if err != nil || string(buf[:n]) != "lamb" {
		return fmt.Errorf("heard %q: %w", buf[:n], err)
	}
	return nil
}
