package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lambhq/lamb/internal/control"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/project"
	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/relay"
	"github.com/lambhq/lamb/internal/server"
	"github.com/lambhq/lamb/internal/solo"
	"github.com/lambhq/lamb/internal/trace"
)

// runOptions are the flags of lamb run.
type runOptions struct {
	event, clientContext string
	env                  []string
	envFile              string
	layers, mounts       []string
	sandbox, network     string
	timeout, memory      int
	runtime, handler     string
	interpreters         map[string]string
	sdkDir               string
	debug, quiet         bool
	repeat               int
	output               outputFlag
}

func newRun(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run PATH",
		Short: "Run a function once, without a server",
		Long: `Build a function if it has to be built, start one execution environment as lamb
serve would, and call it. PATH is a folder, a source file, a built program or a
package. The answer goes to standard output; the log and a picture of the
phases to standard error. The exit status is 1 when the function failed.`,
		Args: oneArgument("a path"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := errors.Join(fromEnvironment(cmd.Flags(), os.Getenv), o.output.check()); err != nil {
				return err
			}
			if o.repeat < 1 {
				return usageError{fmt.Errorf("--repeat %d: at least 1", o.repeat)}
			}
			event, err := readEvent(o.event, stdin)
			if err = errors.Join(err, checkClientContext(o.clientContext)); err != nil {
				return err
			}
			return run(cmd.Context(), args[0], event, o, stdout, stderr)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.event, "event", "e", "", "the `event`: JSON, @file, or - for standard input (default: {})")
	f.StringVar(&o.clientContext, "client-context", "", "client context, `JSON`")
	f.StringArrayVar(&o.env, "env", nil, "`NAME=VALUE`: a variable of the function")
	f.StringVar(&o.envFile, "env-file", "", "`file` of variables (default: .env in the function's folder)")
	f.StringArrayVar(&o.layers, "layer", nil, "`folder` or zip that functions see in /opt; its extensions run")
	f.StringArrayVar(&o.mounts, "mount", nil, "`FOLDER:/mnt/NAME` that the function sees, read-only unless :rw follows; needs the native sandbox")
	f.StringVar(&o.sandbox, "sandbox", string(server.SandboxAuto), "how it runs: native, process or auto")
	f.StringVar(&o.network, "network", "", "its network: private, none or host")
	f.IntVar(&o.timeout, "timeout", 0, "`seconds` (default: lamb.toml's, else 3)")
	f.IntVar(&o.memory, "memory", 0, "`MB` (default: lamb.toml's, else 128)")
	f.StringVar(&o.runtime, "runtime", "", "Lambda's `identifier` (default: found)")
	f.StringVar(&o.handler, "handler", "", "`handler` (default: found)")
	f.StringToStringVar(&o.interpreters, "interpreter", nil, "interpreter of a runtime: `RUNTIME=PATH`")
	f.StringVar(&o.sdkDir, "sdk-dir", "", "`folder` with AWS SDKs, as for lamb serve")
	f.BoolVar(&o.debug, "debug", false, "build with symbols and without optimisations")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print the answer only")
	f.IntVar(&o.repeat, "repeat", 1, "call it `N` times in the same environment and print percentiles")
	choices(cmd, "sandbox", sandboxes...)
	choices(cmd, "network", networks...)
	folders(cmd, "sdk-dir")
	o.output.add(cmd)
	return cmd
}

func run(ctx context.Context, path string, event []byte, o runOptions, stdout, stderr io.Writer) (err error) {
	p, err := project.Open(path)
	if err != nil {
		return err
	}
	v, err := runVersion(p, o)
	if err != nil {
		return err
	}
	mounts, err := parseMounts(o.mounts)
	if err != nil {
		return err
	}
	show := &runView{out: stdout, err: stderr, colour: coloursFor(stderr), quiet: o.quiet, json: o.output.json()}
	r, err := solo.Open(solo.Config{
		Version: v, Interpreters: o.interpreters, SDKDir: o.sdkDir, Mounts: mounts, Logs: show, Log: show.logger(),
		Sandboxes: func(dir string, untried bool) (sandbox.Provider, error) { return openForRun(dir, untried, o) },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	began := time.Now()
	if err := addCode(ctx, r, p, o); err != nil {
		return err
	}
	show.built = time.Since(began)
	for _, layer := range o.layers {
		if err := addLayer(ctx, r, layer); err != nil {
			return err
		}
	}
	if show.launched, show.init, err = r.Start(ctx); err != nil {
		return err
	}
	return invokeAll(ctx, r, event, o, show)
}

func invokeAll(ctx context.Context, r *solo.Runner, event []byte, o runOptions, show *runView) error {
	var failed bool
	for range o.repeat {
		res, err := r.Invoke(ctx, newRequestID(), trace.NewTracer(nil).PassThrough("").Header, event, o.clientContext)
		if err != nil {
			return err
		}
		failed = failed || res.FunctionError != ""
		show.add(res)
	}
	if err := show.finish(); err != nil {
		return err
	}
	if failed {
		return errFunction
	}
	return nil
}

// runVersion is the function as lamb serve would have it.
func runVersion(p *project.Project, o runOptions) (*function.Version, error) {
	s := &p.Settings
	if o.timeout != 0 {
		s.Timeout = o.timeout
	}
	if o.memory != 0 {
		s.Memory = o.memory
	}
	p.Runtime, p.Handler = first(o.runtime, p.Runtime), first(o.handler, p.Handler)
	env, err := readVariables(p, o.envFile, o.env)
	if err != nil {
		return nil, err
	}
	key := newFunctionKey(p.Name)
	in := p.Create(roleToCheck("lamb-run"), env)
	// They mean nothing here; --layer does.
	in.Layers, in.VpcConfig, in.KMSKeyArn = nil, nil, nil
	if err := checkFunction(in); err != nil {
		return nil, err
	}
	cfg, err := control.NewConfig(key, project.Update(in))
	if err != nil {
		return nil, err
	}
	return &function.Version{Key: key, Version: function.Latest, State: function.StateActive, Config: cfg}, nil
}

func openForRun(dir string, untried bool, o runOptions) (sandbox.Provider, error) {
	kind, err := server.ParseSandbox(o.sandbox)
	if err != nil {
		return nil, usageError{err}
	}
	ports, err := relay.ParseHostPorts("all")
	if err != nil {
		return nil, err
	}
	return server.OpenSandboxes(server.SandboxConfig{
		Kind: kind, WorkDir: dir, Network: o.network, Single: untried, Policy: relay.Policy{HostPorts: ports},
		LambdaAPI: func(context.Context, string) (net.Conn, error) { return nil, errors.New("lamb run serves no API") },
	})
}

// addCode puts the project's files where the function finds them.
func addCode(ctx context.Context, r *solo.Runner, p *project.Project, o runOptions) error {
	if p.Language == project.Zipped {
		return r.AddCodeZip(ctx, p.File)
	}
	scratch, err := os.MkdirTemp("", "lamb-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	local := !r.Fingerprint().Isolation
	files, err := p.Files(ctx, project.BuildOptions{Scratch: scratch, Local: local, Debug: o.debug})
	if err != nil {
		return err
	}
	return r.AddCode(files)
}

// parseMounts reads FOLDER:PLACE and FOLDER:PLACE:rw.
func parseMounts(flags []string) ([]sandbox.Mount, error) {
	var mounts []sandbox.Mount
	for _, flag := range flags {
		rest, writable := strings.CutSuffix(flag, ":rw")
		at := strings.LastIndexByte(rest, ':')
		if at <= 0 {
			return nil, usageError{fmt.Errorf("--mount %s: want FOLDER:/mnt/NAME, with :rw after it if it may be changed", flag)}
		}
		from, err := filepath.Abs(rest[:at])
		if err != nil {
			return nil, err
		}
		m := sandbox.Mount{From: from, To: rest[at+1:], Writable: writable}
		if err := m.Check(); err != nil {
			return nil, usageError{fmt.Errorf("--mount %s: %w", flag, err)}
		}
		mounts = append(mounts, m)
	}
	return mounts, nil
}

func addLayer(ctx context.Context, r *solo.Runner, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("--layer: %w", err)
	}
	if !info.IsDir() {
		return r.AddLayerZip(ctx, path)
	}
	files, err := project.Included(path, ".")
	if err != nil {
		return err
	}
	return r.AddLayer(files)
}

// newRequestID is a random UUID, version 4.
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// percentile is the p-th percentile of sorted durations, by the nearest rank.
func percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}

// shownPercentiles are those that --repeat prints.
var shownPercentiles = []int{50, 90, 99}

// percentilesMs are the percentiles of many invocations by their names, "p50".
func percentilesMs(all []time.Duration) map[string]float64 {
	if len(all) < 2 {
		return nil
	}
	sorted, out := slices.Sorted(slices.Values(all)), make(map[string]float64)
	for _, p := range shownPercentiles {
		out[fmt.Sprintf("p%d", p)] = float64(percentile(sorted, p)) / float64(time.Millisecond)
	}
	return out
}

// percentiles is a line about many invocations.
func percentiles(all []time.Duration) string {
	sorted := slices.Sorted(slices.Values(all))
	var parts []string
	for _, p := range shownPercentiles {
		parts = append(parts, fmt.Sprintf("p%d %s", p, ms(percentile(sorted, p))))
	}
	return fmt.Sprintf("%d invocations: min %s  %s  max %s", len(sorted), ms(sorted[0]), strings.Join(parts, "  "), ms(sorted[len(sorted)-1]))
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond)) }
