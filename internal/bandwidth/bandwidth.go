// Package bandwidth shapes streamed responses as Lambda does: a burst at once,
// then a steady rate. It is a token bucket with bytes for tokens.
package bandwidth

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/lambhq/lamb/internal/clock"
)

// Lambda's own limits, and the ranges in which it lets them be set.
const (
	DefaultRate  = 2 << 20 // bytes a second
	DefaultBurst = 6 << 20 // bytes

	MinRate, MaxRate   = 32 << 10, 64 << 20
	MinBurst, MaxBurst = 32 << 10, 64 << 20
)

// Limits are a stream's. The zero value does not limit.
type Limits struct {
	Rate  int64 // bytes a second
	Burst int64 // bytes that may go at once
}

// What Check refuses; errors.Is tells them apart.
var (
	ErrRate  = errors.New("invalid stream rate")
	ErrBurst = errors.New("invalid stream burst")
)

// Check refuses limits outside of Lambda's ranges: ErrRate or ErrBurst.
func (l Limits) Check() error {
	switch {
	case l == Limits{}:
		return nil
	case l.Rate < MinRate || l.Rate > MaxRate:
		return fmt.Errorf("%w: %d bytes a second is not between %d and %d", ErrRate, l.Rate, MinRate, MaxRate)
	case l.Burst < MinBurst || l.Burst > MaxBurst:
		return fmt.Errorf("%w: %d bytes is not between %d and %d", ErrBurst, l.Burst, MinBurst, MaxBurst)
	}
	return nil
}

// steps is how often in a second a shaped stream gets something, at least:
// waiting for every byte alone would keep the machine busy.
const steps = 8

// Shaper shapes one stream. One goroutine uses it.
type Shaper struct {
	limits Limits
	clock  clock.Clock
	step   float64   // worth waiting for; less is taken only if less is wanted
	tokens float64   // at most Burst
	at     time.Time // when tokens was right
}

// New makes a Shaper whose bucket is full.
func New(l Limits, c clock.Clock) *Shaper {
	return &Shaper{
		limits: l, clock: c, tokens: float64(l.Burst), at: c.Now(),
		// Half a bucket at most, so that nothing is lost while a late timer
		// lets it fill.
		step: math.Min(float64(l.Burst)/2, float64(l.Rate)/steps),
	}
}

// Take waits until some of n bytes may go, and returns how many, and how long
// it waited. It returns none when done is closed first.
func (s *Shaper) Take(done <-chan struct{}, n int) (granted int, waited time.Duration) {
	if s.limits.Rate == 0 {
		return n, 0
	}
	granted, wait := s.try(n)
	for began := s.at; granted == 0; granted, wait = s.try(n) {
		t := s.clock.NewTimer(wait)
		select {
		case <-t.C():
		case <-done:
			t.Stop()
			return 0, waited
		}
		waited = s.clock.Now().Sub(began)
	}
	return granted, waited
}

// Ready reports whether Take would give n bytes, or a good part, at once.
func (s *Shaper) Ready(n int) bool {
	if s.limits.Rate == 0 {
		return true
	}
	s.fill()
	return s.tokens >= s.wanted(n)
}

// try takes what there is for n bytes, or says how long to wait for it.
func (s *Shaper) try(n int) (granted int, wait time.Duration) {
	s.fill()
	if missing := s.wanted(n) - s.tokens; missing > 0 {
		return 0, time.Duration(math.Ceil(missing / float64(s.limits.Rate) * float64(time.Second)))
	}
	granted = int(math.Min(float64(n), s.tokens))
	s.tokens -= float64(granted)
	return granted, 0
}

func (s *Shaper) wanted(n int) float64 { return math.Min(float64(n), s.step) }

func (s *Shaper) fill() {
	now := s.clock.Now()
	s.tokens = math.Min(float64(s.limits.Burst), s.tokens+now.Sub(s.at).Seconds()*float64(s.limits.Rate))
	s.at = now
}
