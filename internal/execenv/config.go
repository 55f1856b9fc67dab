package execenv

import (
	"context"
	"log/slog"
	"time"

	"github.com/lambhq/lamb/internal/clock"
	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/sandbox"
)

// Config is what an environment is made from.
type Config struct {
	// ID names the environment; unique in this process.
	ID string
	// Version is what it runs. Required.
	Version *function.Version
	// Sandbox is where; the environment owns it and closes it. Required.
	Sandbox sandbox.Sandbox
	// Bootstrap is the runtime to start. Required.
	Bootstrap Bootstrap
	// Initialization is why the environment is made.
	Initialization Initialization
	// Env is the runtime's whole environment (see Variables).
	Env []string
	// MaxConcurrency is how many invocations the environment serves at once; 0
	// is one, in AWS's usual mode. Others make the Initialization Managed.
	MaxConcurrency int
	// Credentials are those that the credentials endpoint gives to whoever shows
	// CredentialsToken; without a token there is no such endpoint. Restore
	// replaces them.
	Credentials      Credentials
	CredentialsToken string
	// Refresh gives the credentials as they are when the endpoint is asked, if
	// others than lamb make them; nil keeps those that there are.
	Refresh func(ctx context.Context) (Credentials, error)
	// Extensions are the names of the files in /opt/extensions: all are started
	// before the runtime. Ten can be used; more fail the init.
	Extensions []string
	// LogStream is the log stream's name, which names the environment to
	// subscribers.
	LogStream string
	// Events is told what subscribers of telemetry are told, if it is not nil.
	Events Events
	// Totals counts invocations, together with those of other environments; may
	// be nil.
	Totals *Totals
	// Logs takes the log lines; nil discards them.
	Logs Logs
	// Released is called, without locks held, whenever the environment can take
	// an invocation again after one has finished. Nil means nobody asks.
	Released func(*Environment)
	// Changed is called, without locks held, after everything that may have
	// changed the State: for tests that wait for a state. It must not block.
	Changed func()
	// NextAcknowledges takes an extension that asks for another event after
	// SHUTDOWN for one that has ended: where extensions are no processes of
	// their own. On AWS it would have to exit.
	NextAcknowledges bool
	// Registration are further members of the answer to extensions that register,
	// RegistrationHeader further headers of it.
	Registration, RegistrationHeader map[string]string
	// Buffers is shared between environments; nil makes own ones.
	Buffers *envapi.Buffers
	// InitLimit is AWS's for the Initialization when zero.
	InitLimit time.Duration
	// FreezeAfter is how long the environment has to be idle to be frozen;
	// never when zero.
	FreezeAfter time.Duration
	// NoCPULimits lets invocations have as much of the CPU as inits.
	NoCPULimits bool
	// Clock is the system's when nil.
	Clock clock.Clock
	// Log is for lamb's own messages, not the function's. Nil discards.
	Log *slog.Logger
}

func (c *Config) setDefaults() {
	if c.MaxConcurrency > 0 {
		c.Initialization = Managed
	}
	if c.InitLimit == 0 {
		c.InitLimit = c.Initialization.initLimit(timeoutOf(c.Version.Runs().Config))
	}
	if c.Clock == nil {
		c.Clock = clock.System
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Logs == nil {
		c.Logs = discardLogs{}
	}
}

// timeoutOf is how long an invocation of a function may take.
func timeoutOf(c function.Config) time.Duration {
	return time.Duration(c.TimeoutSecs) * time.Second
}
