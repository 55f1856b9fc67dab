package project

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/pack"
)

// folder makes a project called "fn".
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "fn")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, body := range files {
		name, executable := strings.CutSuffix(name, "*")
		mode := os.FileMode(0o644)
		if executable {
			mode = 0o755
		}
		p := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(body), mode)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const goMain = "package main\n\nfunc main() {}\n"

func TestOpen(t *testing.T) {
	tests := []struct {
		name    string
		files   map[string]string
		open    string // below the folder
		want    Project
		wantErr string
	}{
		{name: "go", files: map[string]string{"go.mod": "module fn\n", "main.go": goMain}, want: Project{Language: Go, Name: "fn", Runtime: "provided.al2023", Handler: "bootstrap"}},
		{name: "go library", files: map[string]string{"lib.go": "package lib\n"}, wantErr: "its Go files are no package main"},
		{name: "go beside scripts", files: map[string]string{"main.go": goMain, "tool.py": "def handler(e, c): pass\n"}, want: Project{Language: Go, Name: "fn", Runtime: "provided.al2023", Handler: "bootstrap"}},
		{name: "python chosen", files: map[string]string{"main.go": goMain, "tool.py": "def handler(e, c): pass\n", "lamb.toml": "runtime = \"python3.12\"\n"}, want: Project{Language: Python, Name: "fn", Runtime: "python3.12", Handler: "tool.handler"}},
		{name: "python", files: map[string]string{"lambda_function.py": "x = 1\ndef lambda_handler(event, context):\n  pass\n", "a.py": "def handler(e, c): 1\n"}, want: Project{Language: Python, Name: "fn", Runtime: "python3.13", Handler: "lambda_function.lambda_handler"}},
		{name: "python assigned", files: map[string]string{"app.py": "handler = make()\n"}, want: Project{Language: Python, Name: "fn", Runtime: "python3.13", Handler: "app.handler"}},
		{name: "python without a handler", files: map[string]string{"app.py": "def main(): pass\n"}, wantErr: "no Python file defines handler"},
		{name: "node", files: map[string]string{"index.mjs": ""}, want: Project{Language: Node, Name: "fn", Runtime: "nodejs22.x", Handler: "index.handler"}},
		{name: "node main", files: map[string]string{"package.json": `{"main": "./src/fn.js"}`}, want: Project{Language: Node, Name: "fn", Runtime: "nodejs22.x", Handler: "src/fn.handler"}},
		{name: "node broken", files: map[string]string{"package.json": `{`}, wantErr: "package.json: "},
		{name: "bootstrap", files: map[string]string{"bootstrap": "#!/bin/sh\n"}, want: Project{Language: Custom, Name: "fn", Runtime: "provided.al2023", Handler: "bootstrap"}},
		{name: "settings win", files: map[string]string{"app.py": "def handler(e, c): 1\n", "lamb.toml": "name = \"other\"\nhandler = \"app.main\"\narchitecture = \"arm64\"\n"}, want: Project{Language: Python, Name: "other", Runtime: "python3.13", Handler: "app.main", Architecture: "arm64"}},
		{name: "one file", files: map[string]string{"my fn.py": "def handler(e, c): 1\n"}, open: "my fn.py", want: Project{Language: Python, Name: "my-fn", Runtime: "python3.13", Handler: "my fn.handler"}},
		{name: "one program", files: map[string]string{"bootstrap*": ""}, open: "bootstrap", want: Project{Language: Custom, Name: "fn", Runtime: "provided.al2023", Handler: "bootstrap"}},
		{name: "a text", files: map[string]string{"notes.txt": ""}, open: "notes.txt", wantErr: "neither a source file"},
		{name: "nothing", files: map[string]string{"notes.txt": ""}, wantErr: "there is no function here"},
		{name: "missing", open: "nowhere", wantErr: "does not exist"},
		{name: "unknown setting", files: map[string]string{"app.py": "", "lamb.toml": "memroy = 128\n"}, wantErr: "unknown setting memroy"},
		{name: "broken setting", files: map[string]string{"app.py": "", "lamb.toml": "\nmemory = \"x\n"}, wantErr: "lamb.toml, line 2"},
		{name: "another runtime", files: map[string]string{"app.py": "def handler(e, c): pass\n", "lamb.toml": "runtime = \"ruby3.3\"\n"}, wantErr: `lamb.toml has runtime = "ruby3.3", and lamb builds`},
		{name: "unknown runtime", files: map[string]string{"bootstrap": "", "lamb.toml": "runtime = \"provided.al9\"\n"}, wantErr: `runtime "provided.al9" is none of Lambda's`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Open(filepath.Join(folder(t, tt.files), tt.open))
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("error %v, want %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := Project{Language: p.Language, Name: p.Name, Runtime: p.Runtime, Handler: p.Handler, Architecture: p.Settings.Architecture}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func names(files []pack.File) []string {
	var all []string
	for _, f := range files {
		name := f.Name
		if f.Executable {
			name += "*"
		}
		all = append(all, name)
	}
	return all
}

// TestGo: the program, what is included, and no trace of where it was built.
func TestGo(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go here")
	}
	source := map[string]string{
		"go.mod": "module fn\n\ngo 1.24\n", "main.go": goMain, "static/a.txt": "a",
		"lamb.toml": "include = [\"static\"]\n",
	}
	digest := func() string {
		p, err := Open(folder(t, source))
		if err != nil {
			t.Fatal(err)
		}
		files, err := p.Files(t.Context(), BuildOptions{Scratch: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"bootstrap*", "static/a.txt"}, names(files)); diff != "" {
			t.Error(diff)
		}
		b, err := os.ReadFile(files[0].Path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if one, other := digest(), digest(); one != other {
		t.Error("two builds differ")
	}
	source["main.go"] = "package main\n\nfunc main() { undefined() }\n"
	p, err := Open(folder(t, source))
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Files(t.Context(), BuildOptions{Scratch: t.TempDir()})
	if build := (*BuildError)(nil); !errors.As(err, &build) || !strings.Contains(build.Output, "undefined: undefined") {
		t.Errorf("a broken program: %v", err)
	}
}

func TestFolder(t *testing.T) {
	p, err := Open(folder(t, map[string]string{
		"bootstrap": "#!/bin/sh\n", "lib/x.sh": "", "notes.md": "", ".lambignore": "*.md\n", "lamb.toml": "include = [\"../fn2\"]\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Files(t.Context(), BuildOptions{}); err == nil || !strings.Contains(err.Error(), "not in the project's folder") {
		t.Errorf("an include from outside: %v", err)
	}
	p.Settings.Include = nil
	files, err := p.Files(t.Context(), BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"bootstrap*", "lib/x.sh"}, names(files)); diff != "" {
		t.Error(diff)
	}
}

func TestCreate(t *testing.T) {
	p, err := Open(folder(t, map[string]string{"app.py": "def handler(e, c): 1\n", "lamb.toml": `
description = "d"
timeout = 5
memory = 256
ephemeral_storage = 1024
kms_key = "arn:aws:kms:us-east-1:000000000000:key/k"
layers = ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"]
dead_letters = "arn:aws:sqs:us-east-1:000000000000:q"
tracing = "Active"
principals = ["s3.amazonaws.com"]

[tags]
team = "a"

[vpc]
subnets = ["subnet-1"]
security_groups = ["sg-1"]

[logging]
format = "JSON"
application_level = "WARN"
`}))
	if err != nil {
		t.Fatal(err)
	}
	in := p.Create("arn:aws:iam::000000000000:role/r", map[string]string{"KEY": "v"})
	if err := api.Check(in); err != nil {
		t.Error(err)
	}
	if err := api.Check(Update(in)); err != nil {
		t.Error(err)
	}
	changes, err := Changes(in, "digest", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var members []string
	for _, c := range changes {
		members = append(members, c.Member)
	}
	want := []string{
		"Architectures", "CodeSha256", "DeadLetterConfig.TargetArn", "Description", "Environment.Variables.KEY",
		"EphemeralStorage.Size", "Handler", "KMSKeyArn", "Layers", "LoggingConfig.ApplicationLogLevel", "LoggingConfig.LogFormat",
		"MemorySize", "Role", "Runtime", "Tags.team", "Timeout", "TracingConfig.Mode", "VpcConfig.SecurityGroupIds", "VpcConfig.SubnetIds",
	}
	if diff := cmp.Diff(want, members); diff != "" {
		t.Error(diff)
	}
}

func TestChanges(t *testing.T) {
	ptr := func(s string) *string { return &s }
	memory, timeout := 128, 3
	want := &api.CreateFunctionRequest{
		FunctionName: ptr("f"), Description: ptr("new"), MemorySize: &memory, Layers: []string{"arn:l:2"},
		Environment: &api.Environment{Variables: map[string]string{"A": "1", "B": "2"}}, Tags: map[string]string{"t": "1"},
	}
	is := &api.FunctionConfiguration{
		FunctionName: ptr("f"), Description: ptr("old"), MemorySize: &memory, Timeout: &timeout, CodeSha256: ptr("same"),
		Layers:      []api.Layer{{Arn: ptr("arn:l:1")}},
		Environment: &api.EnvironmentResponse{Variables: map[string]string{"A": "secret", "B": "2", "GONE": "x"}},
	}
	changes, err := Changes(want, "same", is, map[string]string{"t": "1", "other": "2"})
	if err != nil {
		t.Fatal(err)
	}
	wantChanges := []Change{
		{"Description", `"old"`, `"new"`},
		{"Environment.Variables.A", "(set)", "(set)"}, {"Environment.Variables.GONE", "(set)", ""},
		{"Layers", `["arn:l:1"]`, `["arn:l:2"]`},
	}
	if diff := cmp.Diff(wantChanges, changes); diff != "" {
		t.Error(diff)
	}
}
