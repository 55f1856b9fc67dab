package native_test

import (
	"testing"

	"github.com/lambhq/lamb/internal/sandbox/sandboxtest"
)

// TestRootless runs the suite as an ordinary user.
func TestRootless(t *testing.T) {
	if !sandboxtest.AsOrdinaryUser(t, "^TestConformance$") {
		t.Skip("this is an ordinary user: TestConformance is the same")
	}
}
