//go:build !linux

package native

import (
	"runtime"

	"github.com/lambhq/lamb/internal/sandbox"
)

// New fails: the native sandbox is made of Linux's namespaces.
func New(Config) (sandbox.Provider, error) {
	return nil, &Unavailable{Step: "it needs Linux, this is " + runtime.GOOS, Err: sandbox.ErrUnsupported}
}
