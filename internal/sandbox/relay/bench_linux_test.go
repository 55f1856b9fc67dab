package relay

import (
	"errors"
	"net"
	"testing"
	"time"
)

// BenchmarkSetup is what a private network adds to making a sandbox.
func BenchmarkSetup(b *testing.B) {
	needNamespace(b)
	for b.Loop() {
		b.StopTimer()
		n := newNetns(b)
		b.StartTimer()
		var fds []int
		if err := n.do(func() (err error) {
			fds, err = OpenSockets()
			return err
		}); err != nil {
			b.Fatal(err)
		}
		in, err := Setup(fds)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		in.Close()
		b.StartTimer()
	}
}

// BenchmarkConnect is a connection with one exchange, inside a sandbox and on
// the host.
func BenchmarkConnect(b *testing.B) {
	world := newWorld(b)
	l := world.listen(b, worldAddr+":0")
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer reset(conn)
				buf := make([]byte, 4)
				if n, err := conn.Read(buf); err == nil {
					_, _ = conn.Write(buf[:n])
				}
				_, _ = conn.Read(buf)
			}()
		}
	}()
	env, _ := newEnvironment(b, Config{}, SessionConfig{})
	once := func(b *testing.B) {
		for b.Loop() {
			conn, err := net.Dial("tcp4", l.Addr().String())
			if err == nil {
				err = errors.Join(conn.SetDeadline(time.Now().Add(patience)), ask(conn))
				reset(conn)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("host", once)
	b.Run("sandbox", func(b *testing.B) {
		if err := env.enterForGood(); err != nil {
			b.Fatal(err)
		}
		once(b)
	})
}
