package cli

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lambhq/lamb/internal/sandbox/process"
)

func TestMain(m *testing.M) {
	process.MaybeSupervise()
	m.Run()
}

func TestMistakes(t *testing.T) {
	tests := []struct {
		args   []string
		env    map[string]string
		status int
		stderr string
	}{
		{args: []string{"serve", "--frob"}, status: 2, stderr: "unknown flag: --frob\nSee 'lamb serve --help'."},
		{args: []string{"frob"}, status: 2, stderr: `unknown command "frob" for "lamb"`},
		{args: []string{"serve", "x"}, status: 2, stderr: `serve takes no arguments, but was given ["x"]`},
		{args: []string{"serve", "--function-access", "all"}, status: 2, stderr: "invoke"},
		{args: []string{"serve", "--log-level", "loud"}, status: 2, stderr: `--log-level "loud": use debug, info, warn or error`},
		{args: []string{"serve", "--log-format", "xml"}, status: 2, stderr: `--log-format "xml": use text or json`},
		{args: []string{"serve", "--concurrency", "0"}, status: 2, stderr: "--concurrency 0: at least 1"},
		{args: []string{"serve", "--keep-alive", "0s"}, status: 2, stderr: "--keep-alive 0s"},
		{args: []string{"serve", "--shells", "-1"}, status: 2, stderr: "--shells -1"},
		{args: []string{"serve", "--ephemeral", "--data-dir", "x"}, status: 2, stderr: "--ephemeral and --data-dir exclude each other"},
		{args: []string{"serve"}, env: map[string]string{"LAMB_DRAIN": "soon"}, status: 2, stderr: "LAMB_DRAIN: "},
		{args: []string{"serve", "--ephemeral", "--account-id", "1"}, status: 2, stderr: `account id "1" is not 12 digits`},
		{args: []string{"serve", "--ephemeral", "--region", "local"}, status: 2, stderr: `region "local" is not a region's name`},
		{args: []string{"serve", "--ephemeral", "--aws-endpoint", "foo"}, status: 2, stderr: `AWS endpoint "foo" is not an http or https URL`},
		{args: []string{"serve", "--ephemeral", "--drain", "-1s"}, status: 2, stderr: "drain time -1s is negative"},
		{args: []string{"serve", "--ephemeral", "--listen", "0.0.0.0:0"}, status: 2, stderr: "refusing to listen on 0.0.0.0:0"},
		{args: []string{"serve", "--ephemeral", "--listen", "nonsense"}, status: 2, stderr: "is not HOST:PORT"},
		{args: []string{"serve", "--ephemeral", "--listen", "127.0.0.1:99999"}, status: 2, stderr: `the port of listen address "127.0.0.1:99999"`},
		{args: []string{"serve", "--ephemeral", "--interpreter", "pyton=/bin/sh"}, status: 2, stderr: `no interpreter can be chosen for "pyton"`},
		{args: []string{"serve", "--ephemeral", "--interpreter", "python3.12=/no/python"}, status: 2, stderr: "the interpreter configured for python3.12: "},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			var stdout, stderr bytes.Buffer
			if status := Main(tt.args, &stdout, &stderr); status != tt.status || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("status %d, stderr %q; want %d and %q", status, stderr.String(), tt.status, tt.stderr)
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	for args, want := range map[string]string{
		"--version":    "lamb ",
		"--help":       "serve",
		"serve --help": "--function-access",
	} {
		var stdout, stderr bytes.Buffer
		if status := Main(strings.Fields(args), &stdout, &stderr); status != 0 || !strings.Contains(stdout.String(), want) {
			t.Errorf("lamb %s: status %d, %q", args, status, stdout.String())
		}
	}
}

func TestDoctor(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if status := Main([]string{"doctor"}, &stdout, &stderr); status != 0 {
		t.Errorf("status %d, %s", status, stderr.String())
	}
	for _, want := range []string{"\nnative    ", "\nprocess   works; no isolation; ", "\ndefault   functions run on ", "\nPython    ", "\nNode.js   ", "\ndata      "} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("doctor does not say %q:\n%s", want, stdout.String())
		}
	}
	isolated := strings.Contains(stdout.String(), "\nnative    works; isolated")
	if strings.Contains(stdout.String(), "\ndefault   functions run on native\n") != isolated {
		t.Errorf("native works: %v, but the default is another:\n%s", isolated, stdout.String())
	}
	if status := Main([]string{"doctor", "--require-isolation"}, &stdout, &stderr); (status == 0) != isolated {
		t.Errorf("with --require-isolation status %d, isolated %v", status, isolated)
	}
}

// TestDoctorExits: 0 when lamb can run, whatever is missing.
func TestDoctorExits(t *testing.T) {
	var stdout, stderr bytes.Buffer
	Main([]string{"doctor"}, &stdout, &stderr)
	isolated := strings.Contains(stdout.String(), "\nnative    works; isolated")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "not", "yet")
	for _, tt := range []struct {
		args   string
		status int
		says   string // in the report or the error
		native bool   // needs native sandboxes
	}{
		{args: "--data-dir " + missing, says: "\ndata      " + missing + "\n"},
		{args: "--data-dir " + file + "/below", status: 1, says: "it has no place for its data"},
		{args: "--network host", says: "network: host"},
		{args: "--network host --require-isolation", status: 1, says: "functions cannot be isolated here"},
		{args: "--network none --require-isolation", says: "so it was asked for", native: true},
		{args: "--network bridge", status: 1, says: "cannot run here with --network bridge"},
		{args: "--network", status: 2, says: "needs an argument"},
	} {
		if tt.native && !isolated {
			continue
		}
		var stdout, stderr bytes.Buffer
		status := Main(append([]string{"doctor"}, strings.Fields(tt.args)...), &stdout, &stderr)
		if out := stdout.String() + stderr.String(); status != tt.status || !strings.Contains(out, tt.says) {
			t.Errorf("lamb doctor %s: status %d, does not say %q:\n%s", tt.args, status, tt.says, out)
		}
	}
	if _, err := os.Stat(filepath.Dir(missing)); err == nil {
		t.Error("doctor has made the data folder")
	}
}

func TestFromEnvironment(t *testing.T) {
	var dir, listen string
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.StringVar(&dir, "data-dir", "", "")
	f.StringVar(&listen, "listen", "default", "")
	if err := f.Parse([]string{"--listen", "flag"}); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"LAMB_DATA_DIR": "/d", "LAMB_LISTEN": "variable"}
	if err := fromEnvironment(f, func(k string) string { return env[k] }); err != nil {
		t.Fatal(err)
	}
	if dir != "/d" || listen != "flag" {
		t.Errorf("data-dir %q, listen %q: a flag wins over its variable", dir, listen)
	}
}

// TestMeant: a command line makes the commands that it needs.
func TestMeant(t *testing.T) {
	all := commands(&cobra.Command{}, nil, io.Discard, io.Discard)
	for _, c := range all {
		if name := c.make().Name(); name != c.name {
			t.Errorf("%s makes %s", c.name, name)
		}
	}
	for args, want := range map[string]int{
		"": len(all), "--version": 0, "run": 1, "run . --quiet": 1, "--help": len(all), "man": len(all), "completion bash": len(all),
		"help run": len(all), "-h run": len(all), "unknown": len(all),
	} {
		if got := len(meant(all, strings.Fields(args))); got != want {
			t.Errorf("lamb %s makes %d commands, want %d", args, got, want)
		}
	}
}
