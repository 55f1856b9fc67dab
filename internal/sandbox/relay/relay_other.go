//go:build !linux

package relay

// Relay serves nothing on this platform.
type Relay struct{}

// New fails with ErrUnsupported.
func New(Config) (*Relay, error) { return nil, ErrUnsupported }

// Close does nothing.
func (*Relay) Close() error { return nil }
