package server

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/lambhq/lamb/internal/gateway"
)

func TestInsideListener(t *testing.T) {
	l := newInsideListener()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	theirs, err := l.dial(context.Background(), "env-1")
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	c := <-accepted
	defer c.Close()
	if e, ok := c.(gateway.EnvironmentConn); !ok || e.Environment != "env-1" {
		t.Errorf("accepted %#v", c)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.dial(gone, "env-1"); !errors.Is(err, context.Canceled) {
		t.Errorf("dial of a caller who has gone: %v", err)
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Error(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	if _, err := l.dial(context.Background(), "env-1"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("dial after Close: %v", err)
	}
}

func TestHostPortsDefault(t *testing.T) {
	for listen, want := range map[string]string{"127.0.0.1:3001": "all", "localhost:0": "all", "0.0.0.0:3001": "none"} {
		ports, err := (&Config{Listen: listen}).hostPorts()
		if err != nil || ports.String() != want {
			t.Errorf("%s: %v, %v, want %s", listen, ports, err, want)
		}
	}
	if ports, err := (&Config{Listen: "0.0.0.0:1", HostPorts: "5432"}).hostPorts(); err != nil || ports.String() != "5432" {
		t.Errorf("given: %v, %v", ports, err)
	}
	if _, err := (&Config{Listen: "127.0.0.1:1", HostPorts: "x"}).hostPorts(); err == nil {
		t.Error("a bad list was accepted")
	}
}
