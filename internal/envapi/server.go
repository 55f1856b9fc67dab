package envapi

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"sync"
	"syscall"
	"time"
)

// Defaults of Config.
const (
	DefaultMaxConns      = 64
	DefaultHeaderTimeout = 10 * time.Second
	// DefaultBodyTimeout is as long as a function can run: one that streams
	// its response may think for minutes between two chunks, and the
	// invocation's own timeout ends it sooner.
	DefaultBodyTimeout  = 15 * time.Minute
	DefaultWriteTimeout = 10 * time.Second
)

// Config is what a Server needs. Everything but Handler has a default.
type Config struct {
	// Handler is the environment behind the API. Required.
	Handler Handler
	// Extensions is the environment behind the other APIs; without it they are
	// not there (404).
	Extensions ExtensionHandler
	// Restore is the environment behind the calls of SnapStart, Credentials
	// that behind the credentials endpoint; likewise.
	Restore     RestoreHandler
	Credentials CredentialsHandler
	// RegistrationHeader are further headers, by name, of the answer to an
	// extension that registers; they are sent as they are.
	RegistrationHeader map[string]string
	// Log gets protocol errors at debug level, never payloads. Nil: discarded.
	Log *slog.Logger
	// MaxConns bounds open connections; further ones are closed on accept.
	// Zero: DefaultMaxConns.
	MaxConns int
	// MaxError bounds the errors that the runtime posts, in bytes. Zero:
	// MaxPayload.
	MaxError int
	// HeaderTimeout bounds a request's head from its first byte. Waiting for
	// a request is unbounded: a runtime keeps its connection while the
	// function runs. Zero: DefaultHeaderTimeout.
	HeaderTimeout time.Duration
	// BodyTimeout bounds the pause between two reads of a body. Zero:
	// DefaultBodyTimeout.
	BodyTimeout time.Duration
	// WriteTimeout bounds a write that makes no progress; a slow reader of a
	// large event is fine. It is enforced to within a factor of two. Zero:
	// DefaultWriteTimeout.
	WriteTimeout time.Duration
	// Buffers is shared between servers. Nil: the server makes its own.
	Buffers *Buffers
}

// Server serves one environment's listener (or several). It owns a goroutine
// per connection, from Serve until Close has returned.
type Server struct {
	cfg    Config
	routes []route
	wg     sync.WaitGroup // connection goroutines

	done chan struct{} // closed when Close begins

	mu     sync.Mutex
	closed bool // guarded by mu
	// again: CloseConnections has been called, so what is accepted may come
	// from somebody who has died. Guarded by mu.
	again bool
	// conns are the open connections, each with a channel that is closed when
	// its goroutine has ended. Guarded by mu.
	conns map[*conn]chan struct{}
}

// New makes a server. It panics without a Handler, a programming error.
func New(cfg Config) *Server {
	if cfg.Handler == nil {
		panic("envapi: Config.Handler is nil")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxConns == 0 {
		cfg.MaxConns = DefaultMaxConns
	}
	if cfg.MaxError == 0 {
		cfg.MaxError = MaxPayload
	}
	if cfg.HeaderTimeout == 0 {
		cfg.HeaderTimeout = DefaultHeaderTimeout
	}
	if cfg.BodyTimeout == 0 {
		cfg.BodyTimeout = DefaultBodyTimeout
	}
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = DefaultWriteTimeout
	}
	if cfg.Buffers == nil {
		cfg.Buffers = NewBuffers()
	}
	return &Server{cfg: cfg, routes: routes(&cfg), done: make(chan struct{}), conns: make(map[*conn]chan struct{})}
}

// Serve accepts connections until l is closed (by the caller, whose it is) or
// the server is, and then returns nil. It may run for several listeners at once.
func (s *Server) Serve(l net.Listener) error {
	var delay time.Duration
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			delay = 0
			if !s.start(nc) {
				return nil
			}
		case errors.Is(err, net.ErrClosed):
			return nil
		case isTransientAccept(err):
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			s.cfg.Log.Warn("envapi: accept failed, trying again", "err", err, "delay", delay)
			if !s.pause(delay) {
				return nil
			}
		default:
			return fmt.Errorf("envapi: accept: %w", err)
		}
	}
}

// Close closes every connection and waits for their goroutines. Handler
// methods may still run, and waiters report that they are gone, until it
// returns: do not call it from them or holding a lock that they take. A Serve
// that is blocked in Accept returns when its listener is closed.
func (s *Server) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
	}
	for c := range s.conns {
		_ = c.nc.Close() // its goroutine sees the error and ends
	}
	s.mu.Unlock()
	s.wg.Wait()
	return nil
}

// CloseConnections closes the connections that are open now and waits for
// their goroutines: afterwards no request of theirs reaches the handler any
// more, nor one of a connection that waits to be accepted and whose other side
// has closed it (Linux only). New ones are served. As with Close, do not call
// it holding a lock that handler methods take, nor from one of them.
func (s *Server) CloseConnections() {
	s.mu.Lock()
	s.again = true
	old := maps.Clone(s.conns)
	for c := range old {
		_ = c.nc.Close() // its goroutine sees the error and ends
	}
	s.mu.Unlock()
	for _, ended := range old {
		<-ended
	}
}

// start runs a connection, or closes it when there are too many; it reports
// whether the server is still open.
func (s *Server) start(nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = nc.Close()
		return false
	}
	if s.again && peerClosed(nc) {
		_ = nc.Close()
		return true
	}
	if len(s.conns) >= s.cfg.MaxConns {
		_ = nc.Close()
		s.cfg.Log.Debug("envapi: too many connections", "limit", s.cfg.MaxConns)
		return true
	}
	c := newConn(s, nc)
	ended := make(chan struct{})
	s.conns[c] = ended
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		defer close(ended)
		c.serve()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	return true
}

// pause waits for d; it reports whether the server is still open.
func (s *Server) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.done:
		return false
	}
}

// isTransientAccept tells shortages and vanished peers, after which accepting
// goes on, from a broken listener.
func isTransientAccept(err error) bool {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
