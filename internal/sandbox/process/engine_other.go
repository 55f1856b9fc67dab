//go:build unix && !linux

package process

import "log/slog"

// MaybeSupervise turns the process into a supervisor of sandboxed processes
// when it was started as one, and then does not return. On this platform
// there is none.
func MaybeSupervise() {}

func newEngine(Config, *slog.Logger) (engine, engineNotes, error) {
	return portable{}, portableNotes, nil
}
