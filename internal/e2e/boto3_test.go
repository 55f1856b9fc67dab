package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// withBoto3 finds an interpreter that can import boto3 when it is run by a
// command made of program and arguments.
func withBoto3(t testing.TB, command func(python string, args ...string) *exec.Cmd) string {
	t.Helper()
	return withModule(t, "boto3", command)
}

// withModule is withBoto3 for another module.
func withModule(t testing.TB, module string, command func(python string, args ...string) *exec.Cmd) string {
	t.Helper()
	candidates := []string{"python3", "python", "/usr/bin/python3"}
	versions, err := filepath.Glob(filepath.Join(pyenvRoot(), "versions", "*", "bin", "python3"))
	if err != nil {
		t.Fatal(err)
	}
	for _, python := range append(candidates, versions...) {
		if command(python, "-c", "import "+module).Run() == nil {
			return python
		}
	}
	t.Skipf("no Python interpreter here can import %s, or none that may be used", module)
	return ""
}

// TestBoto3 runs testdata/lifecycle.py, which makes its own checks.
func TestBoto3(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	runBoto3(t, "lifecycle.py", shell(t, "from boto3"))
}

// TestBoto3Layers runs testdata/layers.py.
func TestBoto3Layers(t *testing.T) {
	t.Parallel()
	needInside(t, "python3")
	runBoto3(t, "layers.py",
		zipOf(t, file{"app.py", 0o644, "import greet\n\ndef handler(event, context):\n    return greet.hello(event)\n"}),
		zipOf(t, file{"python/greet.py", 0o644, "def hello(name):\n    return 'hello ' + name\n"}))
}

// TestBoto3Logs runs testdata/cwlogs.py.
func TestBoto3Logs(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	runBoto3(t, "cwlogs.py", shell(t, "from boto3"))
}

// runBoto3 runs a script of testdata with the shared lamb.
func runBoto3(t *testing.T, name string, archives ...[]byte) {
	t.Helper()
	runBoto3On(t, sharedLamb.get(t), name, archives...)
}

// runBoto3On runs a script of testdata, which gets lamb's URL and the names of
// files with these archives.
func runBoto3On(t *testing.T, l *lamb, name string, archives ...[]byte) {
	t.Helper()
	python := withBoto3(t, func(python string, args ...string) *exec.Cmd { return exec.Command(python, args...) })
	folder := t.TempDir()
	script, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	args := []string{script, l.URL}
	for i, archive := range archives {
		path := filepath.Join(folder, fmt.Sprintf("%d.zip", i))
		if err := os.WriteFile(path, archive, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	cmd := exec.CommandContext(t.Context(), python, args...)
	cmd.Env = append(os.Environ(), "AWS_CONFIG_FILE="+filepath.Join(folder, "none"), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(folder, "none"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestBoto3Streams runs testdata/streaming.py.
func TestBoto3Streams(t *testing.T) {
	t.Parallel()
	runBoto3(t, "streaming.py", streamFunction.zip(t))
}
