package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// withBoto3 finds an interpreter that can import boto3.
func withBoto3(t testing.TB) string {
	t.Helper()
	candidates := []string{"python3", "python"}
	versions, err := filepath.Glob(filepath.Join(pyenvRoot(), "versions", "*", "bin", "python3"))
	if err != nil {
		t.Fatal(err)
	}
	for _, python := range append(candidates, versions...) {
		if exec.Command(python, "-c", "import boto3").Run() == nil {
			return python
		}
	}
	t.Skip("no Python interpreter here can import boto3")
	return ""
}

// TestBoto3 runs testdata/lifecycle.py, which makes its own checks.
func TestBoto3(t *testing.T) {
	t.Parallel()
	python := withBoto3(t)
	need(t, "curl")
	l := sharedLamb.get(t)
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "code.zip"), shell(t, "from boto3"), 0o600); err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs(filepath.Join("testdata", "lifecycle.py"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, script, l.URL, filepath.Join(folder, "code.zip"))
	cmd.Env = append(os.Environ(), "AWS_CONFIG_FILE="+filepath.Join(folder, "none"), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(folder, "none"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
