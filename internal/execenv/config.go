package execenv

import (
	"errors"
	"log/slog"
	"time"

	"github.com/lambhq/lamb/internal/clock"
	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/sandbox"
)

// DefaultInitLimit is how long the first init may take; after that it is
// stopped and run again inside the first invocation.
const DefaultInitLimit = 10 * time.Second

// ErrClosed is returned for an environment that has been closed.
var ErrClosed = errors.New("execution environment is closed")

// ErrBusy is returned by Invoke when the environment has an invocation already.
var ErrBusy = errors.New("execution environment has an invocation in flight")

// Config is what an environment is made from.
type Config struct {
	// ID names the environment; unique in this process.
	ID string
	// Version is what it runs. Required.
	Version *function.Version
	// Sandbox is where; the environment owns it and closes it. Required.
	Sandbox sandbox.Sandbox
	// Program is the runtime to start. Required unless ProgramFailure is set.
	Program Program
	// ProgramFailure makes every init fail with this error: the runtime is
	// known not to be startable (no bootstrap, no interpreter).
	ProgramFailure *ProgramFailure
	// Env is the runtime's whole environment (see Variables).
	Env []string
	// Extensions are the names of the files in /opt/extensions: all are started
	// before the runtime. Ten can be used; more fail the init.
	Extensions []string
	// LogStream is the log stream's name, which names the environment to
	// subscribers.
	LogStream string
	// Logs takes the log lines; nil discards them.
	Logs Logs
	// Released is called, without locks held, whenever the environment can take
	// an invocation again after one has finished. Nil means nobody asks.
	Released func(*Environment)
	// Buffers is shared between environments; nil makes own ones.
	Buffers *envapi.Buffers
	// InitLimit is DefaultInitLimit when zero.
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

// Program is a runtime's command line, as seen inside the sandbox.
type Program struct {
	Path string
	Args []string
}

// ProgramFailure is an error type of the platform with its text, for example
// Runtime.InvalidEntrypoint.
type ProgramFailure struct {
	Type, Cause string
}

// InvalidEntrypoint is the failure of a custom runtime without a bootstrap.
func InvalidEntrypoint() *ProgramFailure {
	return &ProgramFailure{Type: errTypeEntrypoint,
		Cause: "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"}
}

func (c *Config) setDefaults() {
	if c.InitLimit == 0 {
		c.InitLimit = DefaultInitLimit
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
