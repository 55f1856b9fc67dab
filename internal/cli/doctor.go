package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/lambhq/lamb/internal/datadir"
	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/native"
	"github.com/lambhq/lamb/internal/server"
)

// doctorOptions are the flags of lamb doctor; those of lamb serve mean the
// same.
type doctorOptions struct {
	dataDir, network string
	requireIsolation bool
	output           outputFlag
}

// doctorReport is what lamb doctor says, for programs.
type doctorReport struct {
	Version   string          `json:"version"`
	Platform  string          `json:"platform"`
	Sandboxes []sandboxReport `json:"sandboxes"`
	// Default is the sandbox that functions run on.
	Default string `json:"default,omitempty"`
	// Interpreters are paths by language; those that are missing are not in it.
	Interpreters map[string]string `json:"interpreters"`
	Data         string            `json:"data,omitempty"`
	Problem      string            `json:"problem,omitempty"`
}

// sandboxReport is what one kind of sandboxes can do.
type sandboxReport struct {
	Kind     string   `json:"kind"`
	Works    bool     `json:"works"`
	Isolates bool     `json:"isolates"`
	Says     string   `json:"says"`
	Missing  []string `json:"missing,omitempty"`
}

func newDoctor(stdout io.Writer) *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what lamb can do on this machine",
		Long: `Say which isolation and limits this machine offers, which languages run, and
what would change what is missing.

The exit status is 0 when lamb can run here, whatever is missing, and 1 when it
cannot, or when --require-isolation is given and functions cannot be isolated.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(fromEnvironment(cmd.Flags(), os.Getenv), o.output.check()); err != nil {
				return err
			}
			if !o.output.json() {
				return doctor(stdout, o, &doctorReport{})
			}
			var r doctorReport
			err := doctor(io.Discard, o, &r)
			if err != nil {
				r.Problem = err.Error()
			}
			return errors.Join(err, writeJSON(stdout, r))
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.dataDir, "data-dir", "", "`folder` for functions and their code (default: per user)")
	f.StringVar(&o.network, "network", "", "network of functions: private, none or host (default: private where it works, else none)")
	f.BoolVar(&o.requireIsolation, "require-isolation", false, "fail where functions cannot be isolated")
	o.output.add(cmd)
	choices(cmd, "network", networks...)
	folders(cmd, "data-dir")
	return cmd
}

// noArguments refuses arguments as a mistake in the command line.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no arguments, but was given %q", cmd.Name(), args)}
	}
	return nil
}

// doctor looks at the machine, and writes what it finds to w and into r.
func doctor(w io.Writer, o doctorOptions, r *doctorReport) error {
	r.Version, r.Platform, r.Interpreters = Version(), runtime.GOOS+"/"+runtime.GOARCH, make(map[string]string)
	user := "an ordinary user"
	if os.Geteuid() == 0 {
		user = "root"
	}
	fmt.Fprintf(w, "lamb %s on %s as %s\n", r.Version, r.Platform, user)
	// In the folder where they will be: its file system has their /tmp.
	data, err := dataFolder(o.dataDir)
	var dir string
	if err == nil {
		dir, err = trialFolder(data)
	}
	if err != nil {
		fmt.Fprintf(w, "data      %v: give another folder with --data-dir\n", err)
		return errors.New("lamb cannot run here: it has no place for its data")
	}
	defer os.RemoveAll(dir)
	isolated, err := r.examineSandbox(w, server.SandboxConfig{Kind: server.SandboxNative, WorkDir: filepath.Join(dir, "native"), Network: o.network})
	if err != nil && o.network != "" && o.network != native.NetworkHost {
		return fmt.Errorf("lamb cannot run here with --network %s", o.network)
	}
	_, processErr := r.examineSandbox(w, server.SandboxConfig{Kind: server.SandboxProcess, WorkDir: filepath.Join(dir, "process")})
	chosen := server.SandboxProcess
	if err == nil {
		chosen = server.SandboxNative
	}
	r.Default, r.Data = string(chosen), data
	fmt.Fprintf(w, "default   functions run on %s\n", chosen)
	for _, l := range []struct{ language, program string }{{"Python", "python3"}, {"Node.js", "node"}} {
		if path, err := exec.LookPath(l.program); err == nil {
			r.Interpreters[l.language] = path
			fmt.Fprintf(w, "%-9s %s\n", l.language, path)
		} else {
			fmt.Fprintf(w, "%-9s no %s on PATH: %s functions run only if a version manager has it, or with --interpreter\n", l.language, l.program, l.language)
		}
	}
	fmt.Fprintf(w, "data      %s\n", data)
	switch {
	case err != nil && processErr != nil:
		return errors.New("lamb cannot run here: no sandbox works")
	case o.requireIsolation && !isolated:
		return errors.New("--require-isolation: functions cannot be isolated here")
	}
	return nil
}

// examineSandbox opens a kind of sandboxes for a trial and writes down what it
// can do; it reports whether it isolates.
func (r *doctorReport) examineSandbox(w io.Writer, cfg server.SandboxConfig) (isolates bool, err error) {
	cfg.Log = slog.New(slog.DiscardHandler)
	p, err := server.OpenSandboxes(cfg)
	if err != nil {
		r.Sandboxes = append(r.Sandboxes, sandboxReport{Kind: string(cfg.Kind), Says: err.Error()})
		fmt.Fprintf(w, "%-9s %v\n", cfg.Kind, err)
		return false, err
	}
	defer p.Close()
	fp := p.Fingerprint()
	r.Sandboxes = append(r.Sandboxes, sandboxReport{Kind: string(cfg.Kind), Works: true, Isolates: fp.Isolation, Says: describe(fp), Missing: fp.Missing})
	fmt.Fprintf(w, "%-9s works; %s\n", cfg.Kind, describe(fp))
	for _, m := range fp.Missing {
		fmt.Fprintf(w, "          - %s\n", m)
	}
	return fp.Isolation, nil
}

// describe is a fingerprint in one line.
func describe(fp sandbox.Fingerprint) string {
	isolation := "no isolation"
	if fp.Isolation {
		isolation = "isolated"
	}
	return fmt.Sprintf("%s; memory %s, CPU %s, processes %s, /tmp size %s; idle environments %s; network: %s", isolation,
		enforced(fp.Memory), enforced(fp.CPU), enforced(fp.Processes), enforced(fp.Tmp), frozen(fp.Freeze), fp.Network)
}

// dataFolder is the folder that lamb serve would use.
func dataFolder(given string) (string, error) {
	if given != "" {
		return filepath.Abs(given)
	}
	return datadir.Default()
}

// trialFolder makes a folder, which the caller removes, where the data folder
// is or would be made: that shows whether lamb can write there. A lamb that
// uses the data folder at the moment is no problem.
func trialFolder(data string) (string, error) {
	for parent := data; ; parent = filepath.Dir(parent) {
		dir, err := os.MkdirTemp(parent, ".lamb-doctor-")
		if !errors.Is(err, os.ErrNotExist) || parent == filepath.Dir(parent) {
			return dir, err
		}
	}
}
