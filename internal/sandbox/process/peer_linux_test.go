package process

import (
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestStranger: another user's connection is closed, the next one is served.
func TestStranger(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can act as another user")
	}
	shell, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash, which can connect")
	}
	_, sb := newTestBox(t)
	_, port, err := net.SplitHostPort(sb.Address())
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := sb.Listener().Accept()
		if err == nil {
			accepted <- c
		}
	}()
	stranger := exec.Command(shell, "-c", "exec 3<>/dev/tcp/127.0.0.1/"+port+"; cat <&3; echo closed")
	stranger.Dir = "/"
	stranger.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	// cat ends when the connection is closed, with or without an error.
	out, err := stranger.Output()
	if err != nil || string(out) != "closed\n" {
		t.Fatalf("stranger: %q, %v", out, err)
	}
	select {
	case c := <-accepted:
		t.Fatalf("%s was accepted", c.RemoteAddr())
	default:
	}
	friend, err := net.Dial("tcp4", sb.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer friend.Close()
	select {
	case c := <-accepted:
		defer c.Close()
		if c.RemoteAddr().String() != friend.LocalAddr().String() {
			t.Errorf("accepted %s", c.RemoteAddr())
		}
	case <-time.After(patience):
		t.Fatal("our own connection was not accepted")
	}
}
