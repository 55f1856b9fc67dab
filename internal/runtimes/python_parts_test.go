package runtimes

import (
	"fmt"
	"strings"
	"testing"
)

// The accelerator must not be told from json by what comes out of it.
func TestPythonFastJSON(t *testing.T) {
	t.Parallel()
	const code = `
import json, math
from _lamb import fastjson

def outcome(f, x):
    try:
        return repr(f(x))
    except Exception as e:
        return type(e).__name__ + ": " + str(e)

class Text(str): pass
class Number(int): pass

circle = []
circle.append(circle)
deep = []
for _ in range(100000):
    deep = [deep]

texts = ["1", " 1 ", "\t[1,\n2]\r\n", "", " ", "x", "{", "[1,]", "1 2", "nul", "\"\\ud83d\\ude00 \\ud800\"", "\"a\nb\"",
    "NaN", "[-Infinity, Infinity, 1e5, -0, 1.0, 123456789012345678901234567890]", "{\"a\": {\"a\": 1}, \"a\": 2}", "\u00a01", "\ufeff1",
    "[" * 100000, "true", "false", "null", "\"\"", "0x1", "01", "-", "1.", "{1: 2}", "{\"a\" 1}", "\x0b1"]
values = [None, True, 1, 1.5, 1e100, math.nan, -math.inf, "", "\u00e9\U0001f600\ud800\u2028<>\x7f\x00", [], {}, (), (1, [2]), {"a": {"b": []}}, {1: 2, None: 3, True: 4, 1.5: 5},
    {(1,): 2}, {1, 2}, b"x", circle, deep, Text("t"), Number(7), [Text("t")], {Text("k"): Number(7)}, object, 10**30]

def f(e, c):
    bad = []
    for x in texts:
        if outcome(fastjson.loads, x) != outcome(json.loads, x):
            bad.append([x[:50], outcome(fastjson.loads, x), outcome(json.loads, x)])
    for ascii in (True, False):
        dumps = json.JSONEncoder(ensure_ascii=ascii, default=fastjson._default).encode
        fast = fastjson.dumper(ascii)
        if fast.__module__ != "_lamb.fastjson":
            bad.append("no accelerator")
        for x in values:
            if outcome(fast, x) != outcome(dumps, x):
                bad.append([ascii, outcome(fast, x)[:99], outcome(dumps, x)[:99]])
    return bad
`
	for _, rt := range pythons(t) {
		t.Run(rt.ID, func(t *testing.T) {
			res := program{files: map[string]string{"x.py": code}, handler: "x.f", events: []event{{"{}", nil}}}.run(t, rt)
			if got := res.only(t).body; got != "[]" {
				t.Errorf("differences: %s", got)
			}
		})
	}
}

// Layers come before the interpreter's own packages, the function before both;
// nothing is written beside the function's code.
func TestPythonSearchPath(t *testing.T) {
	t.Parallel()
	rt := newestPython(t)
	res := program{
		files: map[string]string{"x.py": `
import os, sys, onlylayer, both
def f(e, c):
    return [onlylayer.v, both.v, sys.path[0] == os.environ["LAMBDA_TASK_ROOT"], os.path.exists("__pycache__"), len(set(sys.path)) == len(sys.path), "bootstrap" in sys.modules, sys.argv[0].endswith("bootstrap.py")]
`, "both.py": "v = 'task'\n"},
		layers: map[string]string{
			"python/both.py": "v = 'layer'\n",
			fmt.Sprintf("python/lib/python3.%d/site-packages/onlylayer.py", rt.actual): "v = 'layer'\n",
		},
		handler: "x.f", events: []event{{"{}", nil}},
		env: []string{"LAMB_SDK_PATH=/nonexistent"},
	}.run(t, rt)
	if got := res.only(t).body; got != `["layer", "task", true, false, true, false, true]` {
		t.Error(got)
	}
}

// A wrapper puts options before the last argument; the program runs with them.
func TestPythonWrapperOptions(t *testing.T) {
	t.Parallel()
	wrapper := t.TempDir() + "/wrap"
	writeTree(t, "/", map[string]string{wrapper: "#!/bin/sh\ninterpreter=$1; shift\nexec \"$interpreter\" -X importtime -W error -P \"$@\"\n"})
	rt := newestPython(t)
	if rt.actual < 11 {
		t.Skip("-P came with Python 3.11")
	}
	res := program{files: map[string]string{"x.py": "import sys\ndef f(e, c): return sys.warnoptions\n"}, handler: "x.f", events: []event{{"{}", nil}}, wrapper: []string{wrapper}}.run(t, rt)
	if got := res.only(t).body; got != `["error"]` {
		t.Error(got)
	}
	// What the runtime imports before the function is part of every cold start.
	for _, heavy := range []string{"logging", "http", "socket", "email", "traceback", "json", "re", "enum", "_lamb.errors", "_lamb.logs"} {
		for line := range strings.SplitSeq(res.stderr, "\n") {
			if fields := strings.Split(line, "|"); len(fields) == 3 && strings.TrimSpace(fields[2]) == heavy {
				t.Errorf("%s was imported", heavy)
			}
		}
	}
}

// TestPythonSnapStart: hooks run around the wait for the restore, in AWS's
// order, and what fails in them is reported.
func TestPythonSnapStart(t *testing.T) {
	t.Parallel()
	const code = `
import snapshot_restore_py as s
seen = []
def note(what, fail=False):
    seen.append(what)
    if fail: raise KeyError(what)
@s.register_before_snapshot
def first(): note("b1")
s.register_before_snapshot(note, "b2", fail=%s)
s.register_after_restore(note, "a1")
s.register_after_restore(note, what="a2", fail=%s)
def f(event, context): return seen
`
	status := func(p post) int {
		if p.path == "restore/next" {
			return 200
		}
		return 202
	}
	for _, tt := range []struct {
		before, after string
		paths, body   string
		exit          int
	}{
		{"False", "False", "restore/next invocation/id-1/response", `["b2", "b1", "a1", "a2"]`, -1},
		{"True", "False", "init/error", "KeyError", 64},
		{"False", "True", "restore/next restore/error", "KeyError", 65},
	} {
		res := program{
			files: map[string]string{"x.py": fmt.Sprintf(code, tt.before, tt.after)}, handler: "x.f", status: status,
			env: []string{"AWS_LAMBDA_INITIALIZATION_TYPE=snap-start"}, events: []event{{body: "{}"}},
		}.run(t, newestPython(t))
		var paths []string
		for _, p := range res.posts {
			paths = append(paths, p.path)
		}
		if got := strings.Join(paths, " "); got != tt.paths || !strings.Contains(res.posts[len(res.posts)-1].body, tt.body) || res.exit != tt.exit {
			t.Errorf("%s, %s: %s, %+v, exit %d", tt.before, tt.after, got, res.posts, res.exit)
		}
	}
	// Without SnapStart the hooks can be registered all the same.
	res := program{files: map[string]string{"x.py": fmt.Sprintf(code, "True", "True")}, handler: "x.f", events: []event{{body: "{}"}}}.run(t, newestPython(t))
	if got := res.only(t); got.path != "invocation/id-1/response" || got.body != "[]" {
		t.Errorf("on demand: %+v", got)
	}
}
