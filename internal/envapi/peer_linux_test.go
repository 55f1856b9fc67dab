package envapi

import (
	"io"
	"net"
	"runtime"
	"testing"
)

// lateListener accepts only connections that their clients have closed, as
// long as there is something in late.
type lateListener struct {
	net.Listener
	late chan struct{}
}

func (l *lateListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err == nil && len(l.late) > 0 {
		for !peerClosed(nc) {
			runtime.Gosched()
		}
		<-l.late
	}
	return nc, err
}

// TestDeadPeer: a client that has died before its connection was accepted is
// heard, as any that only closes early is; but not after CloseConnections,
// which wants it forgotten.
func TestDeadPeer(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &lateListener{inner, make(chan struct{}, 1)}
	f := newFake()
	s := New(Config{Handler: f})
	done := make(chan error, 1)
	l.late <- struct{}{}
	go func() { done <- s.Serve(l) }()
	defer func() {
		inner.Close()
		s.Close()
		<-done
	}()
	die := func() {
		t.Helper()
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, get(nextPath)); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	die()
	receive(t, f.waiters)

	s.CloseConnections()
	l.late <- struct{}{}
	die()
	p := dial(t, inner.Addr().String()) // accepted after it
	p.send(get("/2018-06-01/ping"))
	if _, body := p.answer("GET"); body != "pong" {
		t.Errorf("later connection: %q", body)
	}
	s.CloseConnections() // waits for those that are open
	select {
	case <-f.waiters:
		t.Error("a dead client's request was heard after CloseConnections")
	default:
	}
}
