package execenv

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/sandbox"
)

// limitedSandbox notes when the CPU is limited.
type limitedSandbox struct {
	*fakeSandbox
	err error // of every LimitCPU

	mu    sync.Mutex
	notes []string
}

func (s *limitedSandbox) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, text)
}

func (s *limitedSandbox) LimitCPU(_ context.Context, limited bool) error {
	s.note(fmt.Sprint("limited ", limited))
	return s.err
}

// newLimited is an environment in such a sandbox; its runtime answers, and
// ends while it handles "end".
func newLimited(t *testing.T, err error) (*Environment, *limitedSandbox) {
	t.Helper()
	s := &limitedSandbox{err: err}
	life := func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		for {
			id, event, ok := rt.next()
			if !ok {
				return sandbox.Exit{}
			}
			s.note("event " + event)
			if event == `"end"` {
				return sandbox.Exit{Code: 1}
			}
			rt.respond(id, event)
		}
	}
	s.fakeSandbox = newFakeSandbox(t, life)
	s.onStart = func(int) error { s.note("start"); return nil }
	env := New(Config{
		ID: "env-1", Sandbox: s, Bootstrap: Bootstrap{Path: "/var/task/bootstrap"},
		Version: &function.Version{Config: function.Config{Runtime: "provided.al2023", TimeoutSecs: 3, MemoryMB: 128}},
	})
	t.Cleanup(func() {
		if err := env.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := env.Init(); err != nil {
		t.Fatal(err)
	}
	return env, s
}

// TestCPUShare: inits are not bound to the share, invocations are, and a warm
// environment does not touch it.
func TestCPUShare(t *testing.T) {
	env, s := newLimited(t, nil)
	for i, event := range []string{"1", "2", `"end"`, "3"} {
		inv := NewInvocation(testEvent(fmt.Sprint("id-", i), event), nil)
		if err := env.Invoke(inv); err != nil {
			t.Fatal(err)
		}
		<-inv.Finished()
	}
	want := []string{
		"start", "limited true", "event 1", "event 2", `event "end"`,
		"limited false", "start", "limited true", "event 3",
	}
	if diff := cmp.Diff(want, s.notes); diff != "" {
		t.Error(diff)
	}
}

// TestCPUShareOfRestore: hooks are not bound to the share, and what comes after
// them is; so it is after an init that had to be run again, with its hooks.
func TestCPUShareOfRestore(t *testing.T) {
	for name, fails := range map[string]bool{"resumed": false, "init fails": true} {
		s := &limitedSandbox{}
		lives := []script{func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
			return restores(func(*fakeRuntime) bool { s.note("hook"); return true })(ctx, rt)
		}}
		want := []string{"hook", "limited true"}
		if fails {
			lives = append([]script{exits(1)}, lives...)
			want = []string{"limited false", "hook", "limited true"}
		}
		s.fakeSandbox = newFakeSandbox(t, lives...)
		env := New(Config{
			ID: "env-1", Sandbox: s, Bootstrap: Bootstrap{Path: "/var/task/bootstrap"}, Initialization: SnapStart, CredentialsToken: "open sesame",
			Version: &function.Version{Version: "1", Config: function.Config{Runtime: "python3.12", TimeoutSecs: 3, MemoryMB: 128}},
		})
		if _, err := env.Init(); err != nil {
			t.Fatal(err)
		}
		if _, err := env.Restore(RestoreRequest{Credentials: fresh}); err != nil {
			t.Fatal(err)
		}
		inv := NewInvocation(testEvent("id-1", "1"), nil)
		if err := env.Invoke(inv); err != nil {
			t.Fatal(err)
		}
		<-inv.Finished()
		if err := env.Close(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, s.notes); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestCPUShareFails: a share that cannot be set is no reason not to run.
func TestCPUShareFails(t *testing.T) {
	env, _ := newLimited(t, errors.New("no such group"))
	inv := NewInvocation(testEvent("id-1", "1"), nil)
	if err := env.Invoke(inv); err != nil {
		t.Fatal(err)
	}
	<-inv.Answered()
	if o := inv.Outcome(); string(o.Payload) != "1" {
		t.Errorf("%+v", o)
	}
}
