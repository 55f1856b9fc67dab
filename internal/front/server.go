package front

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// Config is what a Server needs. All fields are required but Log.
type Config struct {
	// Handler answers the hot requests. It may use http.ResponseController,
	// except for hijacking.
	Handler http.Handler
	// Hot reports whether a request with this path and query is one for Handler.
	Hot func(target []byte) bool
	// HeaderTimeout bounds the wait for a connection's first request.
	HeaderTimeout time.Duration
	// IdleTimeout bounds the wait for each further one.
	IdleTimeout time.Duration
	// Log gets what concerns connections, at debug level. Nil discards.
	Log *slog.Logger
}

// Server serves connections until Shutdown or Close.
type Server struct {
	cfg    Config
	others *others
	date   date
	wg     sync.WaitGroup // connection goroutines

	mu      sync.Mutex
	closing bool               // guarded by mu
	conns   map[*conn]struct{} // guarded by mu
	empty   chan struct{}      // closed when closing and the last of conns has gone
}

// New makes a Server.
func New(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{
		cfg: cfg, others: newOthers(),
		conns: make(map[*conn]struct{}), empty: make(chan struct{}),
	}
}

// Others gives the connections that this server leaves to another: serve it by
// an http.Server, which closes it.
func (s *Server) Others() net.Listener { return s.others }

// Serve accepts connections until l is closed, by Shutdown too if it was
// given the same listener, and then returns http.ErrServerClosed or the
// listener's error.
func (s *Server) Serve(l net.Listener) error {
	s.others.setAddr(l.Addr())
	for delay := time.Duration(0); ; {
		nc, err := l.Accept()
		switch {
		case err == nil:
			delay = 0
			s.start(nc)
		case errors.Is(err, net.ErrClosed):
			return http.ErrServerClosed
		case isShortage(err):
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			s.cfg.Log.Warn("front: accept failed, trying again", "err", err, "delay", delay)
			select { // the listener's backlog holds who waits
			case <-time.After(delay):
			case <-s.others.done:
			}
		default:
			return err
		}
	}
}

// isShortage tells shortages and vanished peers, after which accepting goes
// on, from a broken listener.
func isShortage(err error) bool {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// start serves a connection on a goroutine of its own.
func (s *Server) start(nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		_ = nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.wg.Go(func() {
		c.serve()
		s.remove(c)
	})
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.checkEmptyLocked()
}

func (s *Server) checkEmptyLocked() {
	if s.closing && len(s.conns) == 0 {
		select {
		case <-s.empty:
		default:
			close(s.empty)
		}
	}
}

// Shutdown closes the connections that serve no request, and waits for the
// others to finish theirs. The listener has been closed before. When ctx ends
// first, its error is returned and Close has to follow.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	for c := range s.conns {
		c.closeIdle()
	}
	s.checkEmptyLocked()
	s.mu.Unlock()
	select {
	case <-s.empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes every connection, and waits for their handlers to return.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closing = true
	for c := range s.conns {
		_ = c.nc.Close() // its goroutine sees the error and ends
	}
	s.checkEmptyLocked()
	s.mu.Unlock()
	_ = s.others.Close() // never fails
	s.wg.Wait()
	return nil
}

// isClosing reports whether connections are to end after their request.
func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}
