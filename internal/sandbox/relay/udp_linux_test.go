package relay

import (
	"bytes"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestUDP(t *testing.T) {
	world := newWorld(t)
	server := world.listenUDP(t, worldAddr+":0")
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := server.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if _, err := server.WriteToUDPAddrPort(buf[:n], from); err != nil {
				return
			}
		}
	}()
	env, s := newEnvironment(t, Config{}, SessionConfig{})
	conn := mustDial(t, env, "udp4", server.LocalAddr().String())
	buf := make([]byte, 1<<16)
	for _, size := range []int{1, 0, 1400, 30_000, maxPayload} {
		sent := bytes.Repeat([]byte{byte(size), 7}, size/2+1)[:size]
		if _, err := conn.Write(sent); err != nil {
			t.Fatal(size, err)
		}
		n, err := conn.Read(buf)
		if err != nil || !bytes.Equal(buf[:n], sent) {
			t.Fatalf("%d bytes: %d came back, %v", size, n, err)
		}
	}
	if n := s.flows.count(); n != 1 {
		t.Errorf("%d flows, want 1", n)
	}
}

// TestUDPDenied: a program hears at once that nobody receives.
func TestUDPDenied(t *testing.T) {
	world := newWorld(t)
	closed := world.listenUDP(t, worldAddr+":0")
	closed.Close()
	metadata := world.listenUDP(t, metadataAddr+":0")
	env, s := newEnvironment(t, Config{}, SessionConfig{})
	if _, err := env.dial("udp4", metadata.LocalAddr().String()); !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("metadata: %v, want EHOSTUNREACH", err)
	}
	for name, address := range map[string]string{
		"the host":      hostAddr + ":9",
		"its loopback":  HostAddress + ":9",
		"a closed port": closed.LocalAddr().String(),
	} {
		conn := mustDial(t, env, "udp4", address)
		if _, err := conn.Write([]byte("odd")); err != nil {
			t.Fatal(name, err)
		}
		if _, err := conn.Read(make([]byte, 8)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: %v, want ECONNREFUSED", name, err)
		}
	}
	if n := s.flows.count(); n > 1 {
		t.Errorf("%d flows, only the closed port has one", n)
	}
	if err := metadata.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := metadata.ReadFrom(make([]byte, 8)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the metadata server was reached: %v", err)
	}
}

// TestFlows: they end when idle, and are bounded.
func TestFlows(t *testing.T) {
	world := newWorld(t)
	server := world.listenUDP(t, worldAddr+":0")
	env, s := newEnvironment(t, Config{Limits: Limits{Flows: 3, FlowIdle: 100 * time.Millisecond}}, SessionConfig{})
	for range 10 {
		conn := mustDial(t, env, "udp4", server.LocalAddr().String())
		if _, err := conn.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := server.ReadFrom(make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
		if n := s.flows.count(); n > 3 {
			t.Fatalf("%d flows, the limit is 3", n)
		}
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for s.flows.count() > 0 {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d flows never end", s.flows.count())
		}
	}
}

// TestFlowLimitOfAll: a flow too many is refused, and none is counted twice.
func TestFlowLimitOfAll(t *testing.T) {
	world := newWorld(t)
	server := world.listenUDP(t, worldAddr+":0")
	env, s := newEnvironment(t, Config{Limits: Limits{TotalConnections: 1}}, SessionConfig{})
	send := func() net.Conn {
		conn := mustDial(t, env, "udp4", server.LocalAddr().String())
		if _, err := conn.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	send()
	if _, _, err := server.ReadFrom(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	if _, err := send().Read(make([]byte, 8)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("beyond the limit: %v, want ECONNREFUSED", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(s.relay.total); n != 0 {
		t.Errorf("%d are counted after the end", n)
	}
}
