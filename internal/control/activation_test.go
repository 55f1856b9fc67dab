package control

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
)

var badRuntime = function.Reason{Text: "The runtime cannot be started.", Code: "InvalidRuntime"}

func TestCreationThatFails(t *testing.T) {
	b := newBench(t)
	for name, tt := range map[string]struct {
		failure error
		want    function.Reason
	}{
		"with a reason": {&ActivationError{Reason: badRuntime, Err: errors.New("details")}, badRuntime},
		"without": {errors.New("disk full"), function.Reason{
			Text: "Lambda could not prepare the function: an internal error occurred. See the server's log.", Code: "InternalError",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b.gate.shut()
			b.gate.open(tt.failure)
			b.create("fn")
			v := b.settled("fn")
			if v.State != function.StateFailed || v.StateReason != tt.want || v.LastUpdate != function.UpdateFailed || v.LastUpdateReason != tt.want {
				t.Errorf("record %+v", v)
			}
			_, err := b.publish(asIs)
			wantError(t, err, "ResourceConflictException", "The operation cannot be performed at this time. "+
				"The function is currently in the following state: Failed")

			// New code can bring it to life.
			b.gate.shut()
			b.gate.open(nil)
			if _, err := updaters(t, b)[1].update("fn", &v.RevisionID); err != nil {
				t.Fatal(err)
			}
			v = b.settled("fn")
			if v.State != function.StateActive || v.LastUpdate != function.UpdateSuccessful || v.StateReason != (function.Reason{}) {
				t.Errorf("record after an update %+v", v)
			}
			b.delete("fn", "")
		})
	}
}

func TestUpdateThatFails(t *testing.T) {
	b := newBench(t)
	for _, u := range updaters(t, b) {
		t.Run(u.name, func(t *testing.T) {
			b.gate.shut()
			b.gate.open(nil)
			b.create(u.name)
			before := b.settled(u.name)
			b.gate.shut()
			b.gate.open(&ActivationError{Reason: badRuntime})
			for range 2 { // the second failure must not forget what runs
				if _, err := u.update(u.name, nil); err != nil {
					t.Fatal(err)
				}
				v := b.settled(u.name)
				if v.State != function.StateActive || v.LastUpdate != function.UpdateFailed || v.LastUpdateReason != badRuntime {
					t.Errorf("record %+v", v)
				}
				if diff := cmp.Diff(before.Runs(), v.Runs()); diff != "" {
					t.Errorf("runs after a failed update (-before +after):\n%s", diff)
				}
			}
			cfg, err := b.ctl.GetFunctionConfiguration(b.caller(), &api.GetFunctionConfigurationRequest{FunctionName: &u.name})
			if err != nil {
				t.Fatal(err)
			}
			if *cfg.LastUpdateStatus != "Failed" || *cfg.LastUpdateStatusReason != badRuntime.Text || *cfg.LastUpdateStatusReasonCode != badRuntime.Code {
				t.Errorf("shown as %v", asJSON(t, cfg))
			}
		})
	}
}

func TestCodeThatIsLost(t *testing.T) {
	b := newBench(t)
	b.gate.shut()
	if _, err := b.ctl.CreateFunction(b.caller(), createRequest(t, "fn")); err != nil {
		t.Fatal(err)
	}
	b.restart(func() {
		zips, err := filepath.Glob(filepath.Join(b.codeDir(), "*.zip"))
		if err != nil || len(zips) != 1 {
			t.Fatalf("zips %v, %v", zips, err)
		}
		if err := os.WriteFile(zips[0], []byte("garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
		b.gate.open(nil)
	})
	v := b.settled("fn")
	if v.State != function.StateFailed || v.StateReason.Code != "InvalidZipFileException" {
		t.Errorf("record %+v", v)
	}
}

// restart ends control and stores as they are, calls between, and starts anew.
func (b *bench) restart(between func()) {
	b.t.Helper()
	b.close()
	between()
	b.open()
}

// Whatever a process leaves unfinished, the next one brings to an end.
func TestUnfinishedAtStart(t *testing.T) {
	b := newBench(t)
	b.create("code")
	b.create("config")
	oldCode, oldConfig := b.settled("code"), b.settled("config")
	b.gate.shut()
	if _, err := b.ctl.CreateFunction(b.caller(), createRequest(t, "new", func(in *api.CreateFunctionRequest) { in.Publish = new(true) })); err != nil {
		t.Fatal(err)
	}
	if _, err := updaters(t, b)[0].update("config", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := updaters(t, b)[1].update("code", nil); err != nil {
		t.Fatal(err)
	}

	b.restart(func() {})
	// Still shut: the records are as they were, and the old content serves.
	for name, old := range map[string]*function.Version{"code": oldCode, "config": oldConfig} {
		v, err := b.db.Get(t.Context(), key(name), function.Latest)
		if err != nil {
			t.Fatal(err)
		}
		if v.LastUpdate != function.UpdateInProgress {
			t.Errorf("%s after the restart: %+v", name, v)
		}
		if diff := cmp.Diff(old.Runs(), v.Runs()); diff != "" {
			t.Errorf("%s runs after the restart (-before +after):\n%s", name, diff)
		}
	}

	b.gate.open(nil)
	for _, name := range []string{"new", "code", "config"} {
		v := b.settled(name)
		if v.State != function.StateActive || v.LastUpdate != function.UpdateSuccessful || v.Config.Kept.Serving != nil {
			t.Errorf("%s at the end: %+v", name, v)
		}
	}
	one, err := b.db.Get(t.Context(), key("new"), "1")
	if err != nil {
		t.Fatal(err)
	}
	if one.State != function.StateActive {
		t.Errorf("version 1 at the end: %+v", one)
	}
}

// One version that takes long does not keep the others from becoming active.
func TestActivationsRunBesideEachOther(t *testing.T) {
	slow := newGate()
	slow.shut()
	b := newBench(t, func(cfg *Config) {
		cfg.Activate = func(ctx context.Context, v *function.Version) error {
			if v.Key.Name != "slow" {
				return nil
			}
			return slow.pass(ctx, v)
		}
	})
	if _, err := b.ctl.CreateFunction(b.caller(), createRequest(t, "slow")); err != nil {
		t.Fatal(err)
	}
	b.create("quick")
	v, err := b.db.Get(t.Context(), key("slow"), function.Latest)
	if err != nil {
		t.Fatal(err)
	}
	if v.State != function.StatePending {
		t.Errorf("the slow one is %s", v.State)
	}
	slow.open(nil)
	b.settled("slow")
	slow.mu.Lock()
	defer slow.mu.Unlock()
	if n := slow.passed[arnBase+"slow:$LATEST"]; n != 1 {
		t.Errorf("activated %d times", n)
	}
}

// The worker outlives a store that fails, and asks again after a pause.
func TestStoreThatFails(t *testing.T) {
	b := newBench(t)
	if err := b.db.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b.ctl.wake()
		b.clock.WaitTimers(1)
		b.clock.Advance(retryAfter + time.Millisecond)
	}
	b.ctl.Close()
	b.open() // for the cleanup
}
