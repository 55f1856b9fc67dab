package lambdatest

import (
	"maps"
	"math"
	"path/filepath"
	"time"

	"github.com/lambhq/lamb/internal/clock"
	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/function"
)

// Defaults of Config.
const (
	DefaultFunctionName = "test-function"
	DefaultRegion       = "us-east-1"
	DefaultAccount      = "123456789012"
	DefaultHandler      = "bootstrap"
	DefaultTimeout      = 3 * time.Second
	DefaultMemoryMB     = 128
	DefaultPatience     = 30 * time.Second
)

// Config is what an environment is made from. Only Runtime is needed.
type Config struct {
	// Runtime is the function.
	Runtime Program
	// Extensions run beside it; Lambda allows ten, and more fail the init.
	Extensions []Extension

	// FunctionName, Version ("$LATEST"), Region, Account (12 digits) and
	// HandlerName (_HANDLER) are what the function and its callers see.
	FunctionName, Version, Region, Account, HandlerName string
	// LogGroup is /aws/lambda/NAME and LogStream made up where they are empty.
	LogGroup, LogStream string
	// JSONLogs is LoggingConfig's LogFormat JSON; LogLevel is its
	// ApplicationLogLevel, and SystemLogLevel that of the platform's lines.
	JSONLogs                 bool
	LogLevel, SystemLogLevel string
	// MemoryMB is the memory size, which is told to the function and reported. It
	// limits the processes of the environment if Isolate is set, and nothing
	// otherwise. Goroutines (Handler, Go) have the test's memory, and what is
	// Attached has its own: neither can be limited.
	MemoryMB int
	// Isolate runs the programs of Exec in lamb's sandbox, on Linux, with AWS's
	// limits: MemoryMB, the share of the processor that goes with it, 512 MB in
	// /tmp (as root), 1,024 processes and open files. They see AWS's folders and
	// not this machine's, but for /usr and the like: Code is /var/task, and a
	// program from elsewhere is copied to where a layer has it, /opt/bootstrap or
	// /opt/extensions/NAME. Their network is this machine's, with the servers of
	// the test. As root they have a user of their own, for which Code has to be
	// readable. New ends the test where that cannot be had: see CanIsolate.
	Isolate bool
	// Timeout bounds every invocation, and may be less than AWS's second; a
	// Request may have a shorter one. InitTimeout bounds the init: AWS's 10 s, or
	// 130 s with SnapStart or Concurrency, when zero.
	Timeout, InitTimeout time.Duration
	// ShutdownTimeout is how long processes have to end by themselves after
	// Shutdown, ShutdownFor and Reset. Zero gives them AWS's time: nothing
	// without extensions, 500 ms with internal ones only, 2 s with external ones.
	ShutdownTimeout time.Duration
	// Registration are further members, and RegistrationHeader further headers,
	// of the answer that extensions get when they register; AWS has none.
	Registration, RegistrationHeader map[string]string
	// Code is the folder with the function's code: the working folder of a
	// process, and its LAMBDA_TASK_ROOT. It is an empty one when empty.
	Code string
	// Env are the function's own variables.
	Env map[string]string
	// Managed is the identifier of the managed runtime, such as python3.12,
	// that Runtime is; otherwise it is provided.al2023. Programs of managed
	// runtimes get a descriptor for log events.
	Managed string
	// Concurrency makes the environment one of a managed instance, with
	// AWS_LAMBDA_MAX_CONCURRENCY: that many invocations at once, 1 to 1600. It is
	// not frozen or reset, and its invocations have no log of their own.
	Concurrency int
	// SnapStart makes the init end at restore/next, where the environment waits
	// for Restore.
	SnapStart bool
	// FreezeAfter is how long the environment has to be idle before its
	// processes are stopped; never when zero. Goroutines cannot be stopped.
	FreezeAfter time.Duration
	// Listen is the address of the environment's APIs, host and port; a free
	// port of 127.0.0.1 when empty.
	Listen string
	// RecordCalls keeps what programs ask of the APIs; see Environment.Calls.
	RecordCalls bool
	// Clock is the time by which the environment's timeouts run; that of the
	// system when nil.
	Clock *Clock
	// Patience is how long methods wait before they end the test, by the
	// system's clock.
	Patience time.Duration
}

func (c *Config) setDefaults() {
	text := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	text(&c.FunctionName, DefaultFunctionName)
	text(&c.Version, function.Latest)
	text(&c.Region, DefaultRegion)
	text(&c.Account, DefaultAccount)
	text(&c.HandlerName, DefaultHandler)
	text(&c.LogGroup, "/aws/lambda/"+c.FunctionName)
	text(&c.LogStream, "2026/01/01/["+c.Version+"]00000000000000000000000000000000")
	text(&c.Managed, "provided.al2023")
	text(&c.Listen, "127.0.0.1:0")
	if c.MemoryMB == 0 {
		c.MemoryMB = DefaultMemoryMB
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Patience == 0 {
		c.Patience = DefaultPatience
	}
}

// version is the function as the engine knows it.
func (c *Config) version() *function.Version {
	logging := function.Logging{Format: "Text", Group: c.LogGroup, ApplicationLevel: c.LogLevel, SystemLevel: c.SystemLogLevel}
	if c.JSONLogs {
		logging.Format = "JSON"
	}
	return &function.Version{
		Key:     function.Key{Partition: "aws", Account: c.Account, Region: c.Region, Name: c.FunctionName},
		Version: c.Version,
		State:   function.StateActive,
		Config: function.Config{
			Runtime: c.Managed, Handler: c.HandlerName, MemoryMB: c.MemoryMB,
			TimeoutSecs: int(math.Ceil(c.Timeout.Seconds())),
			Environment: maps.Clone(c.Env), Logging: logging,
		},
	}
}

func (c *Config) initialization() execenv.Initialization {
	switch {
	case c.SnapStart:
		return execenv.SnapStart
	case c.Concurrency > 0:
		return execenv.Managed
	}
	return execenv.OnDemand
}

// engineClock is the clock of the environment.
func (c *Config) engineClock() clock.Clock {
	if c.Clock == nil {
		return clock.System
	}
	return c.Clock.fake
}

// program is the one with a name: that of an extension, or else the runtime.
func (c *Config) program(name string) Program {
	for _, x := range c.Extensions {
		if x.Name == name {
			return x.Program
		}
	}
	if name == filepath.Base(bootstrapPath) {
		return c.Runtime
	}
	return Program{}
}

// Extension is an external extension.
type Extension struct {
	// Name is the name of its file, with which it has to register.
	Name string
	// Program is the extension.
	Program Program
}
