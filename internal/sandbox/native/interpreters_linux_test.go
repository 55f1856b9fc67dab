package native_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/native"
)

const patience = 30 * time.Second

// text is a writer for two goroutines.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *text) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *text) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// lambdaEnv is AWS's environment as far as finding programs goes.
var lambdaEnv = []string{
	"PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
	"LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
	"LANG=en_US.UTF-8", "TZ=:UTC",
}

// run runs a program in a new sandbox and returns its output and exit.
func run(t *testing.T, p *native.Provider, spec sandbox.Spec, process sandbox.Process) (string, sandbox.Exit) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	sb, err := p.Create(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	}()
	out := &text{}
	process.Stdout, process.Stderr = out, out
	proc, err := sb.Start(ctx, process)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-proc.Done():
	case <-ctx.Done():
		sb.Flush()
		t.Fatalf("it did not end; %s", out)
	}
	sb.Flush()
	return out.String(), proc.Exit()
}

// TestPython: an interpreter that lies in a folder of root's, with what needs
// shared libraries.
func TestPython(t *testing.T) {
	prefixes, err := filepath.Glob("/root/.pyenv/versions/3.1*")
	if err != nil || len(prefixes) == 0 {
		t.Skip("no Python of pyenv's, or not to be read by this user")
	}
	for _, prefix := range prefixes {
		code := "import ssl, ctypes, sys, os, getpass, hashlib, sqlite3\n" +
			"print(sys.prefix, ssl.create_default_context().cert_store_stats()['x509_ca'] > 10, ctypes.CDLL(None) is not None, getpass.getuser())\n"
		boto3 := exec.Command(filepath.Join(prefix, "bin/python3"), "-c", "import boto3").Run() == nil
		if boto3 {
			code += "import boto3; boto3.client('s3', region_name='eu-west-1', aws_access_key_id='x', aws_secret_access_key='y')\n"
		}
		out, exit := run(t, newProvider(t, native.Config{}), sandbox.Spec{ID: "python", Task: t.TempDir(), Lang: prefix, MemoryMB: 256},
			sandbox.Process{Path: "/var/lang/bin/python3", Args: []string{"-c", code}, Env: lambdaEnv})
		if exit != (sandbox.Exit{}) || out != "/var/lang True True sbx_user1051\n" {
			t.Errorf("%s: %s\n%s", prefix, exit, out)
		}
		t.Logf("%s: boto3 %t", prefix, boto3)
	}
}

// TestNode runs the node on PATH.
func TestNode(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node")
	}
	if node, err = filepath.EvalSymlinks(node); err != nil {
		t.Fatal(err)
	}
	prefix := filepath.Dir(filepath.Dir(node))
	out, exit := run(t, newProvider(t, native.Config{}), sandbox.Spec{ID: "node", Task: t.TempDir(), Lang: prefix, MemoryMB: 512},
		sandbox.Process{Path: "/var/lang/bin/node", Env: lambdaEnv, Args: []string{"-e", `
const os = require('os');
console.log(os.userInfo().username, os.cpus().length > 0, os.totalmem() > 0, os.hostname(), require('fs').readFileSync('/dev/stdin').length);
require('fs').writeFileSync('/dev/stdout', 'reopened\n');
require('dns').lookup(os.hostname(), (err, address) => console.log(err, address));
`}})
	if want := "sbx_user1051 true true sandbox 0\nreopened\nnull 127.0.0.1\n"; exit != (sandbox.Exit{}) || out != want {
		t.Errorf("%s\n%s", exit, out)
	}
}

// TestTools: what shell scripts of functions use.
func TestTools(t *testing.T) {
	task := t.TempDir()
	if err := os.WriteFile(filepath.Join(task, "run.sh"), []byte(`#!/bin/sh
set -e
id -un
cat /proc/cpuinfo | grep -c processor >/dev/null && grep -q MemTotal /proc/meminfo
echo x > /tmp/x && cat /tmp/x
echo quiet > /dev/null
(echo sub)
ulimit -n
ls -A /
ls /var
`), 0o755); err != nil {
		t.Fatal(err)
	}
	out, exit := run(t, newProvider(t, native.Config{}), sandbox.Spec{ID: "sh", Task: task, MaxFiles: 1024, MaxProcesses: 1024},
		sandbox.Process{Path: "/var/task/run.sh", Env: lambdaEnv})
	if !strings.HasPrefix(out, "sbx_user1051\nx\nsub\n1024\n") || exit != (sandbox.Exit{}) {
		t.Errorf("%s\n%s", exit, out)
	}
	t.Logf("%s", out)
}
