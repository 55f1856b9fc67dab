package runtimes

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// node returns a Node.js runtime of this machine, whatever its version.
func node(t *testing.T, id string) *Runtime {
	t.Helper()
	rt, err := host(t).Resolve(t.Context(), id)
	if errors.Is(err, ErrNotInstalled) {
		t.Skip("no Node.js on this machine: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

// nodeCase is one function, invoked once.
type nodeCase struct {
	name    string
	code    string // x.js
	files   map[string]string
	layers  map[string]string
	handler string // "x.f" if empty
	env     []string
	event   string // "{}" if empty
	headers map[string]string
	runtime string // "nodejs20.x" if empty
	oldest  int    // first interpreter that can do this

	path   string // "response" or "error" of id-1 by default; a full path with a slash
	body   string // exact, or
	error  string // the error's message, with etype as its errorType
	etype  string
	stdout string // exact, or
	log    string // the beginning of stdout, up to the stack
	exit   int
}

var nodeCases = []nodeCase{
	{name: "async", code: "exports.f = async (event) => event;", event: `{"a":[1,2.5,null],"é":"\u00fc"}`, body: `{"a":[1,2.5,null],"é":"ü"}`},
	{name: "undefined", code: "exports.f = async () => {};", body: "null"},
	{name: "callback", code: "exports.f = (e, c, cb) => { setTimeout(() => cb(null, 'late'), 5); };", body: `"late"`},
	{name: "callback waits for the event loop", code: "exports.f = (e, c, cb) => { const o = {n: 1}; setTimeout(() => { o.n = 2; }, 30); cb(null, o); };", body: `{"n":2}`},
	{name: "callback does not wait", code: "exports.f = (e, c, cb) => { c.callbackWaitsForEmptyEventLoop = false; const o = {n: 1}; setTimeout(() => { o.n = 2; }, 3000); cb(null, o); };", body: `{"n":1}`},
	{name: "callback never called", code: "exports.f = (e, c, cb) => {};", body: "null"},
	{name: "plain return value is not an answer before 24", code: "exports.f = () => 'x';", body: "null"},
	{name: "promise never settled", code: "exports.f = () => new Promise(() => {});", body: "null"},
	{name: "succeed", code: "exports.f = (e, c) => { c.succeed('s'); setTimeout(() => {}, 3000); };", body: `"s"`},
	{name: "done", code: "exports.f = (e, c) => c.done(null, 'd');", body: `"d"`},
	{name: "fail", code: "exports.f = (e, c) => c.fail('why');", path: "error", etype: "string", body: `{"errorType":"string","errorMessage":"why","trace":[]}`,
		stdout: "<ts>\tid-1\tERROR\tInvoke Error \t{\"errorType\":\"string\",\"errorMessage\":\"why\",\"stack\":[]}\n"},
	{name: "callback error", code: "exports.f = (e, c, cb) => cb(new TypeError('t'));", path: "error", etype: "TypeError", error: "t",
		log: "<ts>\tid-1\tERROR\tInvoke Error \t{\"errorType\":\"TypeError\",\"errorMessage\":\"t\",\"stack\":[\"TypeError: t\",\"    at exports.f (/var/task/x.js:1:30)\""},
	{name: "async error", code: "exports.f = async () => { const e = new Error('boom\\nbang'); e.code = 'E1'; throw e; };", path: "error", etype: "Error", error: "boom\nbang",
		log: "<ts>\tid-1\tERROR\tInvoke Error \t{\"errorType\":\"Error\",\"errorMessage\":\"boom\\nbang\",\"code\":\"E1\",\"stack\":[\"Error: boom\",\"bang\","},
	{name: "thrown at once", code: "exports.f = () => { throw new RangeError('r'); };", path: "error", etype: "RangeError", error: "r",
		log: "<ts>\tid-1\tERROR\tInvoke Error \t{\"errorType\":\"RangeError\""},
	{name: "error in JSON", code: "exports.f = async () => { throw new Error('boom'); };", env: []string{"AWS_LAMBDA_LOG_FORMAT=JSON"}, path: "error", etype: "Error", error: "boom",
		log: `{"timestamp":"<ts>","level":"ERROR","requestId":"id-1","message":{"errorType":"Error","errorMessage":"boom","stackTrace":["Error: boom",`},
	{name: "cannot be marshalled", code: "exports.f = async () => { const a = {}; a.a = a; return a; };", path: "error", etype: "Error", error: "Unable to stringify response body",
		log: "<ts>\tid-1\tERROR\tInvoke Error \t{\"errorType\":\"Error\",\"errorMessage\":\"Unable to stringify response body\""},
	{name: "uncaught exception", code: "exports.f = (e, c, cb) => { setTimeout(() => { throw new Error('later'); }, 1); };", path: "error", etype: "Error", error: "later", exit: 129,
		log: "<ts>\tid-1\tERROR\tUncaught Exception \t{\"errorType\":\"Error\",\"errorMessage\":\"later\""},
	{name: "unhandled rejection", code: "exports.f = () => { Promise.reject(new Error('lost')); return new Promise((r) => setTimeout(r, 1000)); };",
		path: "error", etype: "Runtime.UnhandledPromiseRejection", error: "Error: lost", exit: 128,
		log: "<ts>\tid-1\tERROR\tUnhandled Promise Rejection \t{\"errorType\":\"Runtime.UnhandledPromiseRejection\",\"errorMessage\":\"Error: lost\",\"reason\":{\"errorType\":\"Error\",\"errorMessage\":\"lost\",\"stack\":[\"Error: lost\","},
	{name: "unhandled rejection after the answer", code: "exports.f = async () => { Promise.reject(new Error('lost')); return 'ok'; };", body: `"ok"`, exit: 128,
		log: "<ts>\tid-1\tERROR\tUnhandled Promise Rejection \t{"},
	{name: "exit", code: "exports.f = async () => { console.log('bye'); process.exit(5); };", path: "-", exit: 5, stdout: "<ts>\tid-1\tINFO\tbye\n"},

	{name: "console", code: `
exports.f = async () => {
  console.log('a %s', 'b', {c: 1}); console.info('two\nlines'); console.warn('w'); console.error('e'); console.debug('d');
  console.trace('t'); process.stdout.write('raw');
};`, body: "null", stdout: "<ts>\tid-1\tINFO\ta b { c: 1 }\n<ts>\tid-1\tINFO\ttwo\rlines\n<ts>\tid-1\tWARN\tw\n<ts>\tid-1\tERROR\te\n<ts>\tid-1\tDEBUG\td\n<ts>\tid-1\tTRACE\tt\nraw"},
	{name: "console while loading", code: "console.log('cold'); exports.f = async () => {};", body: "null", stdout: "<ts>\tundefined\tINFO\tcold\n"},
	{name: "console in JSON", code: `
exports.f = async () => {
  console.debug('no'); console.log('a', 1); console.info({k: 1}); console.error('bad', Object.assign(new Error('boom'), {stack: 'Error: boom\n    at x'}));
};`, env: []string{"AWS_LAMBDA_LOG_FORMAT=JSON", "AWS_LAMBDA_LOG_LEVEL=INFO"}, headers: map[string]string{"Lambda-Runtime-Aws-Tenant-Id": "t1"}, body: "null",
		stdout: `{"timestamp":"<ts>","level":"INFO","requestId":"id-1","tenantId":"t1","message":"a 1"}` + "\n" +
			`{"timestamp":"<ts>","level":"INFO","requestId":"id-1","tenantId":"t1","message":{"k":1}}` + "\n" +
			`{"timestamp":"<ts>","level":"ERROR","requestId":"id-1","tenantId":"t1","message":"bad Error: boom\n    at x","errorType":"Error","errorMessage":"boom","stackTrace":["Error: boom","    at x"]}` + "\n"},
	{name: "circular value in JSON", code: "exports.f = async () => { const o = {}; o.o = o; console.warn(o); };", env: []string{"AWS_LAMBDA_LOG_FORMAT=JSON"}, oldest: 14, body: "null",
		stdout: `{"timestamp":"<ts>","level":"WARN","requestId":"id-1","message":"<ref *1> { o: [Circular *1] }"}` + "\n"},
	{name: "context", code: `
exports.f = async (e, c) => {
  const left = c.getRemainingTimeInMillis();
  return [c.functionName, c.functionVersion, c.invokedFunctionArn, c.memoryLimitInMB, c.awsRequestId, c.logGroupName, c.logStreamName,
    c.identity, c.clientContext, c.tenantId, left > 30000 && left <= 60000, process.cwd() === process.env.LAMBDA_TASK_ROOT];
};`, body: `["f","$LATEST","arn:aws:lambda:us-east-1:000000000000:function:f","128","id-1","/aws/lambda/f","stream",null,null,null,true,true]`},
	{name: "context of a mobile client", code: "exports.f = async (e, c) => [c.clientContext, c.identity, c.tenantId, process.env._X_AMZN_TRACE_ID];", headers: map[string]string{
		"Lambda-Runtime-Client-Context":   `{"custom":{"a":"b"}}`,
		"Lambda-Runtime-Cognito-Identity": `{"cognitoIdentityId":"ci"}`,
		"Lambda-Runtime-Aws-Tenant-Id":    "t1",
		"Lambda-Runtime-Trace-Id":         "Root=1",
	}, body: `[{"custom":{"a":"b"}},{"cognitoIdentityId":"ci"},"t1","Root=1"]`},

	{name: "folder and nested export", files: map[string]string{"src/m.js": "exports.a = { b: async () => 'nested' };"}, handler: "src/m.a.b", body: `"nested"`},
	{name: "mjs with top-level await", files: map[string]string{"x.mjs": "const v = await Promise.resolve('esm'); export const f = async () => v;"}, body: `"esm"`, oldest: 14},
	{name: "js of a module package", files: map[string]string{"x.js": "import fs from 'fs'; export const f = async () => typeof fs.readFileSync;", "package.json": `{"type":"module"}`}, body: `"function"`},
	{name: "cjs", files: map[string]string{"x.cjs": "exports.f = async () => 'cjs';", "package.json": `{"type":"module"}`}, body: `"cjs"`},
	{name: "js before mjs", files: map[string]string{"x.js": "exports.f = async () => 'js';", "x.mjs": "export const f = async () => 'mjs';"}, body: `"js"`},
	{name: "folder with an index", files: map[string]string{"node_modules/x/index.js": "exports.f = async () => 'index';"}, body: `"index"`},
	{name: "layer from CommonJS", code: "exports.f = async () => require('dep').v;", layers: map[string]string{"nodejs/node_modules/dep/index.js": "exports.v = 'layer';"}, body: `"layer"`},
	{name: "layer of the version", code: "exports.f = async () => require('dep').v;", layers: map[string]string{"nodejs/node20/node_modules/dep/index.js": "exports.v = 20;", "nodejs/node_modules/dep/index.js": "exports.v = 0;"}, body: `20`},
	{name: "layer from an ES module", files: map[string]string{"x.mjs": "import { v } from 'dep/sub'; export const f = async () => v;"},
		layers: map[string]string{"nodejs/node_modules/dep/package.json": `{"exports":{"./sub":{"import":"./esm.mjs"}}}`, "nodejs/node_modules/dep/esm.mjs": "export const v = 'esm layer';"}, body: `"esm layer"`, oldest: 20},

	{name: "no module", handler: "nope.f", path: "init/error", etype: "Runtime.ImportModuleError", error: "Error: Cannot find module 'nope'\nRequire stack:\n- *", exit: 129,
		log: "<ts>\tundefined\tERROR\tUncaught Exception \t{\"errorType\":\"Runtime.ImportModuleError\",\"errorMessage\":\"Error: Cannot find module 'nope'\\nRequire stack:\\n- "},
	{name: "no module inside", code: "require('missing');", path: "init/error", etype: "Runtime.ImportModuleError", error: "Error: Cannot find module 'missing'\nRequire stack:\n- /var/task/x.js*", exit: 129,
		log: "<ts>\tundefined\tERROR\tUncaught Exception \t{"},
	{name: "no package inside an ES module", files: map[string]string{"x.mjs": "import 'missing';"}, path: "init/error", etype: "Runtime.ImportModuleError", error: "Error*: Cannot find package 'missing' imported from /var/task/x.mjs", exit: 129,
		log: "<ts>\tundefined\tERROR\tUncaught Exception \t{"},
	{name: "no export", code: "exports.g = 1;", path: "init/error", etype: "Runtime.HandlerNotFound", error: "x.f is undefined or not exported", exit: 129,
		log: "<ts>\tundefined\tERROR\tUncaught Exception \t{\"errorType\":\"Runtime.HandlerNotFound\",\"errorMessage\":\"x.f is undefined or not exported\",\"stack\":[\"Runtime.HandlerNotFound: x.f is undefined or not exported\","},
	{name: "not a function", code: "exports.f = 1;", path: "init/error", etype: "Runtime.HandlerNotFound", error: "x.f is not a function", exit: 129, log: "<ts>\tundefined\tERROR\tUncaught Exception \t{"},
	{name: "malformed handler", handler: "x", path: "init/error", etype: "Runtime.MalformedHandlerName", error: "Bad handler", exit: 129, log: "<ts>\tundefined\tERROR\tUncaught Exception \t{"},
	{name: "handler that leaves its folder", handler: "../x.f", path: "init/error", etype: "Runtime.MalformedHandlerName", error: "'../x.f' is not a valid handler name. *", exit: 129, log: "<ts>\tundefined\tERROR\tUncaught Exception \t{"},
	{name: "syntax error", code: "exports.f = async () => {", path: "init/error", etype: "Runtime.UserCodeSyntaxError", error: "SyntaxError: Unexpected end of input", exit: 129,
		log: "<ts>\tundefined\tERROR\tUncaught Exception \t{\"errorType\":\"Runtime.UserCodeSyntaxError\",\"errorMessage\":\"SyntaxError: Unexpected end of input\",\"stack\":[\"Runtime.UserCodeSyntaxError: SyntaxError: Unexpected end of input\",\"/var/task/x.js:1\""},
	{name: "error while loading", code: "null.x;", path: "init/error", etype: "TypeError", error: "Cannot read propert*", exit: 129, log: "<ts>\tundefined\tERROR\tUncaught Exception \t{"},
	{name: "top-level await that never ends", files: map[string]string{"x.mjs": "await new Promise(() => {}); export const f = 1;"}, path: "init/error", etype: "Runtime.NodeJsExit", error: "The Lambda runtime client detected*", exit: 129, oldest: 14, log: "<ts>\tundefined\tERROR\tInit Error \t{"},

	{name: "24 refuses callbacks", runtime: "nodejs24.x", code: "exports.f = (e, c, cb) => cb();", path: "init/error", etype: "Runtime.CallbackHandlerDeprecated", error: "ERROR: AWS Lambda has removed support for callback-based*", exit: 129,
		log: "<ts>\tundefined\tERROR\tInit Error \t{"},
	{name: "24 takes a plain return value", runtime: "nodejs24.x", code: "exports.f = (e, c) => [typeof c.done, 'x'];", body: `["undefined","x"]`},
	{name: "24 and a promise never settled", runtime: "nodejs24.x", code: "exports.f = () => new Promise(() => {});", path: "error", etype: "Runtime.NodeJsExit", error: "The Lambda runtime client detected*",
		log: "<ts>\tid-1\tERROR\tInvoke Error \t{"},
}

func TestNode(t *testing.T) {
	for _, c := range nodeCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.runtime == "" {
				c.runtime = "nodejs20.x"
			}
			rt := node(t, c.runtime)
			if rt.actual < c.oldest {
				t.Skipf("needs Node.js %d", c.oldest)
			}
			c.check(t, rt)
		})
	}
}

func (c nodeCase) check(t *testing.T, rt *Runtime) {
	p := program{files: c.files, layers: c.layers, handler: c.handler, env: c.env}
	if c.code != "" {
		p.files = map[string]string{"x.js": c.code}
	}
	if p.handler == "" {
		p.handler = "x.f"
	}
	if c.event == "" {
		c.event = "{}"
	}
	p.events = []event{{c.event, c.headers}}
	res := p.run(t, rt)
	if c.path == "-" {
		if len(res.posts) != 0 {
			t.Errorf("posts %+v", res.posts)
		}
	} else {
		c.checkPost(t, res.only(t))
	}
	if c.log != "" {
		if !strings.HasPrefix(res.stdout, c.log) || strings.Count(res.stdout, "\n") != 1 || !strings.HasSuffix(res.stdout, "}\n") {
			t.Errorf("stdout %q, want one line that begins %q", res.stdout, c.log)
		}
	} else if d := cmp.Diff(c.stdout, res.stdout); d != "" {
		t.Errorf("stdout (-want +got):\n%s", d)
	}
	if c.exit == 0 {
		c.exit = -1 // it waited for the next event
	}
	if wantTrace := strings.Contains(c.code, "console.trace"); res.exit != c.exit || (res.stderr != "" && !wantTrace) {
		t.Errorf("exit %d, want %d; stderr %q", res.exit, c.exit, res.stderr)
	}
}

func (c nodeCase) checkPost(t *testing.T, got post) {
	path := c.path
	if path == "" {
		path = "response"
	}
	if !strings.Contains(path, "/") {
		path = "invocation/id-1/" + path
	}
	if got.path != path || got.errorType() != c.etype || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("posted to %s with %v, want %s with error type %q", got.path, got.header, path, c.etype)
	}
	if c.error == "" {
		if d := cmp.Diff(c.body, got.body); d != "" {
			t.Errorf("body (-want +got):\n%s", d)
		}
		return
	}
	var doc struct {
		ErrorType    string   `json:"errorType"`
		ErrorMessage string   `json:"errorMessage"`
		Trace        []string `json:"trace"`
	}
	if err := json.Unmarshal([]byte(got.body), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got.body, `{"errorType":`) || doc.ErrorType != c.etype || !matches(c.error, doc.ErrorMessage) {
		t.Errorf("body %s, want type %q message %q", got.body, c.etype, c.error)
	}
	if len(doc.Trace) < 2 || !strings.HasPrefix(doc.Trace[0], c.etype) {
		t.Errorf("trace %q", doc.Trace)
	}
}

// matches compares with a pattern in which one * stands for anything.
func matches(pattern, text string) bool {
	before, after, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == text
	}
	return strings.HasPrefix(text, before) && strings.HasSuffix(text, after)
}

func TestNodeGoesOnAfterErrors(t *testing.T) {
	t.Parallel()
	res := program{
		files: map[string]string{"x.js": `
let calls = 0;
exports.f = async (e) => {
  calls++;
  if (e === 'big') return 'x'.repeat(7000000);
  if (e === 'raise') throw new Error(String(calls));
  return [calls, e, process.env._X_AMZN_TRACE_ID];
};`},
		handler: "x.f",
		events: []event{
			{`"a"`, map[string]string{"Lambda-Runtime-Trace-Id": "Root=1"}},
			{`"raise"`, nil},
			{`"big"`, nil},
			{`"` + strings.Repeat("y", 3<<20) + `"`, nil},
			{`{`, nil},
			{`"b"`, nil},
		},
		status: func(p post) int {
			if len(p.body) > 6291556 {
				return 413
			}
			return 202
		},
	}.run(t, node(t, "nodejs20.x"))
	if len(res.posts) != 6 || res.exit != -1 {
		t.Fatalf("%d posts, exit %d, stderr %q", len(res.posts), res.exit, res.stderr)
	}
	if res.posts[0].body != `[1,"a","Root=1"]` || res.posts[5].body != `[5,"b",null]` {
		t.Errorf("first %s, last %s", res.posts[0].body, res.posts[5].body)
	}
	if res.posts[1].path != "invocation/id-2/error" || len(res.posts[3].body) < 3<<20 || res.posts[4].errorType() != "SyntaxError" {
		t.Errorf("second to %s, fourth of %d bytes, fifth %s", res.posts[1].path, len(res.posts[3].body), res.posts[4].body)
	}
	if res.conns != 1 {
		t.Errorf("%d connections, want one kept alive", res.conns)
	}
	var cause struct {
		Exceptions []struct {
			Type, Message string
			Stack         []struct {
				Path string
				Line int
			}
		}
	}
	if err := json.Unmarshal([]byte(res.posts[1].header.Get("Lambda-Runtime-Function-XRay-Error-Cause")), &cause); err != nil {
		t.Fatal(err)
	}
	if e := cause.Exceptions; len(e) != 1 || e[0].Type != "Error" || e[0].Message != "2" || len(e[0].Stack) == 0 || e[0].Stack[0].Line != 6 {
		t.Errorf("cause %+v", cause)
	}
}

func TestNodeChunkedEvent(t *testing.T) {
	t.Parallel()
	res := program{files: map[string]string{"x.js": "exports.f = async (e) => e;"}, handler: "x.f", events: []event{{`"abc"`, nil}, {`[7]`, nil}}, chunked: true}.run(t, node(t, "nodejs20.x"))
	if len(res.posts) != 2 || res.posts[0].body != `"abc"` || res.posts[1].body != `[7]` {
		t.Errorf("posts %+v", res.posts)
	}
}

func TestNodeStopsWhenTheAPIFails(t *testing.T) {
	t.Parallel()
	res := program{
		files: map[string]string{"x.js": "exports.f = async (e) => e;"}, handler: "x.f", events: []event{{"1", nil}, {"2", nil}},
		status: func(post) int { return 500 },
	}.run(t, node(t, "nodejs20.x"))
	if len(res.posts) != 1 || res.exit != 1 {
		t.Errorf("%d posts, exit %d", len(res.posts), res.exit)
	}
}

// An ES module of a folder above must not change how the runtime's own files
// are read, and http is not loaded for a function that does not use it.
func TestNodeLoadsLittle(t *testing.T) {
	t.Parallel()
	res := program{
		files:   map[string]string{"x.js": "exports.f = async () => process.moduleLoadList.filter((m) => /^NativeModule (http|https|_http_client|tls)$/.test(m));"},
		handler: "x.f", events: []event{{"{}", nil}},
	}.run(t, node(t, "nodejs20.x"))
	if got := res.only(t).body; got != "[]" {
		t.Error("loaded: ", got)
	}
}
