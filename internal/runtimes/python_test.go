package runtimes

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pythons returns the exact Python runtimes of this machine, oldest first.
func pythons(t *testing.T) []*Runtime {
	t.Helper()
	r := host(t)
	var found []*Runtime
	for minor := 8; minor <= 15; minor++ {
		rt, err := r.Resolve(t.Context(), fmt.Sprintf("python3.%d", minor))
		if errors.Is(err, ErrNotInstalled) {
			t.Skip("no Python 3 on this machine: ", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if rt.Exact {
			found = append(found, rt)
		}
	}
	if len(found) == 0 {
		t.Skip("no Python from 3.8 to 3.15 on this machine")
	}
	return found
}

// pythonCase is one function, invoked once unless events say otherwise.
type pythonCase struct {
	name    string
	code    string            // x.py
	files   map[string]string // more files
	handler string            // "x.f" if empty
	env     []string
	event   string // "{}" if empty
	headers map[string]string

	path   string // "response" or "error" of id-1 by default; full path with a slash
	body   string
	etype  string
	stdout string
	exit   int
	minor  int // first version that has this behaviour
}

var pythonCases = []pythonCase{
	{name: "echo", code: "def f(event, context):\n    return event\n", event: `{"a": [1, 2.5, null, true], "é": "\u00fc"}`,
		minor: 12, body: `{"a": [1, 2.5, null, true], "é": "ü"}`},
	{name: "none", code: "def f(event, context): pass\n", body: "null"},
	{name: "decimal and nan", code: "import decimal\ndef f(e, c): return [decimal.Decimal('1.5'), float('nan')]\n", body: "[1.5, NaN]"},
	{name: "prints before the answer", code: "import sys\ndef f(e, c):\n    print('one', 2)\n    sys.stdout.write('no newline')\n    return 1\n",
		body: "1", stdout: "one 2\nno newline"},
	{name: "folder by slash", files: map[string]string{"dir/sub/m.py": "def f(e, c): return __name__\n"}, handler: "dir/sub/m.f", body: `"dir.sub.m"`},
	{name: "folder by dot", files: map[string]string{"dir/m.py": "def f(e, c): return __name__\n"}, handler: "dir.m.f", body: `"dir.m"`},
	{name: "working folder", code: "import os\ndef f(e, c): return [os.getcwd() == os.environ['LAMBDA_TASK_ROOT'], 'LAMB_OPT_DIR' in os.environ]\n", body: "[true, false]"},
	{name: "trace id", code: "import os\ndef f(e, c): return os.environ.get('_X_AMZN_TRACE_ID')\n",
		headers: map[string]string{"Lambda-Runtime-Trace-Id": "Root=1-5-6;Sampled=1"}, body: `"Root=1-5-6;Sampled=1"`},
	{name: "context", code: `
def f(e, c):
    left = c.get_remaining_time_in_millis()
    return [c.function_name, c.function_version, c.invoked_function_arn, c.memory_limit_in_mb, c.aws_request_id,
            c.log_group_name, c.log_stream_name, c.identity.cognito_identity_id, c.client_context, c.tenant_id,
            isinstance(left, int) and 30000 < left <= 60000]
`, body: `["f", "$LATEST", "arn:aws:lambda:us-east-1:000000000000:function:f", "128", "id-1", "/aws/lambda/f", "stream", null, null, null, true]`},
	{name: "context of a mobile client", code: `
def f(e, c):
    x = c.client_context
    return [x.custom, x.env, x.client.installation_id, x.client.app_title, c.identity.cognito_identity_id, c.identity.cognito_identity_pool_id, c.tenant_id]
`, headers: map[string]string{
		"Lambda-Runtime-Client-Context":   `{"custom":{"a":"b"},"env":{"locale":"de"},"client":{"installation_id":"i"}}`,
		"Lambda-Runtime-Cognito-Identity": `{"cognitoIdentityId":"ci","cognitoIdentityPoolId":"cp"}`,
		"Lambda-Runtime-Aws-Tenant-Id":    "t1",
	}, body: `[{"a": "b"}, {"locale": "de"}, "i", null, "ci", "cp", "t1"]`},
	{name: "logging", code: `
import logging
log = logging.getLogger()
log.setLevel("INFO")
def f(e, c):
    log.debug("no")
    log.info("a %s", "b")
    logging.getLogger("x").warning("two\nlines")
`, body: "null", stdout: "[INFO]\t<ts>\tid-1\ta b\n[WARNING]\t<ts>\tid-1\ttwo\rlines\n"},
	{name: "logging an exception", code: `
import logging
def f(e, c):
    try:
        1 / 0
    except Exception:
        logging.exception("bad")
`, minor: 8, body: "null", stdout: "[ERROR]\t<ts>\tid-1\tbad\rTraceback (most recent call last):\r" +
		"  File \"/var/task/x.py\", line 5, in f\r    1 / 0\r{carets}ZeroDivisionError: division by zero\n"},
	{name: "logging with a format of its own", code: `
import logging
logging.getLogger().handlers[0].setFormatter(logging.Formatter("%(levelname)s %(aws_request_id)s %(message)s"))
def f(e, c): logging.warning("w")
`, body: "null", stdout: "WARNING id-1 w\n"},
	{name: "logging in JSON", code: `
import logging
log = logging.getLogger("app")
def f(e, c):
    log.debug("no")
    log.info("hé", extra={"k": 1, "o": {2}})
    try:
        raise KeyError("x")
    except KeyError:
        log.exception("bad")
`, env: []string{"AWS_LAMBDA_LOG_FORMAT=JSON", "AWS_LAMBDA_LOG_LEVEL=INFO"}, body: "null",
		stdout: `{"timestamp": "<ts>", "level": "INFO", "message": "hé", "logger": "app", "requestId": "id-1", "k": 1, "o": "{2}"}` + "\n" +
			`{"timestamp": "<ts>", "level": "ERROR", "message": "bad", "logger": "app", "stackTrace": ["  File \"/var/task/x.py\", line 8, in f\n    raise KeyError(\"x\")\n"], ` +
			`"errorType": "KeyError", "errorMessage": "'x'", "location": "/var/task/x.py:f:10", "requestId": "id-1"}` + "\n"},
	{name: "error", code: "def g():\n    raise ValueError('bad\\nthing')\ndef f(e, c):\n    return g()\n",
		path: "error", etype: "ValueError",
		body:   `{"errorMessage": "bad\nthing", "errorType": "ValueError", "requestId": "id-1", "stackTrace": ["  File \"/var/task/x.py\", line 4, in f\n    return g()\n", "  File \"/var/task/x.py\", line 2, in g\n    raise ValueError('bad\\nthing')\n"]}`,
		stdout: "[ERROR] ValueError: bad\rthing\rTraceback (most recent call last):\r\u00a0\u00a0File \"/var/task/x.py\", line 4, in f\r\u00a0\u00a0\u00a0\u00a0return g()\r\u00a0\u00a0File \"/var/task/x.py\", line 2, in g\r\u00a0\u00a0\u00a0\u00a0raise ValueError('bad\\nthing')\n"},
	{name: "error in JSON", code: "class É(Exception): pass\ndef f(e, c):\n    raise É('x')\n", env: []string{"AWS_LAMBDA_LOG_FORMAT=JSON"},
		path: "error", etype: "É",
		body:   `{"errorMessage": "x", "errorType": "É", "requestId": "id-1", "stackTrace": ["  File \"/var/task/x.py\", line 3, in f\n    raise É('x')\n"]}`,
		stdout: `{"timestamp": "<ts>", "level": "ERROR", "errorMessage": "x", "errorType": "É", "requestId": "id-1", "stackTrace": ["  File \"/var/task/x.py\", line 3, in f\n    raise É('x')\n"]}` + "\n"},
	{name: "cannot be marshalled", code: "def f(e, c): return {1, 2}\n", path: "error", etype: "Runtime.MarshalError",
		body:   `{"errorMessage": "Unable to marshal response: Object of type set is not JSON serializable", "errorType": "Runtime.MarshalError", "requestId": "id-1", "stackTrace": []}`,
		stdout: "[ERROR] Runtime.MarshalError: Unable to marshal response: Object of type set is not JSON serializable\rTraceback (most recent call last):\n"},
	{name: "cannot be unmarshalled", code: "def f(e, c): return 1\n", event: "{", path: "error", etype: "Runtime.UnmarshalError",
		body:   `{"errorMessage": "Unable to unmarshal input: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)", "errorType": "Runtime.UnmarshalError", "requestId": "id-1", "stackTrace": []}`,
		stdout: "[ERROR] Runtime.UnmarshalError: Unable to unmarshal input: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)\rTraceback (most recent call last):\n"},
	{name: "no module", handler: "nope.f", path: "init/error", etype: "Runtime.ImportModuleError", exit: 1,
		body:   `{"errorMessage": "Unable to import module 'nope': No module named 'nope'", "errorType": "Runtime.ImportModuleError", "requestId": "", "stackTrace": []}`,
		stdout: "[ERROR] Runtime.ImportModuleError: Unable to import module 'nope': No module named 'nope'\rTraceback (most recent call last):\n"},
	{name: "no module inside", code: "import missing_thing\n", path: "init/error", etype: "Runtime.ImportModuleError", exit: 1,
		body:   `{"errorMessage": "Unable to import module 'x': No module named 'missing_thing'", "errorType": "Runtime.ImportModuleError", "requestId": "", "stackTrace": []}`,
		stdout: "[ERROR] Runtime.ImportModuleError: Unable to import module 'x': No module named 'missing_thing'\rTraceback (most recent call last):\n"},
	{name: "no function", code: "pass\n", handler: "x.nope", path: "init/error", etype: "Runtime.HandlerNotFound", exit: 1,
		body:   `{"errorMessage": "Handler 'nope' missing on module 'x'", "errorType": "Runtime.HandlerNotFound", "requestId": "", "stackTrace": []}`,
		stdout: "[ERROR] Runtime.HandlerNotFound: Handler 'nope' missing on module 'x'\rTraceback (most recent call last):\n"},
	{name: "malformed handler", handler: "x", path: "init/error", etype: "Runtime.MalformedHandlerName", exit: 1,
		body:   `{"errorMessage": "Bad handler 'x': not enough values to unpack (expected 2, got 1)", "errorType": "Runtime.MalformedHandlerName", "requestId": "", "stackTrace": []}`,
		stdout: "[ERROR] Runtime.MalformedHandlerName: Bad handler 'x': not enough values to unpack (expected 2, got 1)\rTraceback (most recent call last):\n"},
	{name: "syntax error", code: "def f(e, c):\n    return 1 +\n", path: "init/error", etype: "Runtime.UserCodeSyntaxError", exit: 1,
		body:   `{"errorMessage": "Syntax error in module 'x': invalid syntax (x.py, line 2)", "errorType": "Runtime.UserCodeSyntaxError", "requestId": "", "stackTrace": ["  File \"/var/task/x.py\" Line 2\n        return 1 +\n"]}`,
		stdout: "[ERROR] Runtime.UserCodeSyntaxError: Syntax error in module 'x': invalid syntax (x.py, line 2)\rTraceback (most recent call last):\r\u00a0\u00a0File \"/var/task/x.py\" Line 2\r" + strings.Repeat("\u00a0", 8) + "return 1 +\n"},
}

func (c pythonCase) program() program {
	files := map[string]string{}
	for k, v := range c.files {
		files[k] = v
	}
	if c.code != "" {
		files["x.py"] = c.code
	}
	p := program{files: files, handler: c.handler, env: c.env}
	if p.handler == "" {
		p.handler = "x.f"
	}
	body := c.event
	if body == "" {
		body = "{}"
	}
	p.events = []event{{body, c.headers}}
	return p
}

func TestPython(t *testing.T) {
	versions := pythons(t)
	for i, rt := range versions {
		full := i == 0 || i == len(versions)-1 // the others: the first case is enough
		for n, c := range pythonCases {
			if rt.actual < c.minor || (!full && n > 1) {
				continue
			}
			t.Run(rt.ID+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				c.check(t, rt)
			})
		}
	}
}

func (c pythonCase) check(t *testing.T, rt *Runtime) {
	res := c.program().run(t, rt)
	got := res.only(t)
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
	if d := cmp.Diff(c.body, got.body); d != "" {
		t.Errorf("body (-want +got):\n%s", d)
	}
	stdout := c.stdout
	carets := ""
	if rt.actual >= 11 {
		carets = "    ~~^~~\r"
	}
	stdout = strings.ReplaceAll(stdout, "{carets}", carets)
	if d := cmp.Diff(stdout, res.stdout); d != "" {
		t.Errorf("stdout (-want +got):\n%s", d)
	}
	exit := c.exit
	if exit == 0 {
		exit = -1 // it waited for the next event
	}
	if res.exit != exit || res.stderr != "" {
		t.Errorf("exit %d, want %d; stderr %q", res.exit, exit, res.stderr)
	}
}

// newest returns the newest Python here for tests of one behaviour.
func newestPython(t *testing.T) *Runtime {
	all := pythons(t)
	return all[len(all)-1]
}

func TestPythonImportTimeError(t *testing.T) {
	t.Parallel()
	res := program{files: map[string]string{"x.py": "1 / 0\n"}, handler: "x.f"}.run(t, newestPython(t))
	got := res.only(t)
	var doc struct {
		ErrorMessage, ErrorType, RequestID string
		StackTrace                         []string
	}
	if err := json.Unmarshal([]byte(got.body), &doc); err != nil {
		t.Fatal(err)
	}
	if got.path != "init/error" || doc.ErrorType != "ZeroDivisionError" || doc.RequestID != "" || res.exit != 1 {
		t.Errorf("%+v exit %d", got, res.exit)
	}
	// The frames of the import system are there, the runtime program's are not.
	first, last := doc.StackTrace[0], doc.StackTrace[len(doc.StackTrace)-1]
	if !strings.Contains(first, "importlib/__init__.py") || last != "  File \"/var/task/x.py\", line 1, in <module>\n    1 / 0\n" {
		t.Errorf("stack %q", doc.StackTrace)
	}
}

func TestPythonGoesOnAfterErrors(t *testing.T) {
	t.Parallel()
	res := program{
		files: map[string]string{"x.py": `
import os
calls = 0
def f(e, c):
    global calls
    calls += 1
    if e == "big":
        return "x" * 7000000
    if e == "raise":
        raise RuntimeError(calls)
    return [calls, e, os.environ.get("_X_AMZN_TRACE_ID")]
`},
		handler: "x.f",
		events: []event{
			{`"a"`, map[string]string{"Lambda-Runtime-Trace-Id": "Root=1"}},
			{`"raise"`, nil},
			{`"big"`, nil},
			{`"` + strings.Repeat("y", 3<<20) + `"`, nil},
			{`"b"`, nil},
		},
		status: func(p post) int {
			if len(p.body) > 6291556 {
				return 413
			}
			return 202
		},
	}.run(t, newestPython(t))
	if len(res.posts) != 5 || res.exit != -1 {
		t.Fatalf("%d posts, exit %d, stderr %q", len(res.posts), res.exit, res.stderr)
	}
	if res.posts[0].body != `[1, "a", "Root=1"]` || res.posts[4].body != `[5, "b", null]` {
		t.Errorf("first %s, last %s", res.posts[0].body, res.posts[4].body)
	}
	if res.posts[1].path != "invocation/id-2/error" || len(res.posts[3].body) < 3<<20 {
		t.Errorf("second to %s, fourth of %d bytes", res.posts[1].path, len(res.posts[3].body))
	}
	if res.conns != 1 {
		t.Errorf("%d connections, want one kept alive", res.conns)
	}
	var cause struct {
		WorkingDirectory string `json:"working_directory"`
		Exceptions       []struct {
			Type, Message string
			Stack         []struct {
				Path, Label string
				Line        int
			}
		}
		Paths []string
	}
	if err := json.Unmarshal([]byte(res.posts[1].header.Get("Lambda-Runtime-Function-XRay-Error-Cause")), &cause); err != nil {
		t.Fatal(err)
	}
	if e := cause.Exceptions; len(e) != 1 || e[0].Type != "RuntimeError" || e[0].Message != "2" || len(e[0].Stack) != 1 || e[0].Stack[0].Label != "f" || e[0].Stack[0].Line != 10 {
		t.Errorf("cause %+v", cause)
	}
}

func TestPythonEndsItself(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, code string
		exit       int
	}{
		{"exit 3", "import sys\ndef f(e, c):\n    print('last words', end='')\n    sys.exit(3)\n", 3},
		{"exit 0", "import sys\ndef f(e, c):\n    print('last words', end='')\n    sys.exit()\n", 0},
		{"exit while importing", "import sys\nprint('last words', end='')\nsys.exit(4)\n", 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := program{files: map[string]string{"x.py": c.code}, handler: "x.f", events: []event{{"{}", nil}}}.run(t, newestPython(t))
			if len(res.posts) != 0 || res.exit != c.exit || res.stdout != "last words" {
				t.Errorf("%d posts, exit %d, stdout %q", len(res.posts), res.exit, res.stdout)
			}
		})
	}
}

func TestPythonStopsWhenTheAPIFails(t *testing.T) {
	t.Parallel()
	res := program{
		files: map[string]string{"x.py": "def f(e, c): return e\n"}, handler: "x.f", events: []event{{"1", nil}, {"2", nil}},
		status: func(post) int { return 500 },
	}.run(t, newestPython(t))
	if len(res.posts) != 1 || res.exit != 1 {
		t.Errorf("%d posts, exit %d", len(res.posts), res.exit)
	}
}

func TestPythonChunkedEvent(t *testing.T) {
	t.Parallel()
	res := program{files: map[string]string{"x.py": "def f(e, c): return e\n"}, handler: "x.f", events: []event{{`"abc"`, nil}, {`[7]`, nil}}, chunked: true}.run(t, newestPython(t))
	if len(res.posts) != 2 || res.posts[0].body != `"abc"` || res.posts[1].body != `[7]` {
		t.Errorf("posts %+v", res.posts)
	}
}
