package native

import (
	"context"
	"log/slog"
	"net"

	"github.com/lambhq/lamb/internal/sandbox/relay"
)

// The networks that a sandbox may have.
const (
	// NetworkPrivate is a network of its own, with a way out that lamb's
	// policy controls.
	NetworkPrivate = "private"
	// NetworkNone is loopback and the Runtime API.
	NetworkNone = "none"
	// NetworkHost is the host's: functions reach what is on it, lamb too, so
	// that it is no isolation.
	NetworkHost = "host"
)

// Config configures New.
type Config struct {
	// WorkDir holds the sandboxes' root and a folder per sandbox. It belongs
	// to this provider: New creates it when it is missing and removes what an
	// earlier run left in it. Empty means a new temporary folder, removed by
	// Close. Its file system has the functions' /tmp.
	WorkDir string
	// Ready is how many shells are prepared ahead; zero means none.
	Ready int
	// Single says that one sandbox is all that is wanted: nothing is made ahead
	// for others, and New does not try whether this host allows one. Where it
	// does not, Create fails.
	Single bool
	// Stores are the folders, 16 at most, in which the folders of specs lie:
	// prepared shells serve only specs that have all their folders in these,
	// and shells for such specs are made fastest. What is mounted in them after
	// New may not be seen.
	Stores []string
	// TmpMB is the size of /tmp that shells are prepared with: specs with
	// another size get one of their own. Zero prepares for specs without.
	TmpMB int
	// Network is one of the constants. Empty means private where this
	// host allows it, else none; the fingerprint tells which.
	Network string
	// Policy is what may be reached by a private network.
	Policy relay.Policy
	// LambdaAPI opens a connection to the Lambda API for the sandbox of this
	// ID, when that connects to Policy.LambdaPort of the host; nil refuses.
	LambdaAPI func(ctx context.Context, id string) (net.Conn, error)
	// Logger receives what nobody can be told otherwise; nil discards.
	Logger *slog.Logger
}

// Unavailable says why there is no isolation on this host.
type Unavailable struct {
	// Step is what failed, Hint what would help, a sentence for a person.
	Step, Hint string
	Err        error
}

// Error implements error.
func (e *Unavailable) Error() string {
	text := "the native sandbox does not work here: " + e.Step
	if e.Hint != "" {
		text += ". " + e.Hint
	}
	return text
}

// Unwrap returns the cause.
func (e *Unavailable) Unwrap() error { return e.Err }
