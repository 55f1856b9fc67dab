package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestCLI runs the scripts of testdata with the AWS CLI. In them the command
// "lambda" is `aws --endpoint-url URL lambda`, and "zip" packs the files of a
// folder.
func TestCLI(t *testing.T) {
	t.Parallel()
	need(t, "aws")
	need(t, "curl")
	l := sharedLamb.get(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			for k, v := range map[string]string{
				"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
				"AWS_PAGER": "", "AWS_CONFIG_FILE": filepath.Join(env.WorkDir, "aws-config"),
				// pyenv's wrapper looks for its versions there.
				"PYENV_ROOT": pyenvRoot(), "PYENV_VERSION": os.Getenv("PYENV_VERSION"),
				"LAMB": l.URL, "ROLE": role,
			} {
				env.Setenv(k, v)
			}
			if err := bigFile(env.WorkDir, 6291456+1); err != nil {
				return err
			}
			// The second version of the CLI reads payloads as base64 otherwise.
			return os.WriteFile(filepath.Join(env.WorkDir, "aws-config"), []byte("[default]\ncli_binary_format = raw-in-base64-out\n"), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"lambda": func(ts *testscript.TestScript, neg bool, args []string) {
				err := ts.Exec("aws", append([]string{"--endpoint-url", l.URL, "lambda"}, args...)...)
				if err == nil && neg {
					ts.Fatalf("unexpected success")
				}
				if err != nil && !neg {
					ts.Fatalf("%v", err)
				}
			},
			"zip":    scriptZip,
			"behead": scriptBehead,
		},
	})
}

func pyenvRoot() string {
	if root := os.Getenv("PYENV_ROOT"); root != "" {
		return root
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".pyenv")
}

// scriptZip packs files: zip OUT NAME=FILE...
func scriptZip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: zip OUT NAME=FILE...")
	}
	var files []file
	for _, arg := range args[1:] {
		name, from, _ := strings.Cut(arg, "=")
		files = append(files, file{name, 0o755, ts.ReadFile(from)})
	}
	b, err := zipBytes(files...)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

// scriptBehead cuts the first bytes off a file: behead OUT IN. The CLI looks
// for the end of an archive itself, so that has to stay.
func scriptBehead(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: behead OUT IN")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(ts.ReadFile(args[1])[20:]), 0o600))
}

// bigFile makes a file for scripts that is larger than a payload may be.
func bigFile(dir string, size int) error {
	return os.WriteFile(filepath.Join(dir, "big.json"), []byte(`"`+strings.Repeat("x", size-2)+`"`), 0o600)
}
