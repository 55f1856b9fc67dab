package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/awsclient"
	"github.com/lambhq/lamb/internal/deploy"
	"github.com/lambhq/lamb/internal/pack"
	"github.com/lambhq/lamb/internal/project"
	"github.com/lambhq/lamb/internal/server"
	"github.com/lambhq/lamb/internal/watch"
)

// devOptions are the flags of lamb dev.
type devOptions struct {
	cfg     server.Config
	sandbox string
	env     []string
	envFile string
	debug   bool
}

func newDev(stdout, stderr io.Writer) *cobra.Command {
	var o devOptions
	cmd := &cobra.Command{
		Use:   "dev PATH...",
		Short: "Serve functions, and again after each edit",
		Long: `Serve the Lambda API with the functions in these folders, and their logs in the
terminal. After each edit a function is built anew; the new code serves when the
build is good, and until then the old one does. Python and Node functions are
good when their interpreter can read what was edited.

With --debug functions are built for a debugger, run without isolation and are
not frozen when idle so that it can reach them, and have 15 minutes for init and
invocation; what to attach with is printed.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("dev takes the folders of functions")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd.Flags(), os.Getenv); err != nil {
				return err
			}
			return dev(cmd.Context(), args, o, stdout, stderr)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.cfg.Listen, "listen", server.DefaultListen, "`HOST:PORT` to listen on; port 0 picks a free one")
	f.StringVar(&o.cfg.DataDir, "data-dir", "", "`folder` for functions and their code (default: a temporary one)")
	f.StringVar(&o.cfg.Region, "region", server.DefaultRegion, "`region` of the functions")
	f.StringVar(&o.cfg.AWSEndpoint, "aws-endpoint", "", "`URL` where functions find the other AWS services")
	f.StringVar(&o.sandbox, "sandbox", string(server.SandboxAuto), "how functions run: native, process or auto")
	f.StringVar(&o.cfg.Network, "network", "", "network of functions: private, none or host")
	f.StringToStringVar(&o.cfg.Interpreters, "interpreter", nil, "interpreter of a runtime: `RUNTIME=PATH`")
	f.StringVar(&o.cfg.SDKDir, "sdk-dir", "", "`folder` with AWS SDKs, as for lamb serve")
	f.StringArrayVar(&o.env, "env", nil, "`NAME=VALUE`: a variable of all functions")
	f.StringVar(&o.envFile, "env-file", "", "`file` of variables (default: .env in each function's folder)")
	f.BoolVar(&o.debug, "debug", false, "prepare functions for a debugger")
	choices(cmd, "sandbox", sandboxes...)
	choices(cmd, "network", networks...)
	folders(cmd, "data-dir", "sdk-dir")
	return cmd
}

func dev(ctx context.Context, paths []string, o devOptions, stdout, stderr io.Writer) (err error) {
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			return err
		}
	}
	view := newDevView(stdout, stderr)
	if err := o.configure(view); err != nil {
		return err
	}
	s, err := server.Start(ctx, o.cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close(context.Background())) }()
	c, err := awsclient.Open(ctx, awsclient.Options{Target: s.URL(), Region: o.cfg.Region})
	if err != nil {
		return err
	}
	aside, err := os.MkdirTemp("", "lamb-dev-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(aside)
	fp := s.Fingerprint()
	isolated, _, _ := strings.Cut(describe(fp), ";") // lamb doctor has the rest
	view.say(green, fmt.Sprintf("lamb serves at %s (sandbox %s, %s)", s.URL(), fp.Name, isolated))

	// Ctrl-C ends the watching; what a build or the server has begun comes to
	// its end in Close.
	group, ctx := errgroup.WithContext(ctx)
	for i, path := range paths {
		d := &devFunction{path: path, index: i, client: c, opts: o, view: view, aside: aside, local: !fp.Isolation, syntax: syntaxCheck{interpreter: s.Interpreter}}
		group.Go(func() error { return d.run(ctx) })
	}
	group.Go(func() error { return s.Wait(ctx) })
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// debugLimit is what a function has for its init and for an invocation while
// somebody may have stopped it in a debugger.
const debugLimit = 15 * time.Minute

func (o *devOptions) configure(view *devView) (err error) {
	if o.cfg.Sandbox, err = server.ParseSandbox(o.sandbox); err != nil {
		return usageError{err}
	}
	if o.debug {
		o.cfg.Sandbox, o.cfg.InitLimit, o.cfg.NoFreeze = server.SandboxProcess, debugLimit, true
	}
	o.cfg.Ephemeral = o.cfg.DataDir == ""
	o.cfg.FunctionLogs = view
	o.cfg.Version = Version()
	o.cfg.Log, err = newLogger(view.err, "text", "warn")
	return err
}

// devFunction is one function that is being edited.
type devFunction struct {
	path   string
	index  int
	client *awsclient.Client
	opts   devOptions
	view   *devView
	aside  string // a folder of lamb dev's own
	local  bool   // it runs on this machine's system as it is
	syntax syntaxCheck

	name string // of the function that serves; empty before the first good build
}

// run serves the function until the context ends.
func (d *devFunction) run(ctx context.Context) error {
	dir, err := filepath.Abs(d.path)
	if err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		dir = filepath.Dir(dir)
	}
	w, err := watch.New(dir, devIgnore(dir))
	if err != nil {
		return err
	}
	defer w.Close()
	for {
		began := time.Now()
		if err := d.swap(ctx); err != nil && ctx.Err() == nil {
			d.failed(err)
		} else if err == nil {
			d.view.say(green, fmt.Sprintf("%s serves (%d ms)", d.name, time.Since(began).Milliseconds()))
		}
		if err := w.Next(ctx); err != nil {
			return err
		}
	}
}

// devIgnore leaves out of the watch what is left out of the package.
func devIgnore(dir string) func(string, bool) bool {
	return func(name string, folder bool) bool {
		if name == pack.IgnoreFile || name == project.SettingsFile || name == ".env" {
			return false
		}
		// Read each time: it is one of the files that are edited.
		g, err := pack.ReadIgnore(dir)
		return err == nil && g.Matches(name, folder)
	}
}

// failed tells of a build that is not good; what served goes on.
func (d *devFunction) failed(err error) {
	what := filepath.Base(d.path)
	if d.name != "" {
		what = d.name + " goes on with the code before"
	}
	d.view.say(red, what+": "+err.Error())
}

// swap builds the function and has the new code serve.
func (d *devFunction) swap(ctx context.Context) error {
	p, err := project.Open(d.path)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "lamb-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	zip, err := d.zip(ctx, p, scratch)
	if err != nil {
		return err
	}
	env, err := readVariables(p, d.opts.envFile, d.opts.env)
	if err != nil {
		return err
	}
	var hint string
	if d.opts.debug {
		if env, hint, err = d.debugVariables(p, env); err != nil {
			return err
		}
		p.Settings.Timeout = int(debugLimit / time.Second)
	}
	role, _, err := deploy.Role(ctx, d.client, p.Settings.Role)
	if err != nil {
		return err
	}
	in := p.Create(role, env)
	if err := checkFunction(in); err != nil {
		return err
	}
	plan, err := deploy.NewPlan(ctx, d.client, deploy.Request{Function: in, Zip: zip})
	if err != nil {
		return err
	}
	if _, err := plan.Apply(ctx, d.client, func(string) {}); err != nil {
		return err
	}
	if d.name != p.Name {
		d.name = p.Name
		d.introduce(ctx, hint)
	}
	return nil
}

func (d *devFunction) zip(ctx context.Context, p *project.Project, scratch string) ([]byte, error) {
	if p.Language == project.Zipped {
		return os.ReadFile(p.File)
	}
	files, err := p.Files(ctx, project.BuildOptions{Scratch: scratch, Local: d.local, Debug: d.opts.debug})
	if err != nil {
		return nil, err
	}
	if err := d.syntax.run(ctx, p, files); err != nil {
		return nil, err
	}
	if d.opts.debug && p.Language == project.Go {
		files = underItsName(files, p.Name)
	}
	var zip strings.Builder
	if err := pack.Store(&zip, files); err != nil {
		return nil, err
	}
	return []byte(zip.String()), nil
}

// introduce says how to call a function that serves for the first time.
func (d *devFunction) introduce(ctx context.Context, hint string) {
	target := ""
	if d.client.URL() != awsclient.DefaultLamb {
		target = " --target " + d.client.URL()
	}
	lines := []string{fmt.Sprintf("  lamb invoke %s%s", d.name, target)}
	if url, err := d.url(ctx); err == nil {
		lines = append(lines, "  "+url)
	}
	if hint != "" {
		lines = append(lines, "  "+hint)
	}
	d.view.say(dim, strings.Join(lines, "\n"))
}

// url is the function's URL, which is made if there is none.
func (d *devFunction) url(ctx context.Context) (string, error) {
	url, err := d.client.GetFunctionURL(ctx, d.name, "")
	if !awsclient.IsNotFound(err) {
		return url, err
	}
	auth := api.FunctionUrlAuthTypeNone
	url, err = d.client.CreateFunctionURL(ctx, &api.CreateFunctionUrlConfigRequest{FunctionName: &d.name, AuthType: &auth})
	if err != nil {
		return "", err
	}
	// As on AWS, a URL for everybody needs both.
	everybody, via := "*", true
	for _, in := range []api.AddPermissionRequest{
		{StatementId: new("lamb-dev-url"), Action: new("lambda:InvokeFunctionUrl"), FunctionUrlAuthType: &auth},
		{StatementId: new("lamb-dev-function"), Action: new("lambda:InvokeFunction"), InvokedViaFunctionUrl: &via},
	} {
		in.FunctionName, in.Principal = &d.name, &everybody
		if err := d.client.AddPermission(ctx, &in); err != nil {
			return "", err
		}
	}
	return url, nil
}

// devView is the terminal of lamb dev: its own messages, and the functions' log
// lines with each function in a colour of its own.
type devView struct {
	out, err             io.Writer
	outColour, errColour colours

	mu    sync.Mutex
	names map[string]int // the number of each function that has logged
}

// ofFunctions are the colours that functions take in turn.
var ofFunctions = []int{36, 35, 34, 33, 96, 95, 94, 93}

func newDevView(stdout, stderr io.Writer) *devView {
	return &devView{out: stdout, err: stderr, outColour: coloursFor(stdout), errColour: coloursFor(stderr), names: make(map[string]int)}
}

func (v *devView) say(colour int, text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	fmt.Fprintln(v.err, v.errColour.paint(colour, text))
}

// Write implements io.Writer for the functions' logs: lines that begin with
// the function's name in brackets.
func (v *devView) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var b strings.Builder
	for line := range strings.Lines(string(p)) {
		name, rest, ok := strings.Cut(line, "] ")
		if !ok || name == "" || name[0] != '[' {
			b.WriteString(line)
			continue
		}
		n, known := v.names[name]
		if !known {
			n = len(v.names)
			v.names[name] = n
		}
		b.WriteString(v.outColour.paint(ofFunctions[n%len(ofFunctions)], name[1:]) + " " + rest)
	}
	if _, err := io.WriteString(v.out, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}
