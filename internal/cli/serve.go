package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/lambhq/lamb/internal/auth"
	"github.com/lambhq/lamb/internal/bandwidth"
	"github.com/lambhq/lamb/internal/logs"
	"github.com/lambhq/lamb/internal/rolecreds"
	"github.com/lambhq/lamb/internal/server"
)

// serveOptions are the flags of lamb serve that need reading.
type serveOptions struct {
	cfg          server.Config
	access       string
	roles        []string
	sandbox      string
	interpreters map[string]string
	logFormat    string
	logLevel     string
	freeze       onOff
	cpuLimits    onOff
	quiet        bool
}

func newServe(stdout, stderr io.Writer) *cobra.Command {
	o := serveOptions{freeze: true, cpuLimits: true}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the Lambda API",
		Long: `Serve the Lambda API and run functions.

Every flag can also be given as a variable: --data-dir as LAMB_DATA_DIR.
After SIGTERM or Ctrl-C lamb takes no new requests and lets invocations in
flight go on for --drain; a second signal cuts them off, a third ends lamb at
once. The exit status is 0, or 1 when lamb could not start or had to cut
invocations off, or 2 for a mistake in the command line. Functions' logs go to
standard output, everything else to standard error.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromEnvironment(cmd.Flags(), os.Getenv); err != nil {
				return err
			}
			return serve(cmd, o, stdout, stderr)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.cfg.Listen, "listen", server.DefaultListen, "`HOST:PORT` to listen on; port 0 picks a free one")
	f.StringVar(&o.cfg.DataDir, "data-dir", "", "`folder` for functions and their code (default: per user)")
	f.BoolVar(&o.cfg.Ephemeral, "ephemeral", false, "keep everything in a temporary folder, removed at the end")
	f.StringVar(&o.cfg.Region, "region", server.DefaultRegion, "default `region`; a request's signature names its own")
	f.StringVar(&o.cfg.Account, "account-id", server.DefaultAccount, "`account` of requests whose key names none, 12 digits")
	f.StringVar(&o.cfg.AWSEndpoint, "aws-endpoint", "", "`URL` where functions find the other AWS services")
	f.BoolVar(&o.cfg.Insecure, "insecure", false, "allow listening off loopback without access keys: whoever can connect can run code here")
	f.StringSliceVar(&o.cfg.Hosts, "host", nil, "further host `names` by which lamb may be called")
	f.StringVar(&o.cfg.URLDomain, "url-domain", server.DefaultURLDomain, "`DOMAIN[:PORT]` of function URLs: what on.aws is on AWS; the port is --listen's if none is given")
	f.StringVar(&o.access, "function-access", string(auth.AccessInvoke), "what functions may do at the Lambda API: invoke, full or none")
	f.StringArrayVar(&o.roles, "role-credentials", nil, "credentials of functions with a role, instead of minted ones: `ROLE=SOURCE`, where ROLE is an ARN or * and SOURCE is file:PATH, profile:NAME or command:PROGRAM (see docs/security.md)")
	f.StringVar(&o.sandbox, "sandbox", string(server.SandboxAuto), "how functions run: native (isolated, on Linux), process (not isolated) or auto (native where it works)")
	f.StringVar(&o.cfg.Network, "network", "", "network of functions: private, none, or host (this machine's, not isolated) (default: private where it works, else none)")
	f.StringVar(&o.cfg.HostPorts, "host-ports", "", "`ports` of this machine that functions in a private network reach as host.lamb.internal: all, none or 5432,8000-8099 (default: all if --listen is loopback)")
	f.IntVar(&o.cfg.Shells, "shells", server.DefaultShells, "native sandboxes prepared ahead, for fast cold starts; each takes about half a megabyte")
	f.Var(&o.freeze, "freeze", "stop the processes of idle execution environments, as on AWS; off lets them go on")
	f.Var(&o.cpuLimits, "cpu-limits", "bound functions to the share of the CPU that belongs to their memory, as on AWS, where the sandbox can; off lets them have what there is")
	f.BoolVar(&o.cfg.RequireIsolation, "require-isolation", false, "do not start where functions are not isolated")
	f.StringToStringVar(&o.interpreters, "interpreter", nil, "interpreter of a runtime: `RUNTIME=PATH` (python3.12=/opt/py/bin/python3)")
	f.StringVar(&o.cfg.SDKDir, "sdk-dir", "", "`folder` with AWS SDKs for functions that bring none: python/ (pip install --target) and nodejs/node_modules/ (npm install --prefix)")
	f.DurationVar(&o.cfg.KeepAlive, "keep-alive", 10*time.Minute, "how long an idle execution environment is kept")
	f.IntVar(&o.cfg.Concurrency, "concurrency", 1000, "invocations at once, per account and region")
	f.Int64Var(&o.cfg.MemoryReserve, "memory-reserve", server.DefaultMemoryReserve, "available `bytes` under which no environment is started; -1 switches it off")
	f.Int64Var(&o.cfg.Bandwidth.Rate, "stream-rate", bandwidth.DefaultRate, "`bytes` a second of each streamed response after its burst, 32768 to 67108864 as on AWS; 0 does not limit them")
	f.Int64Var(&o.cfg.Bandwidth.Burst, "stream-burst", bandwidth.DefaultBurst, "`bytes` of each streamed response that may go at once, 32768 to 67108864")
	f.DurationVar(&o.cfg.Drain, "drain", server.DefaultDrain, "how long invocations in flight may go on after SIGTERM")
	f.DurationVar(&o.cfg.LogRetention, "log-retention", logs.DefaultMaxAge, "how long the functions' logs are kept in the data folder; 0 keeps none")
	f.Int64Var(&o.cfg.LogBytes, "log-bytes", logs.DefaultMaxBytes, "`bytes` that the functions' logs may take there, a quarter of it each log group; the oldest go first")
	f.StringVar(&o.logFormat, "log-format", "text", "lamb's own log: text or json")
	f.StringVar(&o.logLevel, "log-level", "warn", "lamb's own log: debug, info (with every request), warn or error")
	f.BoolVar(&o.quiet, "quiet", false, "do not print the functions' logs")
	choices(cmd, "sandbox", sandboxes...)
	choices(cmd, "network", networks...)
	choices(cmd, "function-access", "invoke", "full", "none")
	choices(cmd, "log-format", "text", "json")
	choices(cmd, "log-level", "debug", "info", "warn", "error")
	folders(cmd, "data-dir", "sdk-dir")
	return cmd
}

// heapReserve is memory, in bytes, that is never touched and so takes none of
// the machine's, but that Go's collector counts as in use. With the few
// megabytes that lamb holds, a busy lamb would otherwise collect several times
// as often, at a tenth of its CPU time. It bounds the garbage, as a larger
// GOGC would not while invocations hold gigabytes of payloads.
const heapReserve = 16 << 20

func serve(cmd *cobra.Command, o serveOptions, stdout, stderr io.Writer) error {
	cfg := o.cfg
	var err error
	if cfg.Access, err = auth.ParseAccess(o.access); err != nil {
		return usageError{err}
	}
	if cfg.Roles, err = rolecreds.Parse(o.roles, nil); err != nil {
		return usageError{err}
	}
	if cfg.Sandbox, err = server.ParseSandbox(o.sandbox); err != nil {
		return usageError{err}
	}
	if cfg.Log, err = newLogger(stderr, o.logFormat, o.logLevel); err != nil {
		return usageError{err}
	}
	if cfg.Ephemeral && cfg.DataDir != "" {
		return usageError{fmt.Errorf("--ephemeral and --data-dir exclude each other")}
	}
	if cfg.Concurrency < 1 {
		return usageError{fmt.Errorf("--concurrency %d: at least 1", cfg.Concurrency)}
	}
	if cfg.KeepAlive <= 0 {
		return usageError{fmt.Errorf("--keep-alive %s: must be longer than nothing", cfg.KeepAlive)}
	}
	switch {
	case cfg.Shells < 0:
		return usageError{fmt.Errorf("--shells %d: cannot be less than none", cfg.Shells)}
	case cfg.Shells == 0:
		cfg.Shells = -1 // none; zero would be the default
	}
	if cfg.Bandwidth.Rate == 0 {
		cfg.Bandwidth = bandwidth.Limits{}
	}
	if err := cfg.Bandwidth.Check(); err != nil {
		return usageError{err}
	}
	if cfg.Drain == 0 {
		cfg.Drain = time.Nanosecond // no time at all; zero would be the default
	}
	switch {
	case cfg.LogRetention < 0:
		return usageError{fmt.Errorf("--log-retention %s: cannot be less than nothing", cfg.LogRetention)}
	case cfg.LogRetention == 0:
		cfg.LogRetention = -1 // none; zero would be the default
	}
	if cfg.LogBytes < 1<<20 {
		return usageError{fmt.Errorf("--log-bytes %d: at least 1048576; --log-retention 0 keeps no logs", cfg.LogBytes)}
	}
	cfg.Interpreters, cfg.Version = o.interpreters, Version()
	cfg.NoFreeze, cfg.NoCPULimits = !bool(o.freeze), !bool(o.cpuLimits)
	if !o.quiet {
		cfg.FunctionLogs = stdout
	}
	drain, stop := untilSecondSignal()
	defer stop()
	defer runtime.KeepAlive(make([]byte, heapReserve))
	s, err := server.Start(cmd.Context(), cfg)
	if mistake := new(server.ConfigError); errors.As(err, &mistake) {
		return usageError{mistake}
	}
	if err != nil {
		return err
	}
	printStart(stderr, s, cfg)
	err = s.Wait(cmd.Context())
	if err == nil {
		fmt.Fprintf(stderr, "lamb: stopping; invocations in flight have %s (again to cut them off)\n", cfg.Drain.Round(time.Millisecond))
	}
	return errors.Join(err, s.Close(drain))
}

// untilSecondSignal gives a context that the second signal ends: the first one
// ends the command's own. The third one has its default effect. It listens
// from the start, so that two signals in a row do not leave data behind.
func untilSecondSignal() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for range 2 {
			select {
			case <-signals:
			case <-ctx.Done():
				return
			}
		}
		signal.Stop(signals)
		cancel()
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
	}
}

// printStart says what is in force, so that nobody has to guess.
func printStart(w io.Writer, s *server.Server, cfg server.Config) {
	fp := s.Fingerprint()
	var b strings.Builder
	fmt.Fprintf(&b, "lamb %s serves the Lambda API at %s\n", cfg.Version, s.URL())
	store := s.DataDir()
	if cfg.Ephemeral {
		store += " (removed at the end)"
	}
	fmt.Fprintf(&b, "  data       %s\n", store)
	fmt.Fprintf(&b, "  account    %s, region %s\n", cfg.Account, cfg.Region)
	isolation := "none: functions run as you, with your files and your network"
	switch {
	case fp.Isolation:
		isolation = "functions cannot reach this host or each other"
	case fp.Name == string(server.SandboxNative):
		isolation = "not of the network: functions reach what this host can reach, lamb too"
	}
	fmt.Fprintf(&b, "  sandbox    %s; isolation: %s\n", fp.Name, isolation)
	fmt.Fprintf(&b, "  limits     memory %s, CPU %s, processes %s, /tmp size %s; idle environments %s; network: %s\n",
		enforced(fp.Memory), enforced(fp.CPU), enforced(fp.Processes), enforced(fp.Tmp), frozen(fp.Freeze), fp.Network)
	for _, m := range fp.Missing {
		fmt.Fprintf(&b, "             - %s\n", m)
	}
	fmt.Fprintf(&b, "  functions  may call the Lambda API to: %s\n", cfg.Access)
	if cfg.Insecure {
		b.WriteString("  WARNING    --insecure: everyone who can connect to this address can run code here\n")
	}
	fmt.Fprintf(&b, "  try        aws --endpoint-url %s lambda list-functions\n", s.URL())
	_, _ = io.WriteString(w, b.String()) // a closed stderr is no reason to stop
}

func enforced(is bool) string {
	if is {
		return "enforced"
	}
	return "not enforced"
}

func frozen(are bool) string {
	if are {
		return "are frozen"
	}
	return "go on running"
}

func newLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q: use debug, info, warn or error", level)
	}
	opts := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, fmt.Errorf("--log-format %q: use text or json", format)
}
