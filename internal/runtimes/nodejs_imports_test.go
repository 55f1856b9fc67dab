package runtimes

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// esmLayer has the package dep, which only an import with Lambda's own search
// finds: nothing but NODE_PATH leads there.
var esmLayer = map[string]string{
	"nodejs/node_modules/dep/package.json": `{"exports":{"./sub":{"import":"./esm.mjs"}}}`,
	"nodejs/node_modules/dep/esm.mjs":      "export const v = 'layer';",
}

// However an ES module comes to name a package of a layer, it is found.
func TestNodeFindsLayersFromESModules(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"import":                   {"x.mjs": "import{v}from'dep/sub'; export const f = async () => v;"},
		"import for its effects":   {"x.mjs": "import 'dep/sub'; export const f = async () => 'layer';"},
		"export from":              {"x.mjs": "import { v } from './y.mjs'; export const f = async () => v;", "y.mjs": `export * from "dep/sub";`},
		"comment before the name":  {"x.mjs": "import { v } from /* 'fs' */ 'dep/sub'; export const f = async () => v;"},
		"comment as a name":        {"x.mjs": "/* from 'fs */ import { v } from 'dep/sub'; export const f = async () => v;"},
		"escaped name":             {"x.mjs": `import { v } from 'd\x65p/sub'; export const f = async () => v;`},
		"name on two lines":        {"x.mjs": "import { v } from 'dep\\\n/sub'; export const f = async () => v;"},
		"later":                    {"x.mjs": "export const f = async () => (await import('dep/sub')).v;"},
		"later, computed":          {"x.mjs": "export const f = async () => (await import('dep' + '/sub')).v;"},
		"later, from a variable":   {"x.mjs": "const n = ['dep', 'sub'].join('/'); export const f = async () => (await import (n)).v;"},
		"later, from a template":   {"x.mjs": "export const f = async () => (await import(`dep/sub`)).v;"},
		"later, in eval":           {"x.mjs": "export const f = async () => (await eval('imp' + 'ort(\"dep/sub\")')).v;"},
		"later, two files away":    {"x.mjs": "export { f } from './lib/y.js';", "lib/y.js": "export { f } from '../z.mjs';", "z.mjs": "export const f = async () => (await import('dep/sub')).v;", "package.json": `{"type":"module"}`},
		"in a CommonJS file":       {"x.mjs": "import y from './y.cjs'; export const f = y.f;", "y.cjs": "exports.f = async () => (await import('dep/sub')).v;"},
		"below a CommonJS file":    {"x.mjs": "import y from './y.cjs'; export const f = y.f;", "y.cjs": "exports.f = require('./z.cjs').f;", "z.cjs": "exports.f = async () => (await import('dep/sub')).v;"},
		"below a made require":     {"x.mjs": "import { createRequire } from 'node:module'; export const f = createRequire(import.meta.url)('./y.cjs').f;", "y.cjs": "exports.f = async () => (await import('dep/sub')).v;"},
		"below the module loader":  {"x.mjs": "import Module from 'module'; export const f = Module._load(new URL('./y.cjs', import.meta.url).pathname).f;", "y.cjs": "exports.f = async () => (await import('dep/sub')).v;"},
		"in a script":              {"x.mjs": "import vm from 'vm'; export const f = async () => (await vm.runInThisContext('im' + 'port(\"dep/sub\")', { importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER })).v;"},
		"below the function's own": {"x.mjs": "import { v } from 'own'; export const f = async () => v;", "node_modules/own/package.json": `{"type":"module","exports":"./i.js"}`, "node_modules/own/i.js": "export { v } from 'dep/sub';"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rt := node(t, "nodejs20.x")
			if rt.actual < 20 {
				t.Skip("needs Node.js 20")
			}
			nodeCase{files: files, layers: esmLayer, env: []string{"NODE_NO_WARNINGS=1"}, body: `"layer"`}.check(t, rt)
		})
	}
}

// The thread that finds them costs more than all else of a start, so code for
// which it can do nothing gets none.
func TestNodeStartsNoThreadInVain(t *testing.T) {
	const threads = "export const f = async () => process.moduleLoadList.includes('NativeModule internal/worker');\n"
	for name, c := range map[string]struct {
		code   string
		layers map[string]string
		thread bool
	}{
		"nothing imported":       {"", esmLayer, false},
		"built-in modules":       {"import fs from 'fs'; import * as p from \"node:path\"; import 'node:fs/promises';\n", esmLayer, false},
		"built-in module, later": {"export const g = () => import( 'node:http' );\n", esmLayer, false},
		"the function's own":     {"import { a } from './lib/y.mjs'; import z from './z.cjs';\nconst here = import.meta.url;", esmLayer, false},
		"words that look alike":  {"const a = Array.from('dep'), b = Buffer.from (\"dep\"); // from what was important\n", esmLayer, false},
		"package, no layer":      {"export const g = () => import('dep');\n", nil, false},
		"package, only npm":      {"export const g = () => import('dep');\n", map[string]string{"nodejs/node_modules/npm/index.js": "", "nodejs/node_modules/.package-lock.json": "{}"}, false},
		"package":                {"export const g = () => import('dep');\n", esmLayer, true},
		"file that is not there": {"export const g = () => import('./lib/none.mjs');\n", esmLayer, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rt := node(t, "nodejs20.x")
			if rt.actual < 20 {
				t.Skip("needs Node.js 20")
			}
			res := program{
				files: map[string]string{
					"x.mjs": c.code + threads, "z.cjs": "exports.z = 1;",
					"lib/y.mjs": "export { b as a } from '../w.mjs';", "w.mjs": "import os from 'os'; import { a } from './lib/y.mjs'; export const b = os.EOL;",
				},
				layers: c.layers, handler: "x.f", events: []event{{"{}", nil}},
			}.run(t, rt)
			want := "false"
			if c.thread && rt.actual < 22 { // later ones need no thread at all
				want = "true"
			}
			if d := cmp.Diff(want, res.only(t).body); d != "" {
				t.Errorf("body (-want +got):\n%s\nstdout %q", d, res.stdout)
			}
		})
	}
}
