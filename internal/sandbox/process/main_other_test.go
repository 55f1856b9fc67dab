//go:build unix && !linux

package process_test

import (
	"testing"

	"github.com/lambhq/lamb/internal/sandbox/sandboxtest"
)

func TestMain(m *testing.M) { sandboxtest.Main(m) }
