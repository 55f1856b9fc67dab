package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMoto runs the scripts of testdata/moto: lamb's commands against moto's
// server, which stands for AWS with Lambda, IAM and STS at one URL.
// https://docs.getmoto.org
func TestMoto(t *testing.T) {
	t.Parallel()
	if here != (world{}) {
		t.Skip("the commands are the same in every world of functions")
	}
	python := withModule(t, "moto.server", func(python string, args ...string) *exec.Cmd { return exec.Command(python, args...) })
	cmd := exec.Command(python, "-m", "moto.server", "-p", "0")
	cmd.Env = append(os.Environ(), "MOTO_IAM_LOAD_MANAGED_POLICIES=true", "PYTHONUNBUFFERED=1")
	server, err := startCommand(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.kill)
	url := attachTo(t, server, "Running on ")
	program := lambCommand.build(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/moto",
		Setup: func(env *testscript.Env) error {
			for k, v := range map[string]string{
				"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
				"PATH": filepath.Dir(program) + string(os.PathListSeparator) + os.Getenv("PATH"), "MOTO": url,
			} {
				env.Setenv(k, v)
			}
			return nil
		},
	})
}
