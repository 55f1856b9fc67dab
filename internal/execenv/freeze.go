package execenv

import (
	"context"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/telemetry"
)

// DefaultFreezeAfter is how long an environment is left running that has
// nothing to do: one that is invoked again and again is never frozen.
const DefaultFreezeAfter = 100 * time.Millisecond

// telemetryTime is how long an idle environment is kept from freezing by
// telemetry that has yet to be delivered: the longest time for which a
// subscriber may have it held back, so that only one that takes nothing is
// frozen with some waiting.
const telemetryTime = telemetry.MaxTimeout

// freezeTime bounds a freeze, which an invocation may have come to wait for. A
// process that takes longer to stand still, in the kernel, does so later.
const freezeTime = 100 * time.Millisecond

// freezer stops the processes of an environment while it is idle.
type freezer struct {
	box   sandbox.Sandbox
	hub   *telemetry.Hub
	after time.Duration // 0: never

	// moving is held by a freeze or a thaw from the moment at which it is
	// decided until it is done. It is taken before Environment.mu.
	moving sync.Mutex

	// The rest is guarded by Environment.mu.

	frozen bool // or about to be
	timer  stopper
	armed  bool      // the timer has yet to fire
	since  time.Time // idle since
}

// idleLocked says that the environment has nothing to do. In a busy one the
// timer that runs already is left alone: this costs an invocation nothing.
func (e *Environment) idleLocked(now time.Time) {
	f := &e.freezer
	f.since = now
	if f.after > 0 && !f.armed {
		e.armFreezerLocked(f.after)
	}
}

func (e *Environment) armFreezerLocked(d time.Duration) {
	e.freezer.armed = true
	e.freezer.timer = e.cfg.Clock.AfterFunc(d, e.freezeIfIdle)
}

// freezeIfIdle freezes the environment if it has been idle for long enough.
func (e *Environment) freezeIfIdle() {
	f := &e.freezer
	f.moving.Lock()
	defer f.moving.Unlock()
	e.mu.Lock()
	f.armed = false
	if e.phase != phaseReady || e.inv != nil || f.frozen {
		e.mu.Unlock()
		return // the next one who is idle begins anew
	}
	idle := e.cfg.Clock.Now().Sub(f.since)
	waits := idle < telemetryTime && f.hub.Stats().Waiting > 0
	if idle < f.after || waits {
		e.armFreezerLocked(max(f.after-idle, f.after/2))
		e.mu.Unlock()
		return
	}
	f.frozen = true
	e.wg.Add(1) // phase is not Closed, so Close has yet to wait
	e.mu.Unlock()
	defer e.wg.Done()

	f.hub.Pause()
	ctx, cancel := context.WithTimeout(e.ctx, freezeTime)
	defer cancel()
	if err := f.box.Freeze(ctx); err != nil && ctx.Err() == nil {
		// It is thawed like one that is frozen.
		e.cfg.Log.Warn("idle environment could not be frozen", "err", err)
	}
}

// Freeze stops the environment's processes now, if it is idle; the next
// invocation lets them go on, as does Thaw. The errors are ErrBusy,
// ErrIllegalMove, ErrClosed, and the sandbox's.
func (e *Environment) Freeze() error {
	f := &e.freezer
	f.moving.Lock()
	defer f.moving.Unlock()
	e.mu.Lock()
	switch {
	case e.inv != nil && e.phase < phaseBroken:
		defer e.mu.Unlock()
		return ErrBusy
	case e.phase != phaseReady:
		defer e.mu.Unlock()
		return e.phase.illegal("Freeze")
	case f.frozen:
		defer e.mu.Unlock()
		return nil
	}
	f.frozen = true
	e.wg.Add(1) // phase is not Closed, so Close has yet to wait
	e.mu.Unlock()
	defer e.wg.Done()

	f.hub.Pause()
	return f.box.Freeze(e.ctx) // after an error it is thawed like one that is frozen
}

// Thaw lets the processes of a frozen environment go on.
func (e *Environment) Thaw() error { return e.thaw(e.ctx) }

// stopLocked ends the timer: the environment is closed.
func (f *freezer) stopLocked() {
	if f.timer != nil {
		f.timer.Stop()
	}
}

// thaw lets the processes of a frozen environment go on, once a freeze that is
// under way is done.
func (e *Environment) thaw(ctx context.Context) error {
	f := &e.freezer
	f.moving.Lock()
	defer f.moving.Unlock()
	e.mu.Lock()
	frozen := f.frozen
	e.mu.Unlock()
	if !frozen {
		return nil
	}
	if err := f.box.Thaw(ctx); err != nil {
		return err
	}
	e.thawed()
	return nil
}

// giveUp ends the environment because it cannot be thawed. An error means that
// the invocation was not taken after all.
func (e *Environment) giveUp(inv *Invocation, cause error) error {
	e.mu.Lock()
	if e.inv != inv {
		e.mu.Unlock()
		return nil // timed out or closed: that path answers
	}
	e.phase, e.inv = phaseBroken, nil
	e.mu.Unlock()
	inv.timer.Stop()
	e.cfg.Log.Error("frozen environment could not be thawed", "err", cause)
	return ErrClosed
}

// thawed takes note that nothing is frozen. Moving is held.
func (e *Environment) thawed() {
	e.mu.Lock()
	e.freezer.frozen = false
	e.mu.Unlock()
	e.freezer.hub.Resume()
}

// killAll ends every process, frozen or not.
func (e *Environment) killAll() error {
	f := &e.freezer
	f.moving.Lock()
	defer f.moving.Unlock()
	err := f.box.Kill(e.ctx)
	e.thawed()
	return err
}
