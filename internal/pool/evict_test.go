package pool

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/function"
)

// Where the system has nothing left for another environment, idle ones go, and
// then invocations are throttled: they are no failures of lamb.
func TestExhaustionEvictsThenThrottles(t *testing.T) {
	for _, full := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EAGAIN} {
		t.Run(full.Error(), func(t *testing.T) {
			f := newFixture(t, nil)
			oldest := f.acquire(version("f", "a"))
			younger := f.acquire(version("g", "a"))
			oldest.released()
			f.clock.Advance(time.Second)
			younger.released()
			f.fail = fmt.Errorf("create sandbox: %w", full)
			_, err := f.Acquire(context.Background(), version("h", "a"), "")
			var throttled *ThrottledError
			if !errors.As(err, &throttled) || throttled.RetryAfter <= 0 {
				t.Fatalf("Acquire: %v", err)
			}
			if !oldest.isClosed() || !younger.isClosed() {
				t.Error("idle environments were kept")
			}
			f.fail = nil
			f.acquire(version("h", "a")) // what was throttled is not still counted
		})
	}
}

// One eviction is enough where it makes room.
func TestExhaustionEvictsNoMoreThanNeeded(t *testing.T) {
	var oldest *fakeEnv
	f := newFixture(t, func(c *Config) {
		launch := c.Launch
		c.Launch = func(ctx context.Context, v *function.Version, released func()) (Environment, error) {
			if oldest != nil && !oldest.isClosed() {
				return nil, fmt.Errorf("create sandbox: %w", syscall.EMFILE)
			}
			return launch(ctx, v, released)
		}
	})
	old, younger := f.acquire(version("f", "a")), f.acquire(version("g", "a"))
	old.released()
	f.clock.Advance(time.Second)
	younger.released()
	oldest = old
	f.acquire(version("h", "a"))
	if younger.isClosed() {
		t.Error("an environment was closed although there was room")
	}
}

// TestExhaustionAtInit: the environment was made, and its process could not be.
func TestExhaustionAtInit(t *testing.T) {
	f := newFixture(t, func(c *Config) {
		launch := c.Launch
		c.Launch = func(ctx context.Context, v *function.Version, released func()) (Environment, error) {
			env, err := launch(ctx, v, released)
			env.(*fakeEnv).initErr = fmt.Errorf("start the runtime: %w", syscall.EMFILE)
			return env, err
		}
	})
	_, err := f.Acquire(context.Background(), version("f", "a"), "")
	var throttled *ThrottledError
	if !errors.As(err, &throttled) || throttled.RetryAfter <= 0 {
		t.Errorf("Acquire: %v", err)
	}
}
