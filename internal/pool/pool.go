// Package pool keeps execution environments per function version and hands
// out slots of them. It decides who waits, who starts cold, who is throttled
// and what is evicted; what happens inside an environment is execenv's.
//
// Acquire takes the most recently used idle environment. Where none is idle
// but one has just answered and will be free in a moment, it waits for that
// briefly: otherwise a client that calls one after the other would start a
// second environment for nothing. Else it starts a new one, in the caller's
// goroutine.
//
// An invocation counts against the account's limit until its runtime asks for
// the next one, which is after its caller was answered. So an invocation that
// meets the limit waits briefly for one that has answered, of whatever
// function: otherwise that client would be throttled by its own last call.
// What is idle counts for nothing.
package pool

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/clock"
	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/function"
)

// Defaults of Config.
const (
	DefaultLimit       = 1000
	DefaultKeepAlive   = 10 * time.Minute
	DefaultFinishGrace = 100 * time.Millisecond
)

// ErrClosed is returned by Acquire once the pool drains.
var ErrClosed = errors.New("lamb is shutting down")

// ThrottledError says that an invocation cannot be admitted now.
type ThrottledError struct {
	// Reason is AWS's, for TooManyRequestsException.
	Reason string
	// RetryAfter is when it makes sense to try again.
	RetryAfter time.Duration
	// Detail is for lamb's own log.
	Detail string
}

func (e *ThrottledError) Error() string { return "throttled: " + e.Detail }

// reasonConcurrency is the reason for a used-up account or host.
const reasonConcurrency = "ConcurrentInvocationLimitExceeded"

// Environment is the part of execenv.Environment that the pool needs.
type Environment interface {
	Init() error
	Invoke(*execenv.Invocation) error
	Finishing() bool
	Freed()
	Close() error
}

// Config is what a pool is made from.
type Config struct {
	// Launch makes an environment for a version; released is to be called
	// whenever it can take an invocation again. Required.
	Launch func(ctx context.Context, v *function.Version, released func()) (Environment, error)
	// Limit is the number of invocations in flight per account and region;
	// DefaultLimit when zero.
	Limit int
	// KeepAlive is how long an idle environment is kept; DefaultKeepAlive
	// when zero.
	KeepAlive time.Duration
	// FinishGrace is how long Acquire waits for an environment that has just
	// answered; DefaultFinishGrace when zero.
	FinishGrace time.Duration
	// AvailableMemory measures the host's available memory in bytes; nil, or
	// an error, means that it is not known and nothing is refused for it.
	AvailableMemory func() (int64, error)
	// MemoryReserve is the available memory in bytes under which no
	// environment is started.
	MemoryReserve int64
	Clock         clock.Clock  // the system's when nil
	Log           *slog.Logger // discarded when nil
}

// Pool holds the environments of one lamb.
type Pool struct {
	cfg Config

	// wg counts the goroutines that close environments, and the reaper.
	wg   sync.WaitGroup
	stop chan struct{} // closed when the pool closes

	mu       sync.Mutex
	closed   bool
	groups   map[groupKey]*group
	members  map[*member]struct{}
	inflight map[function.Scope]int
	queues   map[function.Scope][]chan struct{} // who waits to be admitted
	total    int                                // sum of inflight
	drained  chan struct{}                      // closed when closed and total is 0
	cold     int64                              // environments ever started
}

type groupKey struct {
	key     function.Key
	version string
}

// group is the environments of one version of a function.
type group struct {
	// version is what the catalog has now, nil when it is gone.
	version *function.Version
	// content stands for what version runs: environments are used as long as
	// theirs is the group's. A record may change (its state, its revision)
	// without changing what it runs.
	content  *content
	idle     []*member // the most recently used is last
	busy     map[*member]struct{}
	starting int            // cold starts that have no member yet
	waiters  []chan *member // who waits for one that is finishing; all are admitted
}

// content is compared by its address; it has a size so that two differ.
type content struct{ _ byte }

// member is one environment with its place in the pool.
type member struct {
	env     Environment
	group   *group
	content *content // what it was made from
	scope   function.Scope
	since   time.Time // idle since
}

// Slot is the right to run one invocation in an environment. Invoke uses it
// up; it comes back by itself when the environment has finished.
type Slot struct {
	pool   *Pool
	member *member
	cold   bool
}

// Cold reports whether the slot's environment was started for it.
func (s *Slot) Cold() bool { return s.cold }

// New makes a pool and starts its reaper; Close ends both.
func New(cfg Config) *Pool {
	if cfg.Limit == 0 {
		cfg.Limit = DefaultLimit
	}
	if cfg.KeepAlive == 0 {
		cfg.KeepAlive = DefaultKeepAlive
	}
	if cfg.FinishGrace == 0 {
		cfg.FinishGrace = DefaultFinishGrace
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p := &Pool{
		cfg: cfg, stop: make(chan struct{}), drained: make(chan struct{}),
		groups:   make(map[groupKey]*group),
		members:  make(map[*member]struct{}),
		inflight: make(map[function.Scope]int),
		queues:   make(map[function.Scope][]chan struct{}),
	}
	p.wg.Go(p.reap)
	return p
}

// Acquire gives a slot for a version. Errors: *ThrottledError, ErrClosed, or
// why an environment could not be made. It does not end early when ctx does,
// because an accepted invocation runs also when its caller has gone; ctx
// carries values only.
func (p *Pool) Acquire(ctx context.Context, v *function.Version) (*Slot, error) {
	scope := v.Key.Scope()
	p.mu.Lock()
	if err := p.admitLocked(scope); err != nil {
		p.mu.Unlock()
		return nil, err
	}
	g := p.groupLocked(v)
	var runs *content
	if g.runs(v) {
		runs = g.content
		if free := p.takeLocked(g); free != nil {
			p.mu.Unlock()
			return &Slot{pool: p, member: free}, nil
		}
	} else {
		// The catalog has moved on since v was looked up: this environment
		// serves its one invocation and is never mixed with the others.
		runs = new(content)
	}
	if p.closed {
		p.unadmitLocked(scope)
		p.mu.Unlock()
		return nil, ErrClosed
	}
	g.starting++
	p.wg.Add(1)
	p.mu.Unlock()
	defer p.wg.Done()
	return p.coldStart(ctx, &member{group: g, scope: scope, content: runs}, v)
}

// coldStart makes m's environment and runs its init. The invocation has been
// admitted; on an error that is taken back.
func (p *Pool) coldStart(ctx context.Context, m *member, v *function.Version) (*Slot, error) {
	err := p.makeRoom()
	if err == nil {
		m.env, err = p.cfg.Launch(context.WithoutCancel(ctx), v, func() { p.released(m) })
	}
	p.mu.Lock()
	m.group.starting--
	if err != nil {
		p.unadmitLocked(m.scope)
		p.mu.Unlock()
		return nil, err
	}
	p.members[m] = struct{}{}
	m.group.busy[m] = struct{}{}
	p.cold++
	closed := p.closed
	p.mu.Unlock()
	if closed {
		err = ErrClosed
	} else {
		err = m.env.Init()
	}
	if err != nil {
		(&Slot{pool: p, member: m}).Discard()
		return nil, err
	}
	return &Slot{pool: p, member: m, cold: true}, nil
}

// Invoke runs an invocation in the slot's environment; see
// execenv.Environment.Invoke. On an error the slot has been discarded.
func (s *Slot) Invoke(inv *execenv.Invocation) error {
	err := s.member.env.Invoke(inv)
	if err != nil {
		s.Discard()
	}
	return err
}

// Discard gives the slot up without an invocation and closes its environment.
func (s *Slot) Discard() {
	p, m := s.pool, s.member
	p.mu.Lock()
	delete(m.group.busy, m)
	p.dropLocked(m)
	p.unadmitLocked(m.scope)
	p.mu.Unlock()
}

// released takes an environment back whose invocation is over.
func (p *Pool) released(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := m.group
	if _, busy := g.busy[m]; !busy {
		return
	}
	// Under the lock, so that finishing counts it until it is idle or given on.
	m.env.Freed()
	p.unadmitLocked(m.scope)
	current := m.content == g.content
	if current && len(g.waiters) > 0 {
		// The waiter has been admitted itself, also when the pool is closed by now.
		ch := g.waiters[0]
		g.waiters = append(g.waiters[:0], g.waiters[1:]...)
		ch <- m
		return
	}
	delete(g.busy, m)
	if !current || p.closed {
		p.dropLocked(m)
		return
	}
	m.since = p.cfg.Clock.Now()
	g.idle = append(g.idle, m)
}

// Changed tells the pool that a version's record is now v, or is gone when v
// is nil: environments of other content are not used again.
func (p *Pool) Changed(key function.Key, version string, v *function.Version) {
	p.mu.Lock()
	defer p.mu.Unlock()
	gk := groupKey{key, version}
	g := p.groups[gk]
	if g == nil {
		// To be remembered, also of a version that nobody has invoked: an
		// invocation that looked it up before the change is on its way here,
		// and must not be taken for what is current. The reaper forgets it.
		p.groups[gk] = newGroup(v)
		return
	}
	if v != nil && g.runs(v) {
		g.version = v
		return
	}
	g.version, g.content = v, new(content)
	for _, m := range g.idle {
		p.dropLocked(m)
	}
	g.idle = nil
}

func (p *Pool) groupLocked(v *function.Version) *group {
	gk := groupKey{v.Key, v.Version}
	g := p.groups[gk]
	if g == nil {
		g = newGroup(v)
		p.groups[gk] = g
	}
	return g
}

func newGroup(v *function.Version) *group {
	return &group{version: v, content: new(content), busy: make(map[*member]struct{})}
}

// runs reports whether v runs what the group runs. On the warm path it is the
// catalog's own pointer.
func (g *group) runs(v *function.Version) bool {
	return g.version == v || g.version != nil && reflect.DeepEqual(g.version.Runs(), v.Runs())
}

// dropLocked closes an environment in the background: it takes a while, and
// the caller may be one of the environment's own goroutines.
func (p *Pool) dropLocked(m *member) {
	if _, mine := p.members[m]; !mine {
		return
	}
	delete(p.members, m)
	p.wg.Go(func() {
		if err := m.env.Close(); err != nil {
			p.cfg.Log.Warn("environment did not close cleanly", "err", err)
		}
	})
}
