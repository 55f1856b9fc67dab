//go:build unix

// Package sandboxtest holds the conformance suite that every implementation
// of sandbox.Provider passes (Run), the program that the suite runs inside
// sandboxes, and a ready provider for the tests of other packages (Process).
//
// The program is the test binary itself, copied into the sandbox's task
// folder, so that it is there in any file system namespace. A package whose
// tests use anything from here therefore has
//
//	func TestMain(m *testing.M) { sandboxtest.Main(m) }
//
// Whether a process is alive is seen by a file lock on a file of the task
// folder, not by process ids: a sandbox may number its processes by itself.
package sandboxtest

import (
	"os"
	"testing"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/process"
)

// Main runs a package's tests. In a process that was started as a supervisor,
// or as the program inside a sandbox, it does that instead; it never returns.
func Main(m *testing.M) {
	process.MaybeSupervise()
	maybeProgram()
	os.Exit(m.Run())
}

// Process returns a process provider for a test; it is closed, and checked
// for that, when the test ends.
func Process(t testing.TB) sandbox.Provider {
	t.Helper()
	p, err := process.New(process.Config{WorkDir: t.TempDir()})
	if err != nil {
		t.Fatalf("make a process provider: %v", err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close the process provider: %v", err)
		}
	})
	return p
}
