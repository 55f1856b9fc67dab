package native_test

import (
	"context"
	"os"
	"testing"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/escapes"
	"github.com/lambhq/lamb/internal/sandbox/native"
	"github.com/lambhq/lamb/internal/sandbox/sandboxtest"
)

func TestMain(m *testing.M) {
	escapes.MaybeRun()
	sandboxtest.Main(m)
}

func newProvider(t testing.TB, cfg native.Config) *native.Provider {
	t.Helper()
	cfg.WorkDir = t.TempDir()
	p, err := native.New(cfg)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestConformance(t *testing.T) {
	sandboxtest.Run(t, func(t testing.TB) sandbox.Provider { return newProvider(t, native.Config{}) }, sandboxtest.Options{})
}

// TestConformanceHostNetwork is the suite where the network is the host's.
func TestConformanceHostNetwork(t *testing.T) {
	sandboxtest.Run(t, func(t testing.TB) sandbox.Provider {
		return newProvider(t, native.Config{Network: native.NetworkHost})
	}, sandboxtest.Options{})
}

// TestConformancePool is the suite on prepared shells, which may serve any
// folder of a test.
func TestConformancePool(t *testing.T) {
	sandboxtest.Run(t, func(t testing.TB) sandbox.Provider {
		p := newProvider(t, native.Config{Ready: 1, Stores: []string{os.TempDir()}})
		native.AwaitPool(t, p)
		return pooled{p, t}
	}, sandboxtest.Options{})
}

// sizedMB is a size of /tmp. Where it can be limited, sandboxes that have one and
// whose folders are in a store have a copy of the template's root, as almost all
// functions have.
const sizedMB = 16

// TestConformanceTemplate is the suite on such sandboxes.
func TestConformanceTemplate(t *testing.T) {
	sandboxtest.Run(t, func(t testing.TB) sandbox.Provider {
		return sized{newProvider(t, native.Config{Stores: []string{os.TempDir()}})}
	}, sandboxtest.Options{})
}

// TestTemplate: a copy of the template's root has nothing of other sandboxes,
// nor of the host, and its own user.
func TestTemplate(t *testing.T) {
	p := newLimited(t, native.Config{Stores: []string{os.TempDir()}})
	const script = `id -un; find /.s -type f; grep -c ' / / ' /proc/self/mountinfo; grep -c ' /\.s' /proc/self/mountinfo; touch /tmp/x && echo writable`
	for _, id := range []string{"one", "two"} {
		out, exit := run(t, p, sandbox.Spec{ID: id, Task: t.TempDir(), TmpMB: sizedMB},
			sandbox.Process{Path: "/bin/sh", Args: []string{"-c", script}, Env: lambdaEnv})
		if want := "sbx_user1051\n0\n0\nwritable\n"; out != want || exit != (sandbox.Exit{}) {
			t.Errorf("%s: %v\n%s", id, exit, out)
		}
	}
}

// sized gives every sandbox that size.
type sized struct{ *native.Provider }

func (p sized) Create(ctx context.Context, spec sandbox.Spec) (sandbox.Sandbox, error) {
	spec.TmpMB = sizedMB
	return p.Provider.Create(ctx, spec)
}

// pooled always has a shell ready.
type pooled struct {
	*native.Provider
	t testing.TB
}

func (p pooled) Create(ctx context.Context, spec sandbox.Spec) (sandbox.Sandbox, error) {
	sb, err := p.Provider.Create(ctx, spec)
	if err == nil {
		native.AwaitPool(p.t, p.Provider)
	}
	return sb, err
}
