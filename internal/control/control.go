package control

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/artifact"
	"github.com/lambhq/lamb/internal/clock"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// Config says what a Control works on.
type Config struct {
	// Store has the records. Required.
	Store *store.DB
	// Artifacts has the code. Required.
	Artifacts *artifact.Store
	// Clock stamps records and waits between attempts; nil means clock.System.
	Clock clock.Clock
	// Log gets what the API cannot tell a caller; nil discards it.
	Log *slog.Logger
	// CodeLocation makes the URL from which the zip with a digest (lower-case
	// hex) can be downloaded, good for whoever has it, for a while. Required.
	CodeLocation func(ctx context.Context, sha256 string) (string, error)
	// FunctionURL makes the text of a function's URL, with a slash at its end.
	// Required.
	FunctionURL func(*function.URL) string
	// Limits are the account's; zero members mean AWS's defaults.
	Limits Limits
	// Activate, if not nil, prepares a version beyond unpacking its code. It
	// is called before the version becomes Active, and may be called again for
	// the same version. An *ActivationError says what the record will tell.
	Activate func(ctx context.Context, v *function.Version) error
}

// Limits are the limits of an account.
type Limits struct {
	// ConcurrentExecutions is the number of invocations at one time.
	ConcurrentExecutions int
	// TotalCodeSize is the sum of the sizes of all versions' zips, in bytes.
	TotalCodeSize int64
}

// The limits of a new AWS account.
const (
	DefaultConcurrentExecutions = 1000
	DefaultTotalCodeSize        = 80530636800 // 75 GiB
)

// retryAfter is the pause after the store has failed the activation worker.
const retryAfter = time.Second

// Control implements the management operations of api.Service. Its methods
// may be called from several goroutines.
type Control struct {
	api.Unimplemented

	store        *store.DB
	artifacts    *artifact.Store
	clock        clock.Clock
	log          *slog.Logger
	codeLocation func(context.Context, string) (string, error)
	functionURL  func(*function.URL) string
	limits       Limits
	prepare      func(context.Context, *function.Version) error

	// work wakes the activation worker; one waiting token is enough, because
	// the worker then asks the store for everything unfinished.
	work   chan struct{}
	cancel context.CancelCauseFunc // set by Start
	worker sync.WaitGroup

	mu         sync.Mutex
	activating map[string]bool // by revision id; guarded by mu
}

// New makes a Control that does not activate anything before Start.
func New(cfg Config) *Control {
	c := &Control{
		store:        cfg.Store,
		artifacts:    cfg.Artifacts,
		clock:        cfg.Clock,
		log:          cfg.Log,
		codeLocation: cfg.CodeLocation,
		functionURL:  cfg.FunctionURL,
		limits:       cfg.Limits,
		prepare:      cfg.Activate,
		work:         make(chan struct{}, 1),
		activating:   make(map[string]bool),
	}
	if c.clock == nil {
		c.clock = clock.System
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.limits.ConcurrentExecutions == 0 {
		c.limits.ConcurrentExecutions = DefaultConcurrentExecutions
	}
	if c.limits.TotalCodeSize == 0 {
		c.limits.TotalCodeSize = DefaultTotalCodeSize
	}
	return c
}

// now is the time as records carry it.
func (c *Control) now() time.Time { return c.clock.Now().UTC().Truncate(time.Millisecond) }
