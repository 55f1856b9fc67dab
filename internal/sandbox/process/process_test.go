//go:build unix

package process_test

import (
	"runtime"
	"testing"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/process"
	"github.com/lambhq/lamb/internal/sandbox/sandboxtest"
)

func TestConformance(t *testing.T) {
	sandboxtest.Run(t, sandboxtest.Process, sandboxtest.Options{Groups: runtime.GOOS != "linux"})
}

func TestConformancePortable(t *testing.T) {
	sandboxtest.Run(t, func(t testing.TB) sandbox.Provider {
		p, err := process.New(process.Config{WorkDir: t.TempDir(), Portable: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
		return p
	}, sandboxtest.Options{Groups: true})
}
