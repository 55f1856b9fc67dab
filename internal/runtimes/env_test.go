package runtimes

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/sandbox"
)

func TestEnv(t *testing.T) {
	aws := sandbox.Paths{Task: "/var/task", Opt: "/opt", Runtime: "/var/runtime", Lang: "/var/lang", Tmp: "/tmp"}
	own := sandbox.Paths{Task: "/d/task", Runtime: "/d/rt", Lang: "/usr", Tmp: "/d/tmp"}
	layers := own
	layers.Opt = "/d/opt"
	for _, c := range []struct {
		name string
		rt   Runtime
		p    sandbox.Paths
		want []string
	}{
		{"python as on AWS", Runtime{Family: "python", Lang: "/usr", series: 12, actual: 12}, aws, []string{
			"LANG=en_US.UTF-8",
			"PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
			"LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
			"PYTHONPATH=/var/runtime",
			"LC_CTYPE=C.UTF-8",
		}},
		{"node as on AWS", Runtime{Family: "nodejs", Lang: "/usr", series: 20, actual: 20, sdkPaths: []string{"/usr/lib/node_modules", "/sdk"}}, aws, []string{
			"LANG=en_US.UTF-8",
			"PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
			"LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
			"NODE_PATH=/opt/nodejs/node20/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task:/var/lang/lib/node_modules:/sdk",
		}},
		{"provided as on AWS", Runtime{Family: "provided"}, sandbox.Paths{Task: "/var/task", Opt: "/opt", Runtime: "/var/runtime"}, []string{
			"LANG=en_US.UTF-8",
			"PATH=/usr/local/bin:/usr/bin/:/bin:/opt/bin",
			"LD_LIBRARY_PATH=/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
		}},
		{"python on the host's files", Runtime{Family: "python", Lang: "/usr", series: 11, actual: 11, sdkPaths: []string{"/sdk/python"}}, layers, []string{
			"LANG=en_US.UTF-8",
			"PATH=/usr/bin:/usr/local/bin:/usr/bin/:/bin:/d/opt/bin",
			"LD_LIBRARY_PATH=/d/task:/d/task/lib:/d/opt/lib",
			"PYTHONPATH=/d/rt",
			"LAMB_OPT_DIR=/d/opt",
			"LAMB_SDK_PATH=/sdk/python",
		}},
		{"node on the host's files, another version, no layers", Runtime{Family: "nodejs", Lang: "/usr", series: 18, actual: 20}, own, []string{
			"LANG=en_US.UTF-8",
			"PATH=/usr/bin:/usr/local/bin:/usr/bin/:/bin",
			"LD_LIBRARY_PATH=/d/task:/d/task/lib",
			"NODE_PATH=/d/rt/node_modules:/d/rt:/d/task",
		}},
		{"provided on the host's files", Runtime{Family: "provided"}, sandbox.Paths{Task: "/d/task"}, []string{
			"LANG=en_US.UTF-8",
			"PATH=/usr/local/bin:/usr/bin/:/bin",
			"LD_LIBRARY_PATH=/d/task:/d/task/lib",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, c.rt.Env(c.p)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestSDKPaths(t *testing.T) {
	tr := newTree(t, map[string]string{"node/bin/node": "20.1.0", "bin/python3.12": "3.12.1"}, func(o *Options) {
		o.Interpreters = map[string]string{"nodejs": "node/bin/node"}
	})
	writeTree(t, tr.home, map[string]string{
		".npmrc":                          "//registry/:_authToken=x\nprefix = ${HOME}/npm\n",
		"npm/lib/node_modules/a/index.js": "", "node/lib/node_modules/b/index.js": "",
		"sdk/python/boto3/__init__.py": "", "sdk/nodejs/node_modules/@aws-sdk/x.js": "",
	})
	check := func(r *Resolver, id string, want ...string) {
		t.Helper()
		rt, err := r.Resolve(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			want[i] = filepath.Join(tr.home, want[i])
		}
		got := rt.sdkPaths
		if len(got) > len(want) { // this host's own /usr/local/lib/node_modules
			got = got[:len(want)]
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", id, d)
		}
	}
	check(tr.resolver, "nodejs20.x", "npm/lib/node_modules", "node/lib/node_modules")
	check(tr.resolver, "python3.12")
	opts := tr.options
	opts.SDKDir = filepath.Join(tr.home, "sdk")
	check(New(opts), "nodejs20.x", "sdk/nodejs/node_modules")
	check(New(opts), "python3.12", "sdk/python")
}

// A virtual environment that is on PATH or configured brings its packages,
// though the interpreter is the one that it was made from.
func TestVirtualEnvironment(t *testing.T) {
	t.Parallel()
	base := newestPython(t)
	venv := filepath.Join(t.TempDir(), "env")
	if out, err := exec.Command(filepath.Join(base.Lang, base.Interpreter), "-m", "venv", "--without-pip", venv).CombinedOutput(); err != nil {
		t.Skipf("this Python cannot make virtual environments: %v %s", err, out)
	}
	writeTree(t, venv, map[string]string{fmt.Sprintf("lib/python3.%d/site-packages/lambvenvmodule.py", base.actual): "v = 'venv'\n"})
	opts := host(t).opts
	opts.Interpreters = map[string]string{"python": filepath.Join(venv, "bin/python")}
	rt, err := New(opts).Resolve(t.Context(), base.ID)
	if err != nil {
		t.Fatal(err)
	}
	if rt.Lang != base.Lang || rt.Interpreter != base.Interpreter {
		t.Errorf("%s %s, want %s %s", rt.Lang, rt.Interpreter, base.Lang, base.Interpreter)
	}
	res := program{files: map[string]string{"x.py": "import lambvenvmodule\ndef f(e, c): return lambvenvmodule.v\n"}, handler: "x.f", events: []event{{"1", nil}}}.run(t, rt)
	if got := res.only(t).body; got != `"venv"` {
		t.Error(got)
	}
}

// Functions import an SDK that lies in SDKDir and not in their code, after
// everything that they bring themselves.
func TestSDKIsImportable(t *testing.T) {
	t.Parallel()
	sdk := t.TempDir()
	writeTree(t, sdk, map[string]string{
		"python/lambtestsdk.py": "v = 'python sdk'\n",
		"python/json.py":        "raise Exception('the standard library comes first')\n",
		"nodejs/node_modules/@aws-sdk/client-test/package.json":   `{"type":"module","exports":"./index.js"}`,
		"nodejs/node_modules/@aws-sdk/client-test/index.js":       "export const v = 'node sdk';",
		"nodejs/node_modules/@aws-sdk/client-common/package.json": `{"main":"./index.js"}`,
		"nodejs/node_modules/@aws-sdk/client-common/index.js":     "exports.v = 'node sdk';",
	})
	opts := host(t).opts
	opts.SDKDir, opts.Dir = sdk, t.TempDir()
	r := New(opts)
	t.Run("python", func(t *testing.T) {
		rt, err := r.Resolve(t.Context(), newestPython(t).ID)
		if err != nil {
			t.Fatal(err)
		}
		res := program{files: map[string]string{"x.py": "import lambtestsdk, json\ndef f(e, c): return lambtestsdk.v\n"}, handler: "x.f", events: []event{{"1", nil}}}.run(t, rt)
		if got := res.only(t).body; got != `"python sdk"` {
			t.Error(got)
		}
	})
	for name, files := range map[string]map[string]string{
		"commonjs": {"x.js": "exports.f = async () => require('@aws-sdk/client-common').v;"},
		"module":   {"x.mjs": "import { v } from '@aws-sdk/client-test'; export const f = async () => v;"},
	} {
		t.Run(name, func(t *testing.T) {
			node(t, "nodejs20.x") // or skip
			rt, err := r.Resolve(t.Context(), "nodejs20.x")
			if err != nil {
				t.Fatal(err)
			}
			if name == "module" && rt.actual < 20 {
				t.Skip("module.register came with Node.js 20")
			}
			res := program{files: files, handler: "x.f", events: []event{{"1", nil}}}.run(t, rt)
			if got := res.only(t).body; got != `"node sdk"` {
				t.Error(got)
			}
		})
	}
}
