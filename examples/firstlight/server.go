package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	startLimit = 20 * time.Second // for lamb to become ready
	drain      = 10 * time.Second // for calls in flight, once lamb was asked to end
	drainLimit = 15 * time.Second // for lamb to have ended then
	portsToTry = 20               // from the wanted one upwards
)

// server is a running lamb.
type server struct {
	url   string        // where its API is
	ready time.Duration // from its start to its first healthy answer
	log   *tail         // what it says

	cmd    *exec.Cmd
	cancel context.CancelFunc // asks it to end
	done   chan struct{}      // closed when it has ended
}

// startServer runs `lamb serve` on an address, with an empty store, and waits
// until it is ready. When ctx is cancelled lamb is asked to end, as by stop.
func startServer(ctx context.Context, program, address string) (*server, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &server{url: "http://" + address, log: &tail{}, cancel: cancel, done: make(chan struct{})}
	s.cmd = exec.CommandContext(ctx, program, "serve", "--ephemeral", "--listen", address, "--drain", drain.String())
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.WaitDelay = drainLimit
	// A process group of its own keeps Ctrl-C from reaching lamb behind our
	// back: it gets one signal, from us, and drains.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}

	begin := time.Now()
	if err := s.cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("start lamb: %w", err)
	}
	go func() {
		defer close(s.done)
		// How it ended is in ProcessState, where stop looks.
		_ = s.cmd.Wait()
	}()
	if err := s.awaitHealth(ctx); err != nil {
		return nil, errors.Join(s.explain(err), s.stop())
	}
	s.ready = time.Since(begin)
	return s, nil
}

// awaitHealth asks lamb for its health until the answer is yes.
func (s *server) awaitHealth(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("lamb was not ready after %s", startLimit))
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		if s.healthy(ctx) {
			return nil
		}
		select {
		case <-again.C:
		case <-s.done:
			return errors.New("lamb ended before it was ready")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// healthy asks once.
func (s *server) healthy(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/_lamb/health", nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// stop asks lamb to end, waits until it has, and says so when it did not end
// well. It may be called when lamb has ended already.
func (s *server) stop() error {
	select {
	case <-s.done:
		return nil // by itself: whoever noticed has reported it
	default:
	}
	s.cancel()
	<-s.done
	if state := s.cmd.ProcessState; !state.Success() {
		return s.explain(fmt.Errorf("lamb did not stop cleanly: %s", state))
	}
	return nil
}

// explain adds lamb's last words to an error if lamb is no more.
func (s *server) explain(err error) error {
	select {
	case <-s.done:
		return fmt.Errorf("%w (%s); its last words:\n%s", err, s.cmd.ProcessState, s.log.last())
	default:
		return err
	}
}

// freeAddress is the wanted address or, if that is taken, the next free port.
func freeAddress(wanted string) (string, error) {
	host, portText, err := net.SplitHostPort(wanted)
	if err != nil {
		return "", err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return "", fmt.Errorf("port of %s: %w", wanted, err)
	}
	for i := range portsToTry {
		address := net.JoinHostPort(host, strconv.Itoa(port+i))
		listener, err := net.Listen("tcp", address)
		if err == nil {
			return address, listener.Close()
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s and the %d ports after it are all taken", wanted, portsToTry-1)
}

// tail keeps the end of what is written to it, and passes the rest on once it
// is told where to.
type tail struct {
	mu   sync.Mutex
	end  []byte
	next io.Writer
}

// tailSize is how much a tail keeps: some screens full.
const tailSize = 8 << 10

// Write implements io.Writer; it never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = append(t.end, p...)
	if over := len(t.end) - tailSize; over > 0 {
		t.end = append(t.end[:0], t.end[over:]...)
	}
	if t.next != nil {
		_, _ = t.next.Write(p) // a closed terminal must not stop lamb
	}
	return len(p), nil
}

// follow passes on what is written from now on.
func (t *tail) follow(w io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next = w
}

// last is the end of what was written.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.end))
}
