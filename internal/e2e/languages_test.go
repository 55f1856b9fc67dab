package e2e

import (
	"strings"
	"testing"
)

const pythonCode = `
import asyncio, json, os, sys, time

loaded = 0
kept = os.path.join(os.environ.get("TMPDIR", "/tmp"), "kept")

def echo(event, context):
    return event

def nothing(event, context):
    pass

def describe(event, context):
    return {
        "id": context.aws_request_id, "arn": context.invoked_function_arn,
        "name": context.function_name, "version": context.function_version,
        "memory": context.memory_limit_in_mb, "left": context.get_remaining_time_in_millis(),
        "exec": os.environ["AWS_EXECUTION_ENV"], "root": os.path.samefile(os.environ["LAMBDA_TASK_ROOT"], "."),
        "private": os.environ.get("LAMB_E2E_PRIVATE"),
    }

class Rejected(Exception):
    pass

def fail(event, context):
    raise Rejected("no " + event["what"])

def unserializable(event, context):
    return {1, 2}

def act(event, context):
    global loaded
    loaded += 1
    if event.get("write"):
        open(kept, "w").write(event["write"])
    print("acting", event)
    time.sleep(event.get("sleep", 0))
    if "exit" in event:
        os._exit(event["exit"])
    return {"loaded": loaded, "pid": os.getpid(), "stream": context.log_stream_name, "kept": open(kept).read() if os.path.exists(kept) else None}
`

const nodeCode = `
let loaded = 0;
const fs = await import("node:fs"), os = await import("node:os"), path = await import("node:path");
const kept = path.join(os.tmpdir(), "kept");
export const echo = async (event) => event;
export const nothing = async () => {};
export const callback = (event, context, done) => { setTimeout(() => done(null, { got: event }), 5); };
export const callbackError = (event, context, done) => { done(new RangeError("too far")); };
export const describe = async (event, context) => ({
  id: context.awsRequestId, arn: context.invokedFunctionArn, name: context.functionName,
  version: context.functionVersion, memory: context.memoryLimitInMB, left: context.getRemainingTimeInMillis(),
  exec: process.env.AWS_EXECUTION_ENV, root: fs.realpathSync(process.env.LAMBDA_TASK_ROOT) === fs.realpathSync("."),
  private: process.env.LAMB_E2E_PRIVATE ?? null,
});
export class Rejected extends Error { constructor(m) { super(m); this.name = "Rejected"; } }
export const fail = async (event) => { throw new Rejected("no " + event.what); };
export const act = async (event, context) => {
  loaded++;
  if (event.write) fs.writeFileSync(kept, event.write);
  console.log("acting", JSON.stringify(event));
  if (event.sleep) await new Promise((r) => setTimeout(r, event.sleep * 1000));
  if (event.exit !== undefined) process.exit(event.exit);
  return { loaded, pid: process.pid, stream: context.logStreamName, kept: fs.existsSync(kept) ? fs.readFileSync(kept, "utf8") : null };
};
`

// A language is a managed runtime with the same handlers in it.
type language struct {
	program, runtime string
	files            []file
	prefix           string // of the handler
}

var languages = []language{
	{"python3", "python3.12", []file{{"app.py", 0o644, pythonCode}, {"broken.py", 0o644, "import not_there\n"}}, "app."},
	{"node", "nodejs20.x", []file{{"app.mjs", 0o644, nodeCode}, {"broken.js", 0o644, "require('not-there');\n"}}, "app."},
}

// function makes a function with a handler of the language.
func (lang language) function(t *testing.T, l *lamb, handler string) string {
	t.Helper()
	if !strings.Contains(handler, ".") {
		handler = lang.prefix + handler
	}
	name := lang.program + "-" + strings.ReplaceAll(handler, ".", "-")
	l.create(t, fn{name: name, runtime: lang.runtime, handler: handler, code: zipOf(t, lang.files...), timeout: 20})
	return name
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	for _, lang := range languages {
		t.Run(lang.program, func(t *testing.T) {
			t.Parallel()
			needInside(t, lang.program)
			t.Run("payloads", func(t *testing.T) { testPayloads(t, l, lang) })
			t.Run("context", func(t *testing.T) { testContext(t, l, lang) })
			t.Run("errors", func(t *testing.T) { testErrors(t, l, lang) })
			t.Run("reset", func(t *testing.T) { testLanguageReset(t, l, lang) })
		})
	}
}

func testPayloads(t *testing.T, l *lamb, lang language) {
	echo := lang.function(t, l, "echo")
	for payload, want := range map[string]map[string]string{
		`{"a":[1,2.5,null,true]}`: {"python3": `{"a": [1, 2.5, null, true]}`, "node": `{"a":[1,2.5,null,true]}`},
		`"größe"`:                 {"python3": `"größe"`, "node": `"größe"`},
		``:                        {"python3": `{}`, "node": `{}`},
	} {
		if got := l.invoke(t, echo, payload).succeeded(t); got != want[lang.program] {
			t.Errorf("%s comes back as %s, want %s", payload, got, want[lang.program])
		}
	}
	if got := l.invoke(t, lang.function(t, l, "nothing"), `{}`).succeeded(t); got != `null` {
		t.Errorf("nothing is %s", got)
	}
	if lang.program == "node" {
		if got := l.invoke(t, lang.function(t, l, "callback"), `7`).succeeded(t); got != `{"got":7}` {
			t.Errorf("callback gives %s", got)
		}
	}
}

func testContext(t *testing.T, l *lamb, lang language) {
	name := lang.function(t, l, "describe")
	got := l.invoke(t, name+":$LATEST", `{}`)
	var d struct {
		ID, ARN, Name, Version, Exec string
		Private                      *string
		Memory                       any
		Left                         int
		Root                         bool
	}
	got.into(t, &d)
	if d.ID != requestID(got.InvokeOutput) || d.ARN != "arn:aws:lambda:us-east-1:000000000000:function:"+name+":$LATEST" ||
		d.Name != name || d.Version != "$LATEST" || d.Memory != "128" || d.Exec != "AWS_Lambda_"+lang.runtime || !d.Root {
		t.Errorf("context %s", got.Payload)
	}
	if d.Left <= 0 || d.Left > 20000 {
		t.Errorf("%d ms left", d.Left)
	}
	if d.Private != nil {
		t.Errorf("the function has lamb's own variable: %q", *d.Private)
	}
}

func testErrors(t *testing.T, l *lamb, lang language) {
	name := lang.function(t, l, "fail")
	got := l.invoke(t, name, `{"what":"paper"}`, withTail)
	e := got.failed(t)
	if e.Type != "Rejected" || e.Message != "no paper" {
		t.Errorf("error %s", got.Payload)
	}
	hasLines(t, got.Log, "START RequestId: ", "Rejected", "END RequestId: ", "REPORT RequestId: ")
	id := requestID(got.InvokeOutput)
	if lang.program == "python3" {
		if e.RequestID == nil || *e.RequestID != id || !strings.Contains(string(e.StackTrace), "in fail") {
			t.Errorf("error %s", got.Payload)
		}
	} else if len(e.Trace) == 0 || !strings.HasPrefix(e.Trace[0], "Rejected: no paper") {
		t.Errorf("error %s", got.Payload)
	}
	if again := l.invoke(t, name, `{"what":"ink"}`).failed(t); again.Message != "no ink" {
		t.Errorf("second error %+v", again)
	}

	missing := l.invoke(t, lang.function(t, l, "broken.handler"), `{}`)
	e = missing.failed(t)
	want := map[string][2]string{
		"python3": {"Runtime.ImportModuleError", "Unable to import module 'broken': No module named 'not_there'"},
		"node":    {"Runtime.ImportModuleError", "Error: Cannot find module 'not-there'"},
	}[lang.program]
	if e.Type != want[0] || !strings.HasPrefix(e.Message, want[1]) {
		t.Errorf("import error %s", missing.Payload)
	}
	if lang.program == "python3" && (e.RequestID == nil || *e.RequestID != "") {
		t.Errorf("import error %s, want an empty requestId", missing.Payload)
	}

	noHandler := l.invoke(t, lang.function(t, l, "absent"), `{}`)
	want = map[string][2]string{
		"python3": {"Runtime.HandlerNotFound", "Handler 'absent' missing on module 'app'"},
		"node":    {"Runtime.HandlerNotFound", "app.absent is undefined or not exported"},
	}[lang.program]
	if e := noHandler.failed(t); e.Type != want[0] || e.Message != want[1] {
		t.Errorf("missing handler %s", noHandler.Payload)
	}

	switch lang.program {
	case "python3":
		if e := l.invoke(t, lang.function(t, l, "unserializable"), `{}`).failed(t); e.Type != "Runtime.MarshalError" {
			t.Errorf("unserializable: %+v", e)
		}
	case "node":
		if e := l.invoke(t, lang.function(t, l, "callbackError"), `{}`).failed(t); e.Type != "RangeError" || e.Message != "too far" {
			t.Errorf("callback error: %+v", e)
		}
	}
}

func testLanguageReset(t *testing.T, l *lamb, lang language) {
	name := lang.program + "-app-act"
	l.create(t, fn{name: name, runtime: lang.runtime, handler: "app.act", code: zipOf(t, lang.files...), timeout: 3})
	type state struct {
		place
		Loaded int
		Kept   string
	}
	var first, last state
	// With its log, an answer waits until the environment is free for the next.
	l.invoke(t, name, `{"write":"kept"}`, withTail).into(t, &first)
	old := l.find(t, first.place)
	late := l.invoke(t, name, `{"sleep":60}`, withTail)
	late.failure(t, "Sandbox.Timedout", "Task timed out after 3.00 seconds")
	hasLines(t, late.Log, "START RequestId: ", "acting", "END RequestId: ", "REPORT RequestId: ", "\tStatus: timeout\n")
	l.invoke(t, name, `{"exit":4}`, withTail).failure(t, "Runtime.ExitError", "Runtime exited with error: exit status 4")
	l.invoke(t, name, `{"exit":0}`, withTail).failure(t, "Runtime.ExitError", "Runtime exited without providing a reason")
	l.invoke(t, name, `{}`).into(t, &last)
	if last.PID == first.PID || last.Stream != first.Stream || last.Loaded != 1 || last.Kept != "kept" {
		t.Errorf("first %+v, last %+v: want a new process and the old /tmp", first, last)
	}
	mustEnd(t, old)
	l.find(t, last.place)
}
