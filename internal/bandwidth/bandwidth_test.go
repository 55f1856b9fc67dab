package bandwidth

import (
	"errors"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/clock/clocktest"
)

var start = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// send takes total bytes in pieces and lets the clock run for as long as the
// shaper asks, late by late each time. It returns how long it took.
func send(t *testing.T, l Limits, total, piece int, late time.Duration) time.Duration {
	t.Helper()
	c := clocktest.New(start)
	s := New(l, c)
	var waited time.Duration
	for total > 0 {
		n := min(piece, total)
		if !s.Ready(n) {
			_, wait := s.try(n)
			if wait <= 0 {
				t.Fatalf("not ready for %d bytes, and nothing to wait for", n)
			}
			c.Advance(wait + late)
			waited += wait + late
		}
		granted, took := s.Take(nil, n)
		if granted < 1 || granted > n || took != 0 {
			t.Fatalf("Take(%d) = %d, %v after the wait", n, granted, took)
		}
		total -= granted
	}
	return waited
}

func TestRate(t *testing.T) {
	tests := []struct {
		limits       Limits
		total, piece int
	}{
		{Limits{DefaultRate, DefaultBurst}, 100 << 20, 64 << 10},
		{Limits{DefaultRate, DefaultBurst}, 20 << 20, 1000},
		{Limits{DefaultRate, DefaultBurst}, 10 << 20, 8 << 20},
		{Limits{MinRate, MinBurst}, 1 << 20, 64 << 10},
		{Limits{MinRate, MaxBurst}, 65 << 20, 64 << 10},
		{Limits{MaxRate, MinBurst}, 100 << 20, 64 << 10},
		{Limits{MaxRate, MaxBurst}, 200 << 20, 64 << 10},
	}
	for _, tt := range tests {
		for _, late := range []time.Duration{0, 50 * time.Microsecond} {
			got := send(t, tt.limits, tt.total, tt.piece, late)
			want := time.Duration(float64(int64(tt.total)-tt.limits.Burst) / float64(tt.limits.Rate) * float64(time.Second))
			if diff := got - want; diff.Abs() > want/100 {
				t.Errorf("%+v: %d bytes by %d with timers late by %v took %v, want %v", tt.limits, tt.total, tt.piece, late, got, want)
			}
		}
	}
}

func TestBurstIsImmediate(t *testing.T) {
	if took := send(t, Limits{DefaultRate, DefaultBurst}, DefaultBurst, 64<<10, 0); took != 0 {
		t.Errorf("the burst took %v", took)
	}
}

func TestUnlimited(t *testing.T) {
	if took := send(t, Limits{}, 1<<30, 1<<20, 0); took != 0 {
		t.Errorf("an unshaped stream waited for %v", took)
	}
}

// TestRefill: a stream that pauses gets its burst again, and no more.
func TestRefill(t *testing.T) {
	c := clocktest.New(start)
	s := New(Limits{MinRate, MinBurst}, c)
	for range 3 {
		if n, _ := s.Take(nil, 1<<20); n != MinBurst {
			t.Fatalf("took %d, want the burst of %d", n, MinBurst)
		}
		c.Advance(time.Hour)
	}
}

// TestTakeWaits: Take waits by the clock and says for how long, and stops to
// when nobody wants it any more.
func TestTakeWaits(t *testing.T) {
	c := clocktest.New(start)
	s := New(Limits{MinRate, MinBurst}, c)
	s.Take(nil, MinBurst)
	type taken struct {
		n      int
		waited time.Duration
	}
	got := make(chan taken)
	take := func(done chan struct{}) {
		n, waited := s.Take(done, 1024)
		got <- taken{n, waited}
	}
	go take(nil)
	c.WaitTimers(1)
	c.Advance(time.Second / 32)
	if g := <-got; g != (taken{1024, time.Second / 32}) {
		t.Errorf("Take = %+v, want 1024 bytes after a 32nd of a second", g)
	}
	done := make(chan struct{})
	go take(done)
	c.WaitTimers(1)
	close(done)
	if g := <-got; g.n != 0 {
		t.Errorf("Take gave %d bytes though nobody waits", g.n)
	}
}

func TestCheck(t *testing.T) {
	for l, want := range map[Limits]error{
		{}:                           nil,
		{DefaultRate, DefaultBurst}:  nil,
		{MinRate, MaxBurst}:          nil,
		{MaxRate, MinBurst}:          nil,
		{MinRate - 1, DefaultBurst}:  ErrRate,
		{MaxRate + 1, DefaultBurst}:  ErrRate,
		{DefaultRate, MinBurst - 1}:  ErrBurst,
		{DefaultRate, MaxBurst + 1}:  ErrBurst,
		{DefaultRate, 0}:             ErrBurst,
		{-DefaultRate, DefaultBurst}: ErrRate,
	} {
		if err := l.Check(); !errors.Is(err, want) {
			t.Errorf("%+v: %v, want %v", l, err, want)
		}
	}
}
