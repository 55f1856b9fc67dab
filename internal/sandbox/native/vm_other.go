//go:build linux && !amd64 && !arm64

package native

import (
	"fmt"
	"runtime"

	"github.com/lambhq/lamb/internal/sandbox"
)

// code fails: the interpreter is written for amd64 and arm64.
func code() ([]byte, error) {
	return nil, fmt.Errorf("the native sandbox does not know %s: %w", runtime.GOARCH, sandbox.ErrUnsupported)
}
