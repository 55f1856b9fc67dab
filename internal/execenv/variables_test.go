package execenv

import (
	"slices"
	"strings"
	"testing"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/sandbox"
)

func TestVariables(t *testing.T) {
	t.Setenv("LAMB_TEST_SECRET", "of lamb")
	in := VariablesInput{
		Version: &function.Version{
			Key:     function.Key{Name: "f", Region: "eu-west-1"},
			Version: "3",
			Config: function.Config{
				Runtime: "python3.12", Handler: "a.b", MemoryMB: 512,
				Logging: function.Logging{Format: "JSON", ApplicationLevel: "WARN", Group: "/g"},
				Environment: map[string]string{
					"MINE": "1", "TZ": "Europe/Berlin", "PATH": "/my", "AWS_ENDPOINT_URL": "http://mine",
					"AWS_REGION": "nope", "LAMBDA_TASK_ROOT": "nope",
				},
			},
		},
		Paths:      sandbox.Paths{Task: "/s/task", Opt: "/s/opt", Tmp: "/s/tmp"},
		RuntimeAPI: "127.0.0.1:9", LogStream: "stream", Language: []string{"PYTHONPATH=/r", "LANG=C"},
		Credentials:    Credentials{AccessKeyID: "id", SecretAccessKey: "secret", SessionToken: "token"},
		LambdaEndpoint: "http://lamb", OtherEndpoint: "http://other",
	}
	got := Variables(in)
	for _, want := range []string{
		// The function's own win over defaults, not over what is reserved.
		"MINE=1", "TZ=Europe/Berlin", "PATH=/my", "AWS_ENDPOINT_URL=http://mine",
		"AWS_REGION=eu-west-1", "LAMBDA_TASK_ROOT=/s/task",
		"AWS_ENDPOINT_URL_LAMBDA=http://lamb", "PYTHONPATH=/r", "LANG=C", "TMPDIR=/s/tmp",
		"AWS_LAMBDA_FUNCTION_NAME=f", "AWS_LAMBDA_FUNCTION_VERSION=3", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512",
		"AWS_LAMBDA_RUNTIME_API=127.0.0.1:9", "AWS_LAMBDA_LOG_STREAM_NAME=stream", "AWS_LAMBDA_LOG_GROUP_NAME=/g",
		"AWS_LAMBDA_LOG_FORMAT=JSON", "AWS_LAMBDA_LOG_LEVEL=WARN", "AWS_EXECUTION_ENV=AWS_Lambda_python3.12",
		"AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=secret", "AWS_SESSION_TOKEN=token",
		"_HANDLER=a.b", "LAMBDA_RUNTIME_DIR=/var/runtime",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in %q", want, got)
		}
	}
	for _, kv := range got {
		if strings.HasPrefix(kv, "LAMB_TEST_") || strings.HasPrefix(kv, "HOME=") {
			t.Errorf("inherited %s", kv)
		}
	}
	in.Version.Config.Runtime, in.Paths.Tmp = "provided.al2023", "/tmp"
	in.Version.Config.Logging = function.Logging{Format: "Text"}
	for _, kv := range Variables(in) {
		for _, absent := range []string{"AWS_EXECUTION_ENV=", "TMPDIR=", "AWS_LAMBDA_LOG_LEVEL="} {
			if strings.HasPrefix(kv, absent) {
				t.Errorf("unexpected %s", kv)
			}
		}
	}
}

// TestVariablesOfSnapshots: what is resumed asks for its credentials, and has
// no log stream yet.
func TestVariablesOfSnapshots(t *testing.T) {
	got := Variables(VariablesInput{
		Version: &function.Version{Version: "1"}, RuntimeAPI: "127.0.0.1:9", LogStream: "stream",
		Credentials:      Credentials{AccessKeyID: "id", SecretAccessKey: "secret", SessionToken: "token"},
		CredentialsToken: "sesame", Initialization: SnapStart,
	})
	for _, want := range []string{
		"AWS_LAMBDA_INITIALIZATION_TYPE=snap-start", "AWS_CONTAINER_AUTHORIZATION_TOKEN=sesame",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9/2021-04-23/credentials",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in %q", want, got)
		}
	}
	for _, kv := range got {
		for _, absent := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_LOG_"} {
			if strings.HasPrefix(kv, absent) && !strings.HasPrefix(kv, "AWS_LAMBDA_LOG_FORMAT") {
				t.Errorf("unexpected %s", kv)
			}
		}
	}
}

// TestLogDescriptorVariable: managed runtimes are told where to write log
// events, custom ones are not.
func TestLogDescriptorVariable(t *testing.T) {
	for runtime, want := range map[string]bool{
		"python3.12": true, "nodejs22.x": true, "java21": true, "provided.al2": false, "provided.al2023": false,
	} {
		in := VariablesInput{Version: &function.Version{Config: function.Config{Runtime: runtime}}}
		if got := slices.Contains(Variables(in), "_LAMBDA_TELEMETRY_LOG_FD=62"); got != want {
			t.Errorf("%s: %v", runtime, got)
		}
	}
}
