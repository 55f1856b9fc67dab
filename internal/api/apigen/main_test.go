package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The folder of package api, seen from the tests of its generator.
const apiDir = ".."

func TestGeneratedCodeIsUpToDate(t *testing.T) {
	if err := run([]string{"-check", "-dir", apiDir}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
}

func TestCheckNoticesEdits(t *testing.T) {
	dir := t.TempDir()
	const model = "service 1\n" +
		"operation Poke POST /poke/{Name} 200 PokeRequest -\n" +
		"structure PokeRequest\n  Name Mode required uri\n" +
		"string Mode\n  enum On\n  enum Off\n"
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("model.txt", model)
	if err := run([]string{"-dir", dir}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	check := func() error { return run([]string{"-check", "-dir", dir}, &bytes.Buffer{}) }
	if err := check(); err != nil {
		t.Fatalf("fresh code: %v", err)
	}
	write("old_gen.go", "package api\n")
	if err := check(); err == nil || !strings.Contains(err.Error(), "no longer generated") {
		t.Errorf("left-over file: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "old_gen.go")); err != nil {
		t.Fatal(err)
	}
	write("model.txt", strings.Replace(model, "enum Off", "enum Auto", 1))
	if err := check(); err == nil || !strings.Contains(err.Error(), "out of date") {
		t.Errorf("changed model: %v", err)
	}
}

func TestModelTextRoundTrip(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(apiDir, "model.txt"))
	if err != nil {
		t.Fatal(err)
	}
	model, err := ReadModel(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := WriteModel(&again, model); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), again.String()); diff != "" {
		t.Errorf("reading and writing changes the model (-before +after):\n%s", diff)
	}
	if got := len(model.Operations); got != 85 {
		t.Errorf("%d operations, want 85", got)
	}
}

func TestImportBotocore(t *testing.T) {
	const in = `{
	"metadata": {"apiVersion": "2015-03-31", "protocol": "rest-json"},
	"operations": {"Poke": {"name": "Poke",
		"http": {"method": "POST", "requestUri": "/x/{Name}?List=ALL", "responseCode": 202},
		"input": {"shape": "PokeRequest"}, "errors": [{"shape": "Oops"}]}},
	"shapes": {
		"PokeRequest": {"type": "structure", "required": ["Zeta"], "payload": "Body", "members": {
			"Zeta": {"shape": "Word"}, "Alpha": {"shape": "Words", "location": "querystring", "locationName": "alpha"},
			"Name": {"shape": "Word", "location": "uri", "locationName": "Name"}, "Body": {"shape": "Blob"}}},
		"Word": {"type": "string", "min": 1, "max": 3, "pattern": "a b"},
		"Words": {"type": "list", "member": {"shape": "Word"}, "max": 2},
		"Blob": {"type": "blob", "sensitive": true},
		"Weight": {"type": "double", "min": 0.0, "max": 1.0},
		"Weights": {"type": "map", "key": {"shape": "Word"}, "value": {"shape": "Weight"}},
		"Mode": {"type": "string", "enum": ["On", "Off"]},
		"Oops": {"type": "structure", "exception": true, "fault": true, "error": {"httpStatusCode": 502},
			"members": {"message": {"shape": "Word"}}}
	}}`
	const want = modelHeader + `service 2015-03-31

operation Poke POST /x/{Name}?List=ALL 202 PokeRequest -
  error Oops

blob Blob sensitive

string Mode
  enum On
  enum Off

error Oops 502 fault
  message Word

structure PokeRequest
  Zeta Word required
  Alpha Words query=alpha
  Name Word uri
  Body Blob payload

double Weight min=0.0 max=1.0

map Weights Word Weight

string Word min=1 max=3
  pattern a b

list Words Word max=2
`
	model, err := ImportBotocore(strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := WriteModel(&got, model); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestImportRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"another protocol":    `{"metadata": {"protocol": "query"}}`,
		"a missing shape":     `{"metadata": {"protocol": "rest-json"}, "shapes": {"L": {"type": "list", "member": {"shape": "M"}}}}`,
		"an unknown location": `{"metadata": {"protocol": "rest-json"}, "shapes": {"S": {"type": "structure", "members": {"A": {"shape": "S", "location": "trailer"}}}}}`,
		"a renamed member":    `{"metadata": {"protocol": "rest-json"}, "shapes": {"S": {"type": "structure", "members": {"A": {"shape": "S", "locationName": "b"}}}}}`,
		"broken JSON":         `{`,
	} {
		if _, err := ImportBotocore(strings.NewReader(in)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestReadModelRefuses(t *testing.T) {
	for _, in := range []string{
		"operation X",
		"gadget X",
		"structure",
		"list L",
		"string S colour=red",
		"  pattern x",
		"structure S\n  A String trailer",
		"string S\nstring S",
		"string S\n  surprise",
		"structure S\n  A Missing",
	} {
		if _, err := ReadModel(strings.NewReader(in)); err == nil {
			t.Errorf("%q is accepted", in)
		}
	}
}

func TestConstSuffix(t *testing.T) {
	for in, want := range map[string]string{
		"RESPONSE_STREAM": "ResponseStream", "PassThrough": "PassThrough", "x86_64": "X8664", "None": "None",
		"provided.al2023": "ProvidedAl2023", "ALL": "All", "FunctionError.InitTimeout": "FunctionErrorInitTimeout",
	} {
		if got := constSuffix(in); got != want {
			t.Errorf("constSuffix(%q) = %q, want %q", in, got, want)
		}
	}
}
