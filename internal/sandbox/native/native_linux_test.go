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
