// Package live is what providers of sandboxes share: the set of their open
// sandboxes, and the life of each, in which one operation after the other
// changes it, until it is closed.
package live

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/lambhq/lamb/internal/sandbox"
)

// Life is one sandbox's. Its methods may be called from several goroutines.
type Life struct {
	id string
	// lock is held by the operation that is under way. A channel, because
	// waiting for it ends with a context.
	lock chan struct{}
	// ended is cancelled when End begins; it ends operations under way.
	ended context.Context
	end   context.CancelFunc

	once sync.Once
	err  error // of End, valid after once
}

// NewLife returns the life of the sandbox of this name.
func NewLife(id string) *Life {
	l := &Life{id: id, lock: make(chan struct{}, 1)}
	l.ended, l.end = context.WithCancel(context.Background())
	return l
}

// Ended is done when End has begun.
func (l *Life) Ended() context.Context { return l.ended }

// Acquire begins an operation; the context that it returns ends with ctx and
// with the life. The caller calls release. The error is sandbox.ErrClosed or
// that of ctx.
func (l *Life) Acquire(ctx context.Context) (_ context.Context, release func(), err error) {
	if l.ended.Err() != nil {
		return nil, nil, sandbox.ErrClosed
	}
	select {
	case l.lock <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case <-l.ended.Done():
		return nil, nil, sandbox.ErrClosed
	}
	if l.ended.Err() != nil || ctx.Err() != nil {
		<-l.lock
		if l.ended.Err() != nil {
			return nil, nil, sandbox.ErrClosed
		}
		return nil, nil, ctx.Err()
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(l.ended, cancel)
	return ctx, func() {
		stop()
		cancel()
		<-l.lock
	}, nil
}

// Exclusively runs an operation; the verb is for its error.
func (l *Life) Exclusively(ctx context.Context, verb string, f func(context.Context) error) error {
	ctx, release, err := l.Acquire(ctx)
	if err == nil {
		err = f(ctx)
		release()
	}
	return l.explain(verb, err)
}

// Beside runs what does not change the sandbox: it waits for no operation, and
// none, nor End, waits for it. Its context ends with ctx and with the life; the
// verb is for its error.
func (l *Life) Beside(ctx context.Context, verb string, f func(context.Context) error) error {
	if l.ended.Err() != nil {
		return l.explain(verb, sandbox.ErrClosed)
	}
	if ctx.Err() != nil {
		return l.explain(verb, ctx.Err())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.ended, cancel)()
	return l.explain(verb, f(ctx))
}

// explain is the error of an operation, nil for nil.
func (l *Life) explain(verb string, err error) error {
	if err == nil {
		return nil
	}
	if l.ended.Err() != nil && errors.Is(err, context.Canceled) {
		err = sandbox.ErrClosed
	}
	return fmt.Errorf("%s sandbox %s: %w", verb, l.id, err)
}

// End ends the operation under way and runs f, once; it returns what that
// came to.
func (l *Life) End(f func() error) error {
	l.once.Do(func() {
		l.end()
		l.lock <- struct{}{}
		defer func() { <-l.lock }()
		if err := f(); err != nil {
			l.err = fmt.Errorf("close sandbox %s: %w", l.id, err)
		}
	})
	return l.err
}

// Box is a sandbox in a Set.
type Box interface {
	comparable
	Close() error
}

// Set is a provider's open sandboxes, by name. The zero value is empty. Its
// methods may be called from several goroutines.
type Set[B Box] struct {
	mu     sync.Mutex // guards what follows
	closed bool
	boxes  map[string]B
}

// Open adds a sandbox and opens it. Close waits meanwhile. When it cannot be
// opened, untidy hears of the error of closing it again.
func (s *Set[B]) Open(l *Life, b B, open func() error, untidy func(error)) error {
	err := s.add(l.id, b)
	if err == nil {
		l.lock <- struct{}{}
		err = open()
		<-l.lock
		if err != nil {
			if closeErr := b.Close(); closeErr != nil {
				untidy(closeErr)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("create sandbox %s: %w", l.id, err)
	}
	return nil
}

func (s *Set[B]) add(id string, b B) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return sandbox.ErrClosed
	}
	if _, taken := s.boxes[id]; taken {
		return errors.New("a sandbox of this name exists")
	}
	if s.boxes == nil {
		s.boxes = map[string]B{}
	}
	s.boxes[id] = b
	return nil
}

// Forget removes a sandbox that is closed.
func (s *Set[B]) Forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.boxes, id)
}

// All lists those that are open.
func (s *Set[B]) All() []B {
	s.mu.Lock()
	defer s.mu.Unlock()
	boxes := make([]B, 0, len(s.boxes))
	for _, b := range s.boxes {
		boxes = append(boxes, b)
	}
	return boxes
}

// Close closes all, and lets no other in. They are closed together, because
// each may wait for a process that dies slowly.
func (s *Set[B]) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	boxes := s.All()
	errs := make([]error, len(boxes))
	var wg sync.WaitGroup
	for i, b := range boxes {
		wg.Go(func() { errs[i] = b.Close() })
	}
	wg.Wait()
	return errors.Join(errs...)
}
