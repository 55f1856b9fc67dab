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
// A slot is the right to one invocation. Environments of functions that ask for
// it (Config.MaxConcurrency) have several: those of busy environments are given
// first, and who comes while one starts waits for it (slots.go).
//
// An invocation counts against the account's limit until its runtime asks for
// the next one, which is after its caller was answered. So an invocation that
// meets the limit waits briefly for one that has answered, of whatever
// function: otherwise that client would be throttled by its own last call.
// What is idle counts for nothing.
//
// The environments of a version lie on shelves, one per tenant: those of a
// function without tenant isolation are all on the shelf "". What has served a
// tenant serves no other one, ever. As every tenant may leave idle environments
// behind, all tenants of an account and region together have at most
// tenantsPerLimit times its limit; whoever needs one more takes the place of
// the one that has been idle for longest.
package pool

import (
	"context"
	"errors"
	"log/slog"
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
	Init() (execenv.InitResult, error)
	Invoke(*execenv.Invocation) error
	Finishing() bool
	Freed()
	State() execenv.State
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

// member is one environment with its place in the pool.
type member struct {
	env      Environment
	shelf    *shelf
	content  *content // what it was made from
	scope    function.Scope
	memoryMB int
	slots    int       // how many invocations it serves at once
	used     int       // slots that are taken
	since    time.Time // idle since
}

// Slot is the right to run one invocation in an environment. Invoke uses it
// up; it comes back by itself when the environment has finished.
type Slot struct {
	pool   *Pool
	member *member
	cold   bool
	init   time.Duration
}

// Cold reports whether the slot's environment was started for it.
func (s *Slot) Cold() bool { return s.cold }

// InitTime is how long the init of a cold slot's environment took, be it that
// it failed; zero when it is not cold.
func (s *Slot) InitTime() time.Duration { return s.init }

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

// Acquire gives a slot for a version, in an environment that has served no
// other tenant; tenant is empty for a function without tenant isolation.
// Errors: *ThrottledError, ErrClosed, or why an environment could not be made.
// It does not end early when ctx does, because an accepted invocation runs
// also when its caller has gone; ctx carries values only.
func (p *Pool) Acquire(ctx context.Context, v *function.Version, tenant string) (*Slot, error) {
	scope := v.Key.Scope()
	p.mu.Lock()
	if err := p.admitLocked(scope); err != nil {
		p.mu.Unlock()
		return nil, err
	}
	sh := p.groupLocked(v).shelfOf(tenant)
	var runs *content
	slots := slotsOf(v)
	if sh.group.runs(v) {
		runs = sh.group.content
		if free := p.takeLocked(sh, slots); free != nil {
			p.mu.Unlock()
			return &Slot{pool: p, member: free}, nil
		}
	} else {
		// The catalog has moved on since v was looked up: this environment
		// serves its one invocation and is never mixed with the others.
		runs, slots = new(content), 1
	}
	if p.closed {
		sh.tidy()
		p.unadmitLocked(scope)
		p.mu.Unlock()
		return nil, ErrClosed
	}
	sh.starting++
	if slots > 1 {
		sh.opening++
	}
	if tenant != "" {
		p.boundTenantsLocked(scope)
	}
	p.wg.Add(1)
	p.mu.Unlock()
	defer p.wg.Done()
	m := &member{shelf: sh, scope: scope, content: runs, memoryMB: v.Runs().Config.MemoryMB, slots: slots, used: 1}
	return p.coldStart(ctx, m, v)
}

// coldStart makes m's environment and runs its init. The invocation has been
// admitted; on an error that is taken back.
func (p *Pool) coldStart(ctx context.Context, m *member, v *function.Version) (*Slot, error) {
	err := p.launch(ctx, m, v)
	p.mu.Lock()
	m.shelf.starting--
	if err != nil {
		if m.slots > 1 {
			p.openedLocked(m, false)
		}
		m.shelf.tidy()
		p.unadmitLocked(m.scope)
		p.mu.Unlock()
		return nil, err
	}
	p.members[m] = struct{}{}
	m.shelf.busy[m] = struct{}{}
	p.cold++
	closed := p.closed
	p.mu.Unlock()
	slot := &Slot{pool: p, member: m, cold: true}
	if closed {
		err = ErrClosed
	} else {
		began := p.cfg.Clock.Now()
		_, err = m.env.Init()
		slot.init = p.cfg.Clock.Now().Sub(began)
	}
	if m.slots > 1 {
		p.mu.Lock()
		p.openedLocked(m, err == nil)
		p.mu.Unlock()
	}
	if err != nil {
		slot.Discard()
		if exhausted(err) {
			err = noRoom(err)
		}
		return nil, err
	}
	return slot, nil
}

// Invoke runs an invocation in the slot's environment; see
// execenv.Environment.Invoke. On an error the slot has been discarded.
func (s *Slot) Invoke(inv *execenv.Invocation) error {
	err := s.member.env.Invoke(inv)
	switch {
	case err == nil:
	case s.member.slots > 1 && !errors.Is(err, execenv.ErrClosed):
		s.pool.released(s.member) // others are at work in it
	default:
		s.Discard()
	}
	return err
}

// Discard gives the slot up without an invocation and closes its environment.
func (s *Slot) Discard() {
	p, m := s.pool, s.member
	p.mu.Lock()
	if _, busy := m.shelf.busy[m]; busy { // otherwise another one's slot had it closed
		delete(m.shelf.busy, m)
		m.shelf.withdraw(m)
		m.shelf.tidy()
		p.dropLocked(m)
		for range m.used {
			p.unadmitLocked(m.scope)
		}
	}
	p.mu.Unlock()
}

// released takes an environment back whose invocation is over.
func (p *Pool) released(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sh := m.shelf
	if _, busy := sh.busy[m]; !busy {
		return
	}
	// Under the lock, so that finishing counts it until it is idle or given on.
	m.env.Freed()
	p.unadmitLocked(m.scope)
	current := m.content == sh.group.content
	if current && len(sh.waiters) > 0 {
		// The waiter has been admitted itself, also when the pool is closed by now.
		sh.nextWaiter() <- m
		return
	}
	if m.used--; m.used > 0 {
		if current {
			sh.offer(m)
		}
		return
	}
	delete(sh.busy, m)
	sh.withdraw(m)
	if !current || p.closed {
		sh.tidy()
		p.dropLocked(m)
		return
	}
	m.since = p.cfg.Clock.Now()
	sh.idle = append(sh.idle, m)
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
	for _, sh := range g.shelves {
		for _, m := range sh.idle {
			p.dropLocked(m)
		}
		sh.idle, sh.partial = nil, nil
		sh.tidy()
	}
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
