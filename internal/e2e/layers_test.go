package e2e

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// publishLayer publishes a version of a layer and returns its ARN.
func (l *lamb) publishLayer(t testing.TB, name string, zip []byte, options ...func(*lambda.Options)) string {
	t.Helper()
	out, err := l.client(options...).PublishLayerVersion(t.Context(), &lambda.PublishLayerVersionInput{
		LayerName: &name, Content: &types.LayerVersionContentInput{ZipFile: zip},
	})
	if err != nil {
		t.Fatalf("publish layer %s: %v", name, err)
	}
	if got := download(t, aws.ToString(out.Content.Location)); sum(got) != sum(zip) {
		t.Errorf("layer %s comes back as %d other bytes", name, len(got))
	}
	return aws.ToString(out.LayerVersionArn)
}

// useLayers replaces a function's layers.
func (l *lamb) useLayers(t testing.TB, name string, arns ...string) {
	t.Helper()
	c := l.client()
	_, err := c.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{
		FunctionName: &name, Layers: append([]string{}, arns...),
	})
	if err != nil {
		t.Fatalf("layers of %s: %v", name, err)
	}
	waitUpdated(t, c, name)
}

func (l *lamb) deleteLayer(t testing.TB, name string, number int64) {
	t.Helper()
	_, err := l.client().DeleteLayerVersion(t.Context(), &lambda.DeleteLayerVersionInput{LayerName: &name, VersionNumber: &number})
	if err != nil {
		t.Fatal(err)
	}
}

// layerFunction says what it has from its layers: what it imports, and what a
// program of theirs prints. Layer two is made to lie over layer one.
type layerFunction struct {
	program, runtime, handler string
	code, one, two            []file
}

var layerFunctions = []layerFunction{
	{"python3", "python3.12", "app.handler", []file{{"app.py", 0o644, `
import os, subprocess
import greet, deep

def handler(event, context):
    try:
        open(os.path.join(os.path.dirname(greet.__file__), "new"), "w")
        written = True
    except OSError:
        written = False
    return {"who": greet.who, "deep": deep.value, "tool": subprocess.check_output(["tool"], text=True), "written": written}
`}}, []file{
		{"python/greet.py", 0o644, "who = 'one'\n"},
		{"python/lib/python3.12/site-packages/deep.py", 0o644, "value = 'deep'\n"},
		{"bin/tool", 0o755, "#!/bin/sh\nprintf one\n"},
	}, []file{{"python/greet.py", 0o644, "who = 'two'\n"}}},
	{"node", "nodejs20.x", "app.handler", []file{{"app.js", 0o644, `
const { execFileSync } = require("node:child_process"), fs = require("node:fs"), path = require("node:path");
const greet = require("greet"), deep = require("deep");
exports.handler = async () => {
  let written = true;
  try { fs.writeFileSync(path.join(path.dirname(require.resolve("greet")), "new"), ""); } catch { written = false; }
  return { who: greet.who, deep: deep.value, tool: execFileSync("tool", { encoding: "utf8" }), written };
};
`}}, []file{
		{"nodejs/node_modules/greet/index.js", 0o644, "exports.who = 'one';\n"},
		{"nodejs/node20/node_modules/deep.js", 0o644, "exports.value = 'deep';\n"},
		{"bin/tool", 0o755, "#!/bin/sh\nprintf one\n"},
	}, []file{{"nodejs/node_modules/greet/index.js", 0o644, "exports.who = 'two';\n"}}},
	{"curl", "provided.al2023", "h", []file{{"deep", 0o644, "deep"}}, []file{
		{"bootstrap", 0o755, `#!/bin/sh
set -eu
opt="$(dirname "$0")"
base="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
headers="$(mktemp)"
written=true
(: >"$opt/new") 2>/dev/null || written=false
while :; do
	curl -sS -o /dev/null -D "$headers" "$base/invocation/next"
	id="$(tr -d '\r' <"$headers" | sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: *//p')"
	curl -sS -o /dev/null "$base/invocation/$id/response" --data \
		"{\"who\":\"$(cat "$opt/who")\",\"deep\":\"$(cat deep)\",\"tool\":\"$(tool)\",\"written\":$written}"
done
`},
		{"who", 0o644, "one"}, {"bin/tool", 0o755, "#!/bin/sh\nprintf one\n"},
	}, []file{{"who", 0o644, "two"}}},
}

// TestLayers goes through the life of layers, with lamb killed and started
// anew in the middle.
func TestLayers(t *testing.T) {
	t.Parallel()
	data := folder(t)
	l := startLamb(t, "--data-dir", data)
	for _, f := range layerFunctions {
		t.Run(f.program, func(t *testing.T) { f.begin(t, l) })
	}
	if t.Failed() {
		return
	}
	l.kill()
	l = startLamb(t, "--data-dir", data) // what is not needed any more is collected here
	for _, f := range layerFunctions {
		t.Run(f.program+" after a restart", func(t *testing.T) { f.goOn(t, l) })
	}
}

// begin makes the function, gives it layers in turns, and deletes a layer.
func (f layerFunction) begin(t *testing.T, l *lamb) {
	needInside(t, f.program)
	name := f.program
	one := l.publishLayer(t, name+"-one", zipOf(t, f.one...))
	two := l.publishLayer(t, name+"-two", zipOf(t, f.two...), inAccount("111122223333"))
	l.create(t, fn{name: name, runtime: f.runtime, handler: f.handler, code: zipOf(t, f.code...), layers: []string{one}})
	f.says(t, l, "$LATEST", "one")
	l.useLayers(t, name, one, two)
	f.says(t, l, "$LATEST", "two")
	if _, err := l.client().PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: &name}); err != nil {
		t.Fatal(err)
	}
	l.useLayers(t, name, two, one)
	f.says(t, l, "$LATEST", "one")
	l.deleteLayer(t, name+"-one", 1)
	f.says(t, l, "$LATEST", "one")
}

// goOn looks at the function after a restart of lamb, and takes its layers away.
func (f layerFunction) goOn(t *testing.T, l *lamb) {
	needInside(t, f.program)
	name := f.program
	if got := f.says(t, l, "$LATEST", "one"); got.Written && l.isolated() {
		t.Error("a function could write into its layers")
	}
	f.says(t, l, "1", "two")
	if again := l.publishLayer(t, name+"-one", zipOf(t, f.two...)); !strings.HasSuffix(again, "-one:2") {
		t.Errorf("published after the deletion: %s", again)
	}
	l.useLayers(t, name)
	if gone := l.invoke(t, name, `{}`).failed(t); !strings.HasPrefix(gone.Type, "Runtime.") {
		t.Errorf("without its layers it says %+v", gone)
	}
	f.says(t, l, "1", "two")
}

// layerAnswer is what the functions answer.
type layerAnswer struct {
	Who, Deep, Tool string
	Written         bool // a file could be made beside what was imported
}

// says invokes a version and checks whose modules it has.
func (f layerFunction) says(t *testing.T, l *lamb, version, who string) (got layerAnswer) {
	t.Helper()
	l.invoke(t, f.program, `{}`, func(in *lambda.InvokeInput) { in.Qualifier = &version }).into(t, &got)
	if got.Who != who || got.Deep != "deep" || got.Tool != "one" {
		t.Errorf("version %s has %+v, want who %q", version, got, who)
	}
	return got
}

// inAccount makes a client that acts in another account.
func inAccount(account string) func(*lambda.Options) {
	return func(o *lambda.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(account, "the-caller's-secret-key", "")
	}
}
