package server

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"time"

	"github.com/lambhq/lamb/internal/auth"
	"github.com/lambhq/lamb/internal/bandwidth"
	"github.com/lambhq/lamb/internal/gateway"
	"github.com/lambhq/lamb/internal/rolecreds"
	"github.com/lambhq/lamb/internal/runtimes"
)

// Defaults of Config.
const (
	DefaultListen  = "127.0.0.1:3001"
	DefaultRegion  = "us-east-1"
	DefaultAccount = "000000000000"
	DefaultDrain   = 30 * time.Second
	// DefaultShells is how many native sandboxes are prepared ahead.
	DefaultShells = 8
	// DefaultMemoryReserve is the available memory under which no
	// environment is started.
	DefaultMemoryReserve = 256 << 20
)

// Config is what a server is made from. Zero values mean the defaults above
// and of the packages that use them.
type Config struct {
	// Listen is HOST:PORT; port 0 picks a free one.
	Listen string
	// DataDir holds everything that lasts; datadir.Default when empty.
	DataDir string
	// Ephemeral keeps everything in a temporary folder instead.
	Ephemeral bool
	// Region is where credentials without a region of their own act, and
	// Account the account of keys that name none.
	Region, Account string
	// AWSEndpoint is where functions find the other AWS services; may be empty.
	AWSEndpoint string
	// Insecure allows to listen off loopback without access keys.
	Insecure bool
	// Hosts are further names by which lamb may be called.
	Hosts []string
	// URLDomain is the domain of functions' URLs, DefaultURLDomain when empty,
	// or DOMAIN:PORT where clients reach lamb by another port than Listen's.
	URLDomain string
	// Access is what functions may do with their credentials.
	Access auth.Access
	// Roles has the credentials of roles whose source the operator has named;
	// nil mints all.
	Roles *rolecreds.Sources
	// Sandbox chooses how functions run; SandboxAuto when empty.
	Sandbox Sandbox
	// Network is the native sandbox's: "private", "none", "host", or empty for
	// private where this host allows it, else none.
	Network string
	// HostPorts are the ports of this machine that functions in a private
	// network reach as host.lamb.internal: "all", "none" or a list such as
	// "5432,8000-8099"; empty means all if lamb listens on loopback, else none.
	HostPorts string
	// Shells is how many native sandboxes are prepared ahead, DefaultShells
	// when zero; none when negative: every cold start then makes its own.
	Shells int
	// NoFreeze lets the processes of idle environments go on, NoCPULimits lets
	// functions have as much of the CPU as there is.
	NoFreeze, NoCPULimits bool
	// RequireIsolation makes Start fail where functions are not isolated.
	RequireIsolation bool
	// Interpreters and SDKDir: see runtimes.Options.
	Interpreters map[string]string
	SDKDir       string
	// KeepAlive is how long an idle environment is kept, Concurrency the
	// invocations in flight per account and region; see pool.Config.
	KeepAlive   time.Duration
	Concurrency int
	// MemoryReserve is in bytes; negative switches the check off.
	MemoryReserve int64
	// InitLimit is how long an init may take, execenv.DefaultInitLimit when
	// zero.
	InitLimit time.Duration
	// Bandwidth shapes each streamed response; the zero value does not.
	Bandwidth bandwidth.Limits
	// Drain is how long Close waits for invocations in flight.
	Drain time.Duration
	// LogRetention is how long the functions' log lines are kept in the data
	// folder, and LogBytes how much they may take there; logs.DefaultMaxAge and
	// logs.DefaultMaxBytes when zero. None are kept when one is negative.
	LogRetention time.Duration
	LogBytes     int64
	// FunctionLogs takes the functions' log lines; nil discards them.
	FunctionLogs io.Writer
	// Log takes lamb's own messages; nil discards them.
	Log *slog.Logger
	// Version is lamb's.
	Version string
}

// ConfigError is a value of Config that cannot be.
type ConfigError struct{ error }

// Unwrap returns what is wrong.
func (e *ConfigError) Unwrap() error { return e.error }

func (c *Config) setDefaults() {
	def := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	def(&c.Listen, DefaultListen)
	def(&c.Region, DefaultRegion)
	def(&c.Account, DefaultAccount)
	def(&c.URLDomain, DefaultURLDomain)
	if c.Access == "" {
		c.Access = auth.AccessInvoke
	}
	if c.Drain == 0 {
		c.Drain = DefaultDrain
	}
	if c.Shells == 0 {
		c.Shells = DefaultShells
	}
	if c.MemoryReserve == 0 {
		c.MemoryReserve = DefaultMemoryReserve
	}
	if c.FunctionLogs == nil {
		c.FunctionLogs = io.Discard
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// check finds the mistakes of who has written the configuration.
func (c *Config) check() error {
	switch {
	case c.Drain < 0:
		return fmt.Errorf("drain time %s is negative", c.Drain)
	case c.KeepAlive < 0:
		return fmt.Errorf("keep-alive %s is negative", c.KeepAlive)
	case c.Concurrency < 0:
		return fmt.Errorf("concurrency %d is negative", c.Concurrency)
	}
	if err := c.Bandwidth.Check(); err != nil {
		return err
	}
	if u, err := url.Parse(c.AWSEndpoint); c.AWSEndpoint != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("AWS endpoint %q is not an http or https URL", c.AWSEndpoint)
	}
	if !auth.IsAccountID(c.Account) {
		return fmt.Errorf("account id %q is not 12 digits", c.Account)
	}
	if !auth.ValidRegion(c.Region) {
		return fmt.Errorf("region %q is not a region's name", c.Region)
	}
	if err := runtimes.CheckInterpreters(c.Interpreters); err != nil {
		return err
	}
	if err := checkURLDomain(c.URLDomain); err != nil {
		return err
	}
	return gateway.ListenPolicy(c.Listen, c.Insecure, false)
}
