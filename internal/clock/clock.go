// Package clock is lamb's own time: every component that waits, stamps or
// expires takes a Clock, so that a test can run hours in milliseconds.
package clock

import "time"

// Clock tells the time and makes timers. The zero value of a component's
// Clock field means System.
type Clock interface {
	// Now returns the current time with a monotonic reading where there is one.
	Now() time.Time
	// NewTimer returns a timer that fires once after d.
	NewTimer(d time.Duration) Timer
	// AfterFunc calls f once in its own goroutine after d; the returned
	// timer's C is nil.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is the part of time.Timer that components use.
type Timer interface {
	// C delivers the time once when the timer fires.
	C() <-chan time.Time
	// Stop prevents the timer from firing; it reports whether it did.
	Stop() bool
}

// System is the machine's clock.
var System Clock = systemClock{}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) NewTimer(d time.Duration) Timer { return systemTimer{time.NewTimer(d)} }

func (systemClock) AfterFunc(d time.Duration, f func()) Timer {
	return systemTimer{time.AfterFunc(d, f)}
}

type systemTimer struct{ t *time.Timer }

func (t systemTimer) C() <-chan time.Time { return t.t.C }
func (t systemTimer) Stop() bool          { return t.t.Stop() }
