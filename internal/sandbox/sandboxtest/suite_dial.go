//go:build unix

package sandboxtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
)

// dialInto is the sandbox's Dial to a port of its loopback.
func (k *kit) dialInto(ctx context.Context, port string) (net.Conn, error) {
	return k.Sandbox.(sandbox.Dialer).Dial(ctx, "tcp", "127.0.0.1:"+port)
}

// serve starts a server that answers by a name and returns its port. A port
// of 0 is any that is free.
func (k *kit) serve(port, name string) string {
	k.t.Helper()
	var out output
	k.start(&out, "serve:127.0.0.1:"+port+"="+name)
	out.stdout.await(k.t, "port", func() bool { return len(out.stdout.lines()) > 0 })
	return strings.TrimPrefix(out.stdout.lines()[0], "port ")
}

// ask sends a line to a server and returns its answer.
func ask(conn net.Conn, line string) (string, error) {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintln(conn, line); err != nil {
		return "", err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(answer), err
}

// mustReach checks that the server at a port is the one of this name.
func (k *kit) mustReach(port, name string) {
	k.t.Helper()
	conn, err := k.dialInto(k.ctx, port)
	if err != nil {
		k.t.Error(err)
		return
	}
	defer conn.Close()
	if answer, err := ask(conn, "hello"); err != nil || answer != name+" hello" {
		k.t.Errorf("%s answers %q, %v", name, answer, err)
	}
}

// dial: a server inside is reached, that of this very sandbox, by many at
// once, and after a reset the next one.
func (s *suite) dial(t *testing.T) {
	p := s.newProvider(t)
	a, b := newKit(t, p, "a", nil), newKit(t, p, "b", nil)
	port := a.serve("0", "a")
	a.mustReach(port, "a")
	other, own := "0", p.Fingerprint().Network != "host"
	if own {
		if _, err := b.dialInto(b.ctx, port); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("another sandbox's server: %v", err)
		}
		other = port
	}
	other = b.serve(other, "b")
	b.mustReach(other, "b")

	before := descriptorCount(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				a.mustReach(port, "a")
			}
		})
	}
	wg.Wait()
	if after := descriptorCount(t); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}

	conn, err := a.dialInto(a.ctx, port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	a.kill()
	if answer, err := ask(conn, "hello"); err == nil {
		t.Errorf("a killed server answers %q", answer)
	}
	// On the host's network somebody else may have the port by now.
	if _, err := a.dialInto(a.ctx, port); own && !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the port of a killed server: %v", err)
	}
	a.mustReach(a.serve("0", "next"), "next")
	b.mustReach(other, "b")

	if conn, err = b.dialInto(b.ctx, other); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if answer, err := ask(conn, "hello"); err == nil {
		t.Errorf("a closed sandbox answers %q", answer)
	}
	if _, err := b.dialInto(b.ctx, other); !errors.Is(err, sandbox.ErrClosed) {
		t.Errorf("dial into a closed sandbox: %v", err)
	}
}

func (s *suite) dialErrors(t *testing.T) {
	k := newKit(t, s.newProvider(t), "a", nil)
	dialer := k.Sandbox.(sandbox.Dialer)
	port := k.serve("0", "a")
	for _, target := range [][2]string{
		{"tcp", "10.77.0.1:" + port}, {"tcp", "0.0.0.0:" + port}, {"tcp", "169.254.169.254:80"}, {"tcp", "[::1]:" + port},
		{"tcp", "localhost:" + port}, {"tcp", "127.0.0.1"}, {"tcp", "127.0.0.1:0"}, {"tcp", "127.0.0.1:http"},
		{"tcp", ":" + port}, {"tcp", ""}, {"udp", "127.0.0.1:" + port}, {"unix", "/tmp/socket"}, {"", "127.0.0.1:" + port},
	} {
		if conn, err := dialer.Dial(k.ctx, target[0], target[1]); err == nil {
			t.Errorf("dial %q: connected", target)
			conn.Close()
		}
	}
	ended, cancel := context.WithCancel(k.ctx)
	cancel()
	if _, err := k.dialInto(ended, port); !errors.Is(err, context.Canceled) {
		t.Errorf("dial with an ended context: %v", err)
	}
	// Not accepted and then reset, as what goes through a relay.
	if _, err := k.dialInto(k.ctx, "1"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial where nobody listens: %v", err)
	}
	k.mustReach(port, "a")
}

// dialFrozen: connecting into a frozen sandbox works or ends with its context;
// it keeps nobody from thawing, and nothing of it is left.
func (s *suite) dialFrozen(t *testing.T) {
	p := s.newProvider(t)
	if !p.Fingerprint().Freeze {
		t.Skip("this sandbox does not freeze")
	}
	k := newKit(t, p, "a", nil)
	port := k.serve("0", "a")
	k.mustReach(port, "a")
	before := descriptorCount(t)
	for range 3 {
		if err := k.Freeze(k.ctx); err != nil {
			t.Fatal(err)
		}
		var waiting sync.WaitGroup
		waiting.Go(func() { k.mustReach(port, "a") }) // begins before the others end
		for range 3 {
			ctx, cancel := context.WithTimeout(k.ctx, 10*time.Millisecond)
			conn, err := k.dialInto(ctx, port)
			cancel()
			if err == nil {
				conn.Close()
			} else if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("dial into a frozen sandbox: %v", err)
			}
		}
		if err := k.Thaw(k.ctx); err != nil {
			t.Fatal(err)
		}
		waiting.Wait()
	}
	if after := descriptorCount(t); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}

	// One that waits when the sandbox is closed.
	if err := k.Freeze(k.ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		conn, err := k.dialInto(k.ctx, port)
		if err == nil {
			_, _ = io.Copy(io.Discard, conn) // to its end
			err = errors.Join(sandbox.ErrClosed, conn.Close())
		}
		done <- err
	}()
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if !errors.Is(err, sandbox.ErrClosed) && !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial while the sandbox is closed: %v", err)
		}
	case <-time.After(patience):
		t.Error("dial does not end with the sandbox")
	}
}
