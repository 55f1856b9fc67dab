package relay

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

// Relay connects namespaces with the host's network. It is safe for concurrent
// use; the sessions must be closed before it.
type Relay struct {
	policy    Policy
	name      string
	limits    Limits
	log       *slog.Logger
	routes    *routes
	resolvers *resolvers
	total     chan struct{} // an element for each connection, flow and query under way
	buffers   sync.Pool     // *[]byte, of datagramSize
}

// datagramSize is the largest datagram, with room to tell that it is cut.
const datagramSize = 64 << 10

// New returns a relay for the network namespace of this process. The caller
// closes it.
func New(cfg Config) (*Relay, error) {
	if cfg.Limits.TotalConnections <= 0 {
		cfg.Limits.TotalConnections = affordable()
	}
	cfg.Limits.fill()
	if cfg.ResolvConf == "" {
		cfg.ResolvConf = "/etc/resolv.conf"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	routes, err := openRoutes()
	if err != nil {
		return nil, err
	}
	r := &Relay{
		policy: cfg.Policy, name: cfg.Name, limits: cfg.Limits, log: cfg.Logger,
		routes:    routes,
		resolvers: &resolvers{path: cfg.ResolvConf},
		total:     make(chan struct{}, cfg.Limits.TotalConnections),
		buffers:   sync.Pool{New: func() any { b := make([]byte, datagramSize); return &b }},
	}
	if r.policy.Own == nil {
		r.policy.Own = routes.own
	}
	return r, nil
}

// affordable is how many connections the limit of open files leaves room for,
// DefaultTotalConnections at most.
func affordable() int {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return 0
	}
	const perConnection = 8 // two sockets, two pipes, and as much for all else
	return int(max(16, min(files.Cur/perConnection, DefaultTotalConnections)))
}

// Close releases what the relay holds.
func (r *Relay) Close() error {
	r.routes.close()
	return nil
}

// errTotal: Limits.TotalConnections is reached.
var errTotal = errors.New("too many connections of all sandboxes")

// take counts a connection among those of all sandboxes; give undoes it.
func (r *Relay) take() error {
	select {
	case r.total <- struct{}{}:
		return nil
	default:
		r.log.Debug(errTotal.Error(), "limit", cap(r.total)) // a function could fill the log
		return errTotal
	}
}

func (r *Relay) give() { <-r.total }

// Session serves one namespace.
type Session struct {
	relay *Relay
	cfg   SessionConfig
	inlet *Inlet
	log   *slog.Logger

	// ctx ends with Close, and with it everything that the session does.
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	connections chan struct{} // an element for each
	dials       chan struct{}
	queries     chan struct{}
	flows       flows

	closeOnce sync.Once
	closeErr  error // valid after closeOnce
}

// Serve begins to serve a namespace; the session takes the inlet over. The
// caller closes the session.
func (r *Relay) Serve(in *Inlet, cfg SessionConfig) *Session {
	s := &Session{
		relay: r, cfg: cfg, inlet: in, log: r.log.With("environment", cfg.ID),
		connections: make(chan struct{}, r.limits.Connections),
		dials:       make(chan struct{}, r.limits.Dials),
		queries:     make(chan struct{}, r.limits.Queries),
		flows:       flows{byKey: map[flowKey]*flow{}},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.running.Go(s.acceptTCP)
	s.running.Go(s.receiveUDP)
	return s
}

// Close resets every connection and returns when nothing of the session runs.
func (s *Session) Close() error {
	s.closeOnce.Do(func() {
		s.cancel()
		s.closeErr = s.inlet.Close()
		s.running.Wait()
	})
	return s.closeErr
}

// decide applies the policy.
func (s *Session) decide(proto Proto, dst netip.AddrPort) Decision {
	d := s.relay.policy.Decide(proto, dst)
	if d.Verdict == Lambda && s.cfg.LambdaAPI == nil {
		d = Decision{Reason: "this environment has no way to the Lambda API"}
	}
	if d.Verdict == Deny {
		s.log.Debug("destination denied", "protocol", proto.Network(), "destination", dst.String(), "reason", d.Reason)
	}
	return d
}

// dial opens the connection for a verdict of Allow, Host or Lambda.
func (s *Session) dial(d Decision) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.relay.limits.DialTimeout)
	defer cancel()
	select {
	case s.dials <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.dials }()
	if d.Verdict == Lambda {
		return s.cfg.LambdaAPI(ctx)
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", d.Addr.String())
}
