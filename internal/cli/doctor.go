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
	"github.com/lambhq/lamb/internal/server"
)

func newDoctor(stdout io.Writer) *cobra.Command {
	var requireIsolation bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what lamb can do on this machine",
		Long: `Say which isolation and limits this machine offers, which languages run, and
what would change what is missing.

The exit status is 0 when lamb can run here, whatever is missing, and 1 when it
cannot, or when --require-isolation is given and functions cannot be isolated.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromEnvironment(cmd.Flags(), os.Getenv); err != nil {
				return err
			}
			return doctor(stdout, requireIsolation)
		},
	}
	cmd.Flags().BoolVar(&requireIsolation, "require-isolation", false, "fail where functions cannot be isolated")
	return cmd
}

// noArguments refuses arguments as a mistake in the command line.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no arguments, but was given %q", cmd.Name(), args)}
	}
	return nil
}

func doctor(w io.Writer, requireIsolation bool) error {
	user := "an ordinary user"
	if os.Geteuid() == 0 {
		user = "root"
	}
	fmt.Fprintf(w, "lamb %s on %s/%s as %s\n", Version(), runtime.GOOS, runtime.GOARCH, user)
	isolated := examineSandbox(w, server.SandboxNative)
	runs := examineSandbox(w, server.SandboxProcess)
	chosen := server.SandboxProcess
	if isolated {
		chosen = server.SandboxNative
	}
	fmt.Fprintf(w, "default   functions run on %s\n", chosen)
	for _, l := range []struct{ language, program string }{{"Python", "python3"}, {"Node.js", "node"}} {
		if path, err := exec.LookPath(l.program); err == nil {
			fmt.Fprintf(w, "%-9s %s\n", l.language, path)
		} else {
			fmt.Fprintf(w, "%-9s no %s on PATH: %s functions run only if a version manager has it, or with --interpreter\n", l.language, l.program, l.language)
		}
	}
	writable := examineData(w)
	switch {
	case !runs || !writable:
		return errors.New("lamb cannot run here")
	case requireIsolation && !isolated:
		return errors.New("--require-isolation: functions cannot be isolated here")
	}
	return nil
}

// examineSandbox opens a kind of sandboxes for a trial; it reports whether
// it works and, for native, isolates.
func examineSandbox(w io.Writer, kind server.Sandbox) bool {
	dir, err := os.MkdirTemp("", "lamb-doctor-")
	if err != nil {
		fmt.Fprintf(w, "%-9s %v\n", kind, err)
		return false
	}
	defer os.RemoveAll(dir)
	p, err := server.OpenSandboxes(server.SandboxConfig{Kind: kind, WorkDir: filepath.Join(dir, "sandboxes"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Fprintf(w, "%-9s %v\n", kind, err)
		return false
	}
	defer p.Close()
	fp := p.Fingerprint()
	fmt.Fprintf(w, "%-9s works; %s\n", kind, describe(fp))
	for _, m := range fp.Missing {
		fmt.Fprintf(w, "          - %s\n", m)
	}
	return kind != server.SandboxNative || fp.Isolation
}

// describe is a fingerprint in one line.
func describe(fp sandbox.Fingerprint) string {
	isolation := "no isolation"
	if fp.Isolation {
		isolation = "isolated"
	}
	return fmt.Sprintf("%s; memory %s, CPU %s, processes %s, /tmp size %s; network: %s", isolation,
		enforced(fp.Memory), enforced(fp.CPU), enforced(fp.Processes), enforced(fp.Tmp), fp.Network)
}

// examineData reports whether the default data folder can be used. A lamb
// that uses it at the moment is no problem.
func examineData(w io.Writer) bool {
	path, err := datadir.Default()
	if err != nil {
		fmt.Fprintf(w, "data      %v\n", err)
		return false
	}
	for parent := path; ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if errors.Is(err, os.ErrNotExist) && parent != filepath.Dir(parent) {
			continue
		}
		if err != nil || !info.IsDir() {
			fmt.Fprintf(w, "data      %s cannot be used: give another folder with --data-dir\n", path)
			return false
		}
		break
	}
	fmt.Fprintf(w, "data      %s\n", path)
	return true
}
