package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestTools runs the scripts of testdata/tools: lamb's own commands, as a user
// types them, against a lamb that serves. In them "lamb" is the lamb under
// test, and $LAMB the URL of the one that serves.
func TestTools(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	vars := goVariables(t)
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
		"PATH":       filepath.Dir(lambCommand.build(t)) + string(os.PathListSeparator) + os.Getenv("PATH"),
		"PYENV_ROOT": pyenvRoot(), "PYENV_VERSION": os.Getenv("PYENV_VERSION"),
		"LAMB": l.URL, "LAMB_SANDBOX": here.sandbox,
	} {
		vars[k] = v
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/tools",
		Condition: func(cond string) (bool, error) {
			if cond != "isolated" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			return l.isolated(), nil
		},
		Setup: func(env *testscript.Env) error {
			for k, v := range vars {
				env.Setenv(k, v)
			}
			return nil
		},
	})
}

// goVariables are those that let a script's go commands use what is cached.
func goVariables(t testing.TB) map[string]string {
	t.Helper()
	out, err := exec.Command("go", "env", "-json", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS", "GONOSUMDB", "GOSUMDB").Output()
	if err != nil {
		t.Fatal(err)
	}
	vars := make(map[string]string)
	if err := json.Unmarshal(out, &vars); err != nil {
		t.Fatal(err)
	}
	return vars
}
