package process_test

import (
	"testing"

	"github.com/lambhq/lamb/internal/sandbox/escapes"
	"github.com/lambhq/lamb/internal/sandbox/sandboxtest"
)

func TestMain(m *testing.M) {
	escapes.MaybeRun()
	sandboxtest.Main(m)
}
