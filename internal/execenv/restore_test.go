package execenv

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/clock/clocktest"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/sandbox"
)

var fresh = Credentials{AccessKeyID: "id", SecretAccessKey: "secret", SessionToken: "token"}

// snapHarness is an environment that is resumed after its init.
func snapHarness(t *testing.T, c *clocktest.Fake, list *eventList, lives ...script) *harness {
	box := newFakeSandbox(t, lives...)
	h := &harness{t: t, sandbox: box, logs: &logLines{}, released: make(chan struct{}, 100)}
	cfg := Config{
		ID: "env-1", Sandbox: box, Logs: h.logs, Events: list, Initialization: SnapStart,
		Bootstrap: Bootstrap{Path: "/var/task/bootstrap"}, CredentialsToken: "open sesame",
		Credentials: Credentials{AccessKeyID: "old", SecretAccessKey: "old", SessionToken: "old"},
		Released:    func(*Environment) { h.released <- struct{}{} },
		Version: &function.Version{
			Key:     function.Key{Partition: "aws", Account: "000000000000", Region: "us-east-1", Name: "f"},
			Version: "1", Config: function.Config{Runtime: "python3.12", TimeoutSecs: 3, MemoryMB: 128},
		},
	}
	if c != nil {
		cfg.Clock = c
	}
	h.Environment = New(cfg)
	t.Cleanup(func() { _ = h.Environment.Close() })
	return h
}

// restores waits in restore/next, runs a hook, and then serves.
func restores(hook func(rt *fakeRuntime) bool) script {
	return func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		if a := rt.do("GET", "restore/next", ""); a.status != 200 || a.body != "" {
			return sandbox.Exit{}
		}
		if hook != nil && !hook(rt) {
			return sandbox.Exit{Code: 1}
		}
		return echo(ctx, rt)
	}
}

func TestRestore(t *testing.T) {
	c, list := clocktest.New(start), &eventList{}
	var seen []string
	credentials := func(rt *fakeRuntime, token string) answer {
		return rt.ext("GET", "/2021-04-23/credentials", "", "Authorization", token)
	}
	h := snapHarness(t, c, list, func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		seen = append(seen, credentials(rt, "open sesame").body)
		return restores(func(rt *fakeRuntime) bool {
			seen = append(seen, credentials(rt, "open sesame").body)
			if a := credentials(rt, "guess"); a.status != 404 || a.body != "cannot get credentials for the provided token\n" {
				t.Errorf("wrong token: %d %q", a.status, a.body)
			}
			if a := rt.do("GET", "restore/next", ""); a.status != 403 {
				t.Errorf("restore/next while restoring: %d", a.status)
			}
			c.Advance(200 * time.Millisecond)
			return true
		})(ctx, rt)
	})
	if _, err := h.Restore(RestoreRequest{Credentials: fresh}); !errors.Is(err, ErrIllegalMove) {
		t.Errorf("Restore before Init: %v", err)
	}
	h.init()
	if s := h.State(); s.Phase != "RestoreReady" || s.Runtime != "RestoreReady" {
		t.Errorf("state %s, %s", s.Phase, s.Runtime)
	}
	if err := h.Environment.Invoke(NewInvocation(testEvent("id", "1"), nil)); !errors.Is(err, ErrIllegalMove) {
		t.Errorf("Invoke before Restore: %v", err)
	}
	if _, err := h.Restore(RestoreRequest{Credentials: Credentials{AccessKeyID: "id"}}); err != ErrMissingRestoreCredentials {
		t.Errorf("without credentials: %v", err)
	}
	if r, err := h.Restore(RestoreRequest{Credentials: fresh}); err != nil || r.Duration != 200*time.Millisecond {
		t.Fatalf("Restore: %+v, %v", r, err)
	}
	for i, want := range []string{
		`{"AccessKeyId":"old","SecretAccessKey":"old","Token":"old","Expiration":"2026-`,
		`{"AccessKeyId":"id","SecretAccessKey":"secret","Token":"token","Expiration":"2026-`,
	} {
		if !strings.HasPrefix(seen[i], want) || !json.Valid([]byte(seen[i])) {
			t.Errorf("credentials %s, want %s", seen[i], want)
		}
	}
	h.invoke("id-1", "1")
	inv := h.invoke("id-2", "2")
	if !strings.Contains(h.logs.String(), "RESTORE_START Runtime Version: python3.12") ||
		!strings.Contains(h.logs.String(), "RESTORE_REPORT Restore Duration: 200.00 ms\n") ||
		!strings.Contains(h.logs.String(), "Duration: 0.00 ms\tBilled Duration: 200 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tRestore Duration: 200.00 ms\tBilled Restore Duration: 200 ms\t\n") {
		t.Errorf("log:\n%s", h.logs)
	}
	if strings.Contains(inv.LogTail(), "Restore") || strings.Contains(h.logs.String(), "Init Duration: 0.00 ms\t") {
		t.Errorf("log:\n%s", h.logs)
	}
	want := []string{
		"initStart snap-start snap-start", "initRuntimeDone snap-start snap-start success",
		"restoreStart", "restoreRuntimeDone success", "restoreReport success", "initReport snap-start snap-start success",
		"start id-1",
	}
	if diff := cmp.Diff(want, list.list()[:len(want)]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// After a reset there is no snapshot to go back to: the init runs again in
	// the invocation, and goes on through the hooks.
	if _, err := h.Reset(ResetRequest{}); err != nil {
		t.Fatal(err)
	}
	if o := h.invoke("id-3", "3").Outcome(); string(o.Payload) != "3" {
		t.Errorf("after a reset: %s", o.Payload)
	}
}

// TestRestoreFailures: every way in which it comes to nothing.
func TestRestoreFailures(t *testing.T) {
	for _, tt := range []struct {
		name          string
		hook          func(rt *fakeRuntime) bool
		advance       time.Duration
		is            error
		errType, body string
	}{
		{"restore/error", func(rt *fakeRuntime) bool {
			if a := rt.do("POST", "restore/error", `{"errorMessage":"m"}`); a.status != 202 {
				t.Errorf("restore/error: %d %s", a.status, a.body)
			}
			if a := rt.do("POST", "restore/error", ""); a.status != 403 || !strings.Contains(a.body, "State transition from RuntimeRestoreErrorState") {
				t.Errorf("a second time: %d %s", a.status, a.body)
			}
			return false
		}, 0, ErrRestoreHook, "Runtime.RestoreHookUserError", `{"errorMessage":"m"}`},
		{"init/error", func(rt *fakeRuntime) bool {
			rt.initError(`{"errorMessage":"m"}`)
			return false
		}, 0, ErrRestoreHook, "Runtime.RestoreHookUserError", `{"errorMessage":"m"}`},
		{"exit", func(*fakeRuntime) bool { return false }, 0, ErrRestoreHook, "Runtime.ExitError", `{"errorType":"Runtime.ExitError","errorMessage":"Error: Runtime exited with error: exit status 1"}`},
		{"timeout", func(rt *fakeRuntime) bool { <-rt.ctx.Done(); return false }, 10 * time.Second, ErrRestoreHookTimeout, "Runtime.RestoreHookUserTimeout",
			`{"errorType":"Runtime.RestoreHookUserTimeout","errorMessage":"Error: after-restore hooks timed out after 10.00 seconds"}`},
	} {
		c, list := clocktest.New(start), &eventList{}
		inHook, over := make(chan struct{}), make(chan struct{})
		h := snapHarness(t, c, list, restores(func(rt *fakeRuntime) bool {
			close(inHook)
			defer close(over)
			return tt.hook(rt)
		}))
		h.init()
		failed := make(chan error, 1)
		go func() {
			_, err := h.Restore(RestoreRequest{Credentials: fresh})
			failed <- err
		}()
		<-inHook
		c.Advance(tt.advance)
		err := <-failed
		if tt.advance == 0 {
			<-over
		}
		var hook *RestoreHookError
		if !errors.As(err, &hook) || !errors.Is(err, tt.is) || hook.Type != tt.errType || string(hook.Payload) != tt.body {
			t.Errorf("%s: %v", tt.name, err)
		}
		for _, e := range []error{ErrRestoreHook, ErrRestoreHookTimeout} {
			if errors.Is(err, e) != (e == tt.is) {
				t.Errorf("%s: is %v: %v", tt.name, e, errors.Is(err, e))
			}
		}
		want := "restoreReport error " + tt.errType
		if tt.is == ErrRestoreHookTimeout {
			want = "restoreReport timeout" // the status says it all
		}
		if !slices.Contains(list.list(), want) {
			t.Errorf("%s: events %q", tt.name, list.list())
		}
		if err := h.Environment.Invoke(NewInvocation(testEvent("id", "1"), nil)); err != ErrClosed {
			t.Errorf("%s: Invoke afterwards: %v", tt.name, err)
		}
	}
}

// TestRestoreWithoutHooks: a runtime that goes straight to its first event has
// nothing to run.
func TestRestoreWithoutHooks(t *testing.T) {
	h := snapHarness(t, nil, &eventList{}, echo).init()
	if _, err := h.Restore(RestoreRequest{Credentials: fresh}); err != nil {
		t.Fatal(err)
	}
	if o := h.invoke("id-1", "1").Outcome(); string(o.Payload) != "1" {
		t.Errorf("got %s", o.Payload)
	}
}

// TestRestoreAfterFailure: the init failed, or its runtime ended while it
// waited: the first invocation runs it again.
func TestRestoreAfterFailure(t *testing.T) {
	gone := make(chan struct{})
	waits := func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		go rt.do("GET", "restore/next", "")
		<-gone
		return sandbox.Exit{Code: 1}
	}
	for name, first := range map[string]script{"init": exits(1), "waiting": waits} {
		h := snapHarness(t, nil, &eventList{}, first, restores(nil)).init()
		if name == "waiting" {
			killed := make(chan struct{})
			h.sandbox.onKill = func() error { close(killed); h.sandbox.onKill = nil; return nil }
			close(gone)
			<-killed
		}
		if _, err := h.Restore(RestoreRequest{Credentials: fresh}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if o := h.invoke("id-1", "1").Outcome(); string(o.Payload) != "1" {
			t.Errorf("%s: got %s", name, o.Payload)
		}
	}
}

// TestNoRestoreAPI: who is not resumed has neither calls.
func TestNoRestoreAPI(t *testing.T) {
	newHarness(t, nil, func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		for _, a := range []answer{
			rt.do("GET", "restore/next", ""), rt.do("POST", "restore/error", ""),
			rt.ext("GET", "/2021-04-23/credentials", "", "Authorization", ""),
		} {
			if a.status != 404 {
				t.Errorf("%d %s", a.status, a.body)
			}
		}
		return echo(ctx, rt)
	}).init()
}
