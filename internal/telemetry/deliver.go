package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/lambhq/lamb/internal/clock"
)

// sink is the way to a destination. Only the subscriber's owner uses it.
type sink interface {
	// send delivers the body once, or what earlier calls left of it. It returns
	// soon after ctx ends, and how many bytes need not be sent again.
	send(ctx context.Context, body []byte) (n int, err error)
	// close gives up the connection.
	close()
}

var errTimeout = errors.New("the subscriber took too long")

// run delivers batches until ctx ends: the subscriber's owner.
func (s *subscriber) run(ctx context.Context) {
	out := s.sink()
	defer out.close()
	for ctx.Err() == nil {
		b, wait := s.take()
		if b == nil {
			s.idle(ctx, wait)
			continue
		}
		s.deliver(ctx, out, b)
	}
}

func (s *subscriber) sink() sink {
	line := connector{dial: s.hub.cfg.Dial, port: s.destination.Port}
	if s.destination.Protocol == TCP {
		return &tcpSink{connector: line}
	}
	return &httpSink{connector: line, target: s.destination.Target, method: s.method}
}

// method is that of the HTTP requests; a new subscription can change it.
func (s *subscriber) method() string {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	return s.settings.Method
}

// idle waits for a kick, for the time to pass if it is not zero, or for the
// end of ctx.
func (s *subscriber) idle(ctx context.Context, wait time.Duration) {
	var due <-chan time.Time
	if wait > 0 {
		timer := s.hub.cfg.Clock.NewTimer(wait)
		defer timer.Stop()
		due = timer.C()
	}
	select {
	case <-s.kick:
	case <-due:
	case <-ctx.Done():
	}
}

// deliver sends a batch until it has arrived, or has failed too often, or ctx
// ends.
func (s *subscriber) deliver(ctx context.Context, out sink, b *batch) {
	size := len(b.data)
	if s.destination.Protocol == HTTP {
		b.data = append(b.data, ']')
	}
	left, err := s.send(ctx, out, b.data)
	var lost loss
	if err != nil {
		lost = s.left(b, left)
		s.hub.cfg.Log.Info("telemetry subscriber does not take its events",
			slog.String("extension", s.extension), slog.Int("port", s.destination.Port),
			slog.Int64("dropped", lost.records), slog.Any("error", err))
	}
	s.finish(b, size, lost)
}

// send makes attempts until one succeeds or there have been enough. It returns
// what was not delivered of the body, and why.
func (s *subscriber) send(ctx context.Context, out sink, body []byte) ([]byte, error) {
	cfg := s.hub.cfg
	backoff := cfg.FirstBackoff
	for failures := 0; ; {
		pauses, err := s.hub.running(ctx)
		if err != nil {
			return body, err
		}
		n, err := s.attempt(ctx, out, body)
		if body = body[n:]; err == nil {
			return body, nil
		}
		if !s.hub.pausedSince(pauses) {
			failures++
		}
		if failures == cfg.Attempts {
			return body, err
		}
		if err := sleep(ctx, cfg.Clock, backoff); err != nil {
			return body, err
		}
		backoff = min(2*backoff, cfg.MaxBackoff)
	}
}

// attempt is one try of at most AttemptTimeout.
func (s *subscriber) attempt(ctx context.Context, out sink, body []byte) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cfg := s.hub.cfg
	timer := cfg.Clock.AfterFunc(cfg.AttemptTimeout, func() { cancel(errTimeout) })
	defer timer.Stop()
	n, err := out.send(ctx, body)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx) // instead of the closed connection's error
	}
	return n, err
}

// left is what a subscriber has not got of a batch.
func (s *subscriber) left(b *batch, body []byte) loss {
	if s.destination.Protocol == TCP {
		return loss{lines(body), int64(len(body))}
	}
	return loss{int64(b.items), int64(len(body))}
}

// running waits while the Hub is paused. It returns how often it has been, or
// why ctx has ended.
func (h *Hub) running(ctx context.Context) (int, error) {
	for {
		h.mu.Lock()
		paused, pauses, resumed := h.paused, h.pauses, h.resumed
		h.mu.Unlock()
		if !paused || ctx.Err() != nil {
			return pauses, context.Cause(ctx)
		}
		select {
		case <-resumed:
		case <-ctx.Done():
		}
	}
}

// pausedSince tells whether there was a pause since running returned pauses.
func (h *Hub) pausedSince(pauses int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pauses != pauses
}

func sleep(ctx context.Context, c clock.Clock, d time.Duration) error {
	timer := c.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
