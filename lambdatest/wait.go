package lambdatest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/execenv"
)

// State is what the environment is doing at a moment. Its Phase is Created,
// Init, RestoreReady, Restoring, Ready, Invoking, Resetting, NeedsInit, Broken
// or Closed.
type State = execenv.State

// ExtensionState is one extension's state, in the words of the Extensions API:
// Started (its process runs), Registered, Ready, Running (it has an event),
// InitError, ExitError, LaunchError or Exited.
type ExtensionState = execenv.ExtensionState

// State is what the environment is doing now.
func (e *Environment) State() State { return e.engine.State() }

// Extensions are those that have registered, external and internal ones.
func (e *Environment) Extensions() []ExtensionState {
	return slices.DeleteFunc(e.State().Extensions, func(x ExtensionState) bool {
		return x.State == "Started" || x.State == "LaunchError"
	})
}

// Wait waits until ok holds of the environment. It is asked whenever the
// environment's state, events, log or invocations have changed; a test's own
// state belongs into a channel. what says in the message that ends the test
// when it has waited for Config.Patience, what it has waited for.
func (e *Environment) Wait(what string, ok func(e *Environment) bool) {
	e.t.Helper()
	e.waitFor(what, func() bool { return ok(e) })
}

// WaitPhase waits for a phase (see State). A phase that comes and goes in
// between may be missed.
func (e *Environment) WaitPhase(phase string) {
	e.t.Helper()
	e.waitFor("phase "+phase, func() bool { return e.State().Phase == phase })
}

// WaitFrozen waits until the environment is frozen.
func (e *Environment) WaitFrozen() {
	e.t.Helper()
	e.waitFor("a frozen environment", func() bool { return e.State().Frozen })
}

// WaitExtensionsReady waits until every extension has asked for its next event.
func (e *Environment) WaitExtensionsReady() {
	e.t.Helper()
	e.waitFor("all extensions to be ready", func() bool {
		s := e.State()
		return s.Phase != "Created" && !slices.ContainsFunc(s.Extensions, func(x ExtensionState) bool { return x.State != "Ready" }) &&
			len(s.Extensions) >= len(e.cfg.Extensions)
	})
}

// WaitLog waits until the log has a text.
func (e *Environment) WaitLog(text string) {
	e.t.Helper()
	e.waitFor(fmt.Sprintf("%q in the log", text), func() bool { return strings.Contains(e.Log(), text) })
}

func (e *Environment) waitFor(what string, ok func() bool) {
	e.t.Helper()
	limit := time.NewTimer(e.cfg.Patience)
	defer limit.Stop()
	for {
		changed := e.journal.changes.next()
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			e.giveUp(what)
		case <-e.t.Context().Done():
			e.giveUp(what)
		}
	}
}

// await waits for a channel to be closed.
func (e *Environment) await(what string, done <-chan struct{}) {
	e.t.Helper()
	limit := time.NewTimer(e.cfg.Patience)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
		e.giveUp(what)
	case <-e.t.Context().Done():
		e.giveUp(what)
	}
}

func (e *Environment) giveUp(what string) {
	e.t.Helper()
	e.t.Fatalf("lambdatest: waited for %s in vain; the environment is %+v", what, e.State())
}

// changes wakes who waits for something to change.
type changes struct {
	mu      sync.Mutex
	waiting chan struct{} // nil when nobody waits
}

// tell says that something has changed. It does not block.
func (c *changes) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting != nil {
		close(c.waiting)
		c.waiting = nil
	}
}

// next is closed with the next change.
func (c *changes) next() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == nil {
		c.waiting = make(chan struct{})
	}
	return c.waiting
}
