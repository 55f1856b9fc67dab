package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// projectWith is a folder with a bootstrap and these settings.
func projectWith(t *testing.T, settings string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"bootstrap": "#!/bin/sh\n", "lamb.toml": settings} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestDeployChecks: each option that is wrong is refused in words, and nobody
// was asked anything: where it would be sent nothing listens.
func TestDeployChecks(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_REGION", "us-east-1")
	for _, tt := range []struct{ settings, args, says string }{
		{settings: `memory = 64`, says: "memory must be 128 to 10240 MB\nValidationException: 1 validation error detected: Value '64' at 'memorySize'"},
		{settings: `memory = 0`, says: "memory = 0: must be 128 to 10240 MB"},
		{settings: `memory = "x"`, says: `lamb.toml: line 1 (last key "memory"): incompatible types`},
		{settings: `timeout = 901`, says: "timeout must be 1 to 900 seconds"},
		{settings: `ephemeral_storage = 100`, says: "ephemeral_storage must be 512 to 10240 MB"},
		{settings: `description = "` + strings.Repeat("x", 300) + `"`, says: "description must be up to 256 characters"},
		{settings: `name = "a b"`, says: "name must be up to 64 letters"},
		{settings: `name = "` + strings.Repeat("x", 65) + `"`, says: "name must be up to 64 letters"},
		{settings: `handler = "a b"`, says: "handler must be up to 128 characters without spaces"},
		{settings: `role = "a role"`, says: "role must be a role's name, or its ARN"},
		{settings: `kms_key = "x"`, says: "kms_key must be a key's ARN"},
		{settings: `layers = ["x"]`, says: "layers must be ARNs of layer versions"},
		{settings: `layers = ["arn:aws:lambda:us-east-1:000000000000:layer:l:1", "arn:aws:lambda:us-east-1:000000000000:layer:l:2"]`, says: "Two different versions of the same layer"},
		{settings: `dead_letters = "arn:aws:lambda:us-east-1:000000000000:function:f"`, says: "must be the ARN of an SQS queue or SNS topic"},
		{settings: `tracing = "on"`, says: "tracing must be Active or PassThrough"},
		{settings: `principals = ["a b"]`, says: `principal "a b": must be a service (s3.amazonaws.com), an account of 12 digits, or *`},
		{settings: `principals = [""]`, says: `principal "": must be a service`},
		{settings: "[tags]\n\"aws:x\" = \"1\"", says: "aws: prefixed tag key names are not allowed"},
		{settings: "[vpc]\nsubnets = [\"a\"]", says: `[vpc] subnets: "a": must begin with subnet-`},
		{settings: "[vpc]\nsecurity_groups = [\"a\"]", says: `[vpc] security_groups: "a": must begin with sg-`},
		{settings: "[vpc]\nsubnets = [\"subnet-1\"]", says: "SubnetIds and SecurityIds must coexist"},
		{settings: "[logging]\nformat = \"xml\"", says: "[logging] format must be Text or JSON"},
		{settings: "[logging]\nformat = \"JSON\"\napplication_level = \"LOUD\"", says: "[logging] application_level must be TRACE, DEBUG"},
		{settings: "[logging]\nsystem_level = \"WARN\"", says: "can only be set when LogFormat is JSON"},
		{settings: "[logging]\ngroup = \"a b\"", says: "[logging] group must be up to 512 letters"},
		{settings: "[environment]\n\"A-B\" = \"1\"\nOK = \"1\"\nC = \"1\"", says: `a letter first: "A-B", "C"` + "\n"},
		{settings: "[environment]\nAWS_REGION = \"x\"", says: "Reserved keys used in this request: AWS_REGION"},
		{settings: "[environment]\nBIG = \"" + strings.Repeat("x", 5000) + `"`, says: "exceeded the 4KB limit.\n"},
		{settings: `runtime = "provided.al9"`, says: `runtime "provided.al9" is none of Lambda's`},
		{settings: `architecture = "mips"`, says: `architecture "mips": use x86_64 or arm64`},
		{args: "--alias 12", says: `--alias "12": letters, digits, - and _, and not only digits`},
		{args: "--allow-principal ?\t", says: `principal "?\t"`},
		{args: "--env A=1", says: `"A"`},
		{says: "connection refused\nNothing listens there."}, // what is right is sent
	} {
		var stdout, stderr bytes.Buffer
		args := append([]string{"deploy", projectWith(t, tt.settings), "--target", "http://127.0.0.1:1"}, strings.Split(tt.args, " ")...)
		if tt.args == "" {
			args = args[:4]
		}
		if status := Main(args, &stdout, &stderr); status != 1 || !strings.Contains(stderr.String(), tt.says) {
			t.Errorf("%s %s: status %d, %s\nwant %q", tt.settings, tt.args, status, stderr.String(), tt.says)
		}
	}
}

func TestRunChecks(t *testing.T) {
	for _, tt := range []struct {
		args, says string
		status     int
	}{
		{"--timeout 1000", "timeout must be 1 to 900 seconds", 1},
		{"--memory 1", "memory must be 128 to 10240 MB", 1},
		{"--client-context x", "--client-context is no JSON\nSee 'lamb run --help'.", 2},
		{"-e {bad", "the event is no JSON (invalid character 'b'", 1},
	} {
		var stdout, stderr bytes.Buffer
		status := Main(append([]string{"run", projectWith(t, "")}, strings.Fields(tt.args)...), &stdout, &stderr)
		if status != tt.status || !strings.Contains(stderr.String(), tt.says) {
			t.Errorf("lamb run %s: status %d, %s", tt.args, status, stderr.String())
		}
	}
}
