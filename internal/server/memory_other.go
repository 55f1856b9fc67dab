//go:build !linux

package server

import "errors"

// availableMemory is not measured here: nothing is refused for lack of it.
func availableMemory() (int64, error) {
	return 0, errors.ErrUnsupported
}
