package execenv

import (
	"context"
	"net"

	"github.com/lambhq/lamb/internal/sandbox"
)

// dialer is how telemetry reaches a server inside the sandbox, or nil where
// that cannot be.
func dialer(box sandbox.Sandbox) func(ctx context.Context, network, address string) (net.Conn, error) {
	if d, ok := box.(sandbox.Dialer); ok {
		return d.Dial
	}
	return nil
}
