package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lambhq/lamb/internal/clock"
)

// The defaults of Config. Eight attempts with growing pauses keep a batch for
// ten seconds if the subscriber refuses, and longer if it hangs.
const (
	DefaultMaxBytes       = 16 << 20
	DefaultBacklogBytes   = 256 << 10
	DefaultAttempts       = 8
	DefaultAttemptTimeout = 10 * time.Second
	DefaultFirstBackoff   = 100 * time.Millisecond
	DefaultMaxBackoff     = 5 * time.Second
)

// MaxSubscriptions is how many destinations one extension can have.
const MaxSubscriptions = 5

// ErrClosed is returned by Flush when Reset or Close came first.
var ErrClosed = errors.New("telemetry subscriptions have ended")

// Config is what a Hub is made from.
type Config struct {
	// Dial connects to a port of the environment; addr is 127.0.0.1:PORT as
	// seen inside, network is tcp. It must return soon when ctx ends. Without
	// it, Subscribe answers NotSupported.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Rules is what the requests are checked against.
	Rules Rules
	// MaxBytes bounds what all subscribers together hold; DefaultMaxBytes when 0.
	MaxBytes int
	// BacklogBytes bounds the events that are kept for subscribers to come;
	// DefaultBacklogBytes when 0.
	BacklogBytes int
	// Attempts is how often a batch is sent before it is dropped;
	// DefaultAttempts when 0.
	Attempts int
	// AttemptTimeout bounds one attempt, from connecting to the end of the
	// response; DefaultAttemptTimeout when 0.
	AttemptTimeout time.Duration
	// FirstBackoff is the pause after the first failure; it doubles up to
	// MaxBackoff. DefaultFirstBackoff and DefaultMaxBackoff when 0.
	FirstBackoff, MaxBackoff time.Duration
	// Clock is the system's when nil.
	Clock clock.Clock
	// Log is for lamb's own messages. Nil discards.
	Log *slog.Logger
}

func (c *Config) setDefaults() {
	setDefault(&c.MaxBytes, DefaultMaxBytes)
	setDefault(&c.BacklogBytes, DefaultBacklogBytes)
	setDefault(&c.Attempts, DefaultAttempts)
	setDefault(&c.AttemptTimeout, DefaultAttemptTimeout)
	setDefault(&c.FirstBackoff, DefaultFirstBackoff)
	setDefault(&c.MaxBackoff, DefaultMaxBackoff)
	if c.Clock == nil {
		c.Clock = clock.System
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Hub takes the events of one environment and delivers them to the
// subscribers. All its methods may be called at any time from any goroutine. A
// nil Hub wants nothing.
type Hub struct {
	cfg   Config
	wants atomic.Uint32 // the categories that are of interest

	mu      sync.Mutex // guards what follows; never held while something blocks
	open    bool       // subscribing is possible
	backlog backlog    // while open
	subs    []*subscriber
	held    int           // bytes in queues and under way
	scratch []byte        // for encoding
	paused  bool          // see Pause
	pauses  int           // how often Pause was called
	resumed chan struct{} // closed by Resume, then made anew
	life    lifetime      // of the subscribers there are
	ended   bool          // Close was called
	total   Stats

	ending sync.Mutex // held by Reset and Close while they wait
}

// lifetime is what ends all subscribers of a Hub between two resets.
type lifetime struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	owners *sync.WaitGroup
}

func newLifetime() lifetime {
	ctx, cancel := context.WithCancelCause(context.Background())
	return lifetime{ctx, cancel, new(sync.WaitGroup)}
}

// Stats are a Hub's figures since it was made.
type Stats struct {
	Subscriptions int   // at present
	Waiting       int   // bytes that are to be delivered, at present
	Delivered     int64 // records, each counted once per subscriber
	Dropped       int64 // records, likewise
}

// New returns a Hub that takes subscriptions and keeps events for those to
// come. It must be closed.
func New(cfg Config) *Hub {
	cfg.setDefaults()
	h := &Hub{cfg: cfg, open: true, resumed: make(chan struct{}), life: newLifetime()}
	h.setWantsLocked()
	return h
}

// Wants tells whether events of one of the categories have a taker, or may
// get one. It costs about a nanosecond.
func (h *Hub) Wants(c Category) bool {
	return h != nil && h.wants.Load()&uint32(c) != 0
}

func (h *Hub) setWantsLocked() {
	var wants Category
	if h.open {
		wants = allCategories
	}
	for _, s := range h.subs {
		wants |= s.settings.Types
	}
	h.wants.Store(uint32(wants))
}

// emit keeps the event for subscribers to come and queues it for those there
// are.
func (h *Hub) emit(at time.Time, e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open {
		h.backlog.add(at, e, h.cfg.BacklogBytes)
	}
	for _, s := range h.subs {
		s.offer(at, e)
	}
}

// Subscribe does what the request of a registered extension, known by its
// name, asks for, and replays what has happened before. Errors are *Error: the
// answer. The same request again changes nothing, one with the same
// destination and other settings replaces them, and another destination is
// served beside the first.
//
// Where something changed the caller reports it with Subscribing.
func (h *Hub) Subscribe(api API, extension string, body []byte) (s Subscription, changed bool, err error) {
	if h.cfg.Dial == nil {
		return s, false, NotSupported(api)
	}
	if !h.subscribable() {
		return s, false, closed(api, h.cfg.Rules.ManagedInstances)
	}
	if s, err = ParseSubscription(api, body, h.cfg.Rules); err != nil {
		return s, false, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.open { // closed while we parsed
		return s, false, closed(api, h.cfg.Rules.ManagedInstances)
	}
	known, err := h.findLocked(extension, s)
	switch {
	case err != nil:
		return s, false, err
	case known == nil:
		known = h.startLocked(extension, s)
	case known.settings == s:
		return s, false, nil
	}
	news := s.Types &^ known.settings.Types
	known.settings = s
	h.setWantsLocked()
	h.backlog.replay(known, news)
	return s, true, nil
}

func (h *Hub) subscribable() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open
}

// findLocked returns the extension's subscriber at the destination, or nil, and
// whether the extension may have another.
func (h *Hub) findLocked(extension string, s Subscription) (*subscriber, error) {
	n := 0
	for _, sub := range h.subs {
		if sub.extension != extension {
			continue
		}
		if sub.settings.API != s.API {
			return nil, invalid(s.API, "the extension has subscribed to the %s API; it can use only one", sub.settings.API)
		}
		if sub.destination == s.Destination {
			return sub, nil
		}
		n++
	}
	if n == MaxSubscriptions {
		return nil, invalid(s.API, "subscription limit (%d) reached", MaxSubscriptions)
	}
	return nil, nil
}

// startLocked adds a subscriber that wants nothing yet and starts its owner.
func (h *Hub) startLocked(extension string, s Subscription) *subscriber {
	sub := newSubscriber(h, extension, s.Destination)
	h.subs = append(h.subs, sub)
	life := h.life
	life.owners.Go(func() { sub.run(life.ctx) })
	return sub
}

// CloseSubscriptions ends the time for subscribing, when the init is over. The
// backlog goes; from now on only what subscribers want costs anything.
func (h *Hub) CloseSubscriptions() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closeLocked()
}

func (h *Hub) closeLocked() {
	h.open = false
	h.backlog = backlog{}
	h.setWantsLocked()
}

// Pause stops deliveries while the environment is frozen: subscribers could
// not answer. Events are still queued. A request under way goes on, and
// failing it counts for nothing.
func (h *Hub) Pause() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.paused = true
	h.pauses++
}

// Resume undoes Pause.
func (h *Hub) Resume() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.paused {
		h.paused = false
		close(h.resumed)
		h.resumed = make(chan struct{})
		for _, s := range h.subs {
			s.wake()
		}
	}
}

// Flush sends what is queued now and waits until all of it has been delivered
// or given up, or ctx ends, whose error it returns then. The environment must
// not be frozen.
func (h *Hub) Flush(ctx context.Context) error {
	h.mu.Lock()
	life := h.life
	type target struct {
		sub   *subscriber
		added int64
	}
	var targets []target
	for _, s := range h.subs {
		s.flushLocked()
		targets = append(targets, target{s, s.added})
	}
	h.mu.Unlock()
	for _, t := range targets {
		if err := t.sub.await(ctx, life.ctx, t.added); err != nil {
			return err
		}
	}
	return nil
}

// Reset ends all subscriptions without delivering more, waits for their
// owners, and opens the Hub again: the environment starts a new init. What was
// queued is lost; Flush comes first where that matters.
func (h *Hub) Reset() {
	h.end()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ended {
		h.open = true
		h.setWantsLocked()
	}
}

// Close is Reset for good: the Hub takes no more subscriptions or events.
func (h *Hub) Close() {
	h.mu.Lock()
	h.ended = true
	h.mu.Unlock()
	h.end()
}

func (h *Hub) end() {
	h.ending.Lock()
	defer h.ending.Unlock()
	h.mu.Lock()
	life := h.life
	h.life = newLifetime()
	for _, s := range h.subs {
		s.discardLocked()
	}
	h.subs = nil
	h.closeLocked()
	h.mu.Unlock()
	life.cancel(ErrClosed)
	life.owners.Wait()
}

// Stats returns the Hub's figures.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	stats := h.total
	stats.Subscriptions, stats.Waiting = len(h.subs), h.held
	return stats
}
