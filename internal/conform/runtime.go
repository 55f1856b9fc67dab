package conform

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/lambhq/lamb/internal/pattern"
	"github.com/lambhq/lamb/lambdatest"
)

// Runtime are the rules for runtimes. The function under test answers every
// event with the event itself, but for
//
//	{"conform": "error"}  it fails with an error
//	{"conform": "trace"}  it answers with the variable _X_AMZN_TRACE_ID
//	{"conform": "large"}  it answers with a string of seven million letters
//
// Rules about those that it does not know are skipped.
func Runtime() []Check {
	return []Check{
		{"init/asks-for-an-event", "A runtime ends its initialization by asking for its first event, within ten seconds.", pageEnvironment, asksForAnEvent},
		{"init/reports-a-missing-handler", "A runtime that cannot load its handler reports that to init/error, with errorType and errorMessage, and exits.", pageRuntimeAPI, reportsAMissingHandler},
		{"next/asks-in-order", "A runtime asks for the next event after it has answered the one before, and makes no other calls.", pageCustom, asksInOrder},
		{"response/answers-the-event", "What the handler returns is posted to the path with the event's request id.", pageRuntimeAPI, answersTheEvent},
		{"response/keeps-text", "Events and answers are JSON in UTF-8 and come through whole.", pageCustom, keepsText},
		{"response/large-payloads", "Events and answers may have 6 MB.", pageQuotas, largePayloads},
		{"response/survives-too-large", "An answer over the limit is refused (413) and fails its own invocation; a runtime has to exit after 500 only, and goes on.", pageRuntimeAPI, survivesTooLarge},
		{"response/exits-after-500", "After 500, a container error that nothing recovers from, a runtime exits promptly.", pageRuntimeAPI, exitsAfter500},
		{"error/reports", "A handler's error is posted to error, as JSON with errorMessage, errorType and a list stackTrace.", pageRuntimeAPI, reportsErrors},
		{"error/type-header", "The header Lambda-Runtime-Function-Error-Type, if there is one, is of the form category.reason.", pageRuntimeAPI, errorTypeHeader},
		{"error/goes-on", "After a handler's error the runtime asks for the next event.", pageCustom, goesOn},
		{"trace/propagates", "The trace header of the event is the variable _X_AMZN_TRACE_ID while the handler runs.", pageCustom, propagatesTrace},
		{"freeze/survives", "A runtime may be stopped while it waits for an event, and goes on.", pageEnvironment, survivesFreezing},
		{"reset/starts-again", "After its process was killed a runtime starts again in the same environment.", pageEnvironment, startsAgain},
	}
}

const (
	nextPath     = "/2018-06-01/runtime/invocation/next"
	initError    = "/2018-06-01/runtime/init/error"
	invocation   = "/2018-06-01/runtime/invocation/"
	runtimePaths = "/2018-06-01/runtime/"
)

// ready makes an environment whose init has succeeded.
func (t *trial) ready(change func(cfg *lambdatest.Config)) *lambdatest.Environment {
	env := t.environment(change)
	if r := env.Init(); r.Err != nil {
		t.Fatalf("the init failed: %v", r.Err)
	}
	return env
}

func asksForAnEvent(t *trial) {
	env := t.ready(nil)
	calls := runtimeCalls(env)
	if len(calls) == 0 || calls[0].Method != "GET" || calls[0].Path != nextPath {
		t.Errorf("the first call is %s, want GET %s", describe(calls), nextPath)
	}
}

func reportsAMissingHandler(t *trial) {
	env := t.environment(func(cfg *lambdatest.Config) { cfg.HandlerName = "lamb_conform_missing.handler" })
	if r := env.Init(); r.Err == nil {
		t.skip("the runtime does not look at _HANDLER")
	}
	var report *lambdatest.Call
	for _, call := range runtimeCalls(env) {
		if call.Method == "POST" && call.Path == initError {
			report = &call
		}
	}
	if report == nil {
		t.Fatalf("it has ended without a POST to %s", initError)
	}
	checkErrorBody(t, report.Body)
}

func asksInOrder(t *trial) {
	env := t.ready(nil)
	const events = 10
	for n := range events {
		echo(t, env, n)
	}
	want := "next" + strings.Repeat(" response next", events)
	if got := describe(runtimeCalls(env)); got != want {
		t.Errorf("it called %s, want %s", got, want)
	}
}

func answersTheEvent(t *trial) {
	env := t.ready(nil)
	inv := env.Invoke(lambdatest.Request{Payload: []byte(`{"conform":"echo","value":[1,"two",null]}`)})
	res := inv.Wait()
	if !sameJSON(res.Payload, []byte(`{"conform":"echo","value":[1,"two",null]}`)) {
		t.Errorf("answer %.200s", res.Payload)
	}
	want := invocation + inv.RequestID() + "/response"
	for _, call := range runtimeCalls(env) {
		if call.Method == "POST" && call.Path != want {
			t.Errorf("POST %s, want %s", call.Path, want)
		}
	}
}

func keepsText(t *trial) {
	env := t.ready(nil)
	for _, text := range []string{"äöü", "漢字", "🐑", "\u0000\u001f", `"\/`, "\u2028", "<&>"} {
		echo(t, env, text)
	}
}

func largePayloads(t *trial) {
	env := t.ready(nil)
	const limit = 6 << 20
	echo(t, env, strings.Repeat("x", limit-len(`{"conform":"echo","value":""}`)))
}

func survivesTooLarge(t *trial) {
	env := t.ready(nil)
	res := do(env, "large")
	if len(res.Payload) < 1000 && res.FunctionError == "" {
		t.skip("the function does not answer %s with something large", request("large"))
	}
	if res.ErrorType != "Function.ResponseSizeTooLarge" {
		t.Fatalf("the invocation has the error type %q", res.ErrorType)
	}
	echo(t, env, "after it")
	startedOnce(t, env)
}

func exitsAfter500(t *trial) {
	env := t.ready(nil)
	res := env.Do(lambdatest.Request{Payload: []byte(`{"conform":"echo","value":"lost"}`), LoseResponse: true})
	if res.ErrorType != "Sandbox.Failure" {
		t.Fatalf("the invocation has the error type %q: %.300s", res.ErrorType, res.Payload)
	}
	echo(t, env, "after it")
	if n := len(env.Events("platform.initStart")); n != 2 {
		t.Errorf("it went on: it was started %d times, want 2", n)
	}
}

// failed makes the function fail and gives the call that said so.
func failed(t *trial, env *lambdatest.Environment) (lambdatest.Result, lambdatest.Call) {
	inv := env.Invoke(lambdatest.Request{Payload: []byte(request("error"))})
	res := inv.Wait()
	if res.FunctionError == "" {
		t.skip("the function does not fail when it gets %s", request("error"))
	}
	for _, call := range runtimeCalls(env) {
		if call.Path == invocation+inv.RequestID()+"/error" {
			return res, call
		}
	}
	t.Fatalf("there was no POST to the invocation's error; it called %s", describe(runtimeCalls(env)))
	panic("unreachable")
}

func reportsErrors(t *trial) {
	_, call := failed(t, t.ready(nil))
	checkErrorBody(t, call.Body)
}

var categoryReason = pattern.Lazy(`^[A-Za-z]\w*\.[A-Za-z]\w*$`)

func errorTypeHeader(t *trial) {
	_, call := failed(t, t.ready(nil))
	if sent, ok := call.Header["Lambda-Runtime-Function-Error-Type"]; ok && !categoryReason().MatchString(sent[0]) {
		t.Errorf("Lambda-Runtime-Function-Error-Type: %s", sent[0])
	}
}

func goesOn(t *trial) {
	env := t.ready(nil)
	failed(t, env)
	echo(t, env, "after it")
	startedOnce(t, env)
}

func propagatesTrace(t *trial) {
	env := t.ready(nil)
	const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
	res := env.Do(lambdatest.Request{Payload: []byte(request("trace")), TraceID: trace})
	var got string
	if json.Unmarshal(res.Payload, &got) != nil {
		t.skip("the function does not answer %s with its variable", request("trace"))
	}
	if got != trace {
		t.Errorf("_X_AMZN_TRACE_ID is %q, want %q", got, trace)
	}
}

func survivesFreezing(t *trial) {
	env := t.ready(nil)
	for n := range 3 {
		env.Freeze()
		echo(t, env, n)
	}
	startedOnce(t, env)
}

func startsAgain(t *trial) {
	env := t.ready(nil)
	echo(t, env, "before it")
	env.Reset(lambdatest.Failure)
	echo(t, env, "after it")
}

// request is an event that asks for something.
func request(what string) string { return fmt.Sprintf(`{"conform":%q}`, what) }

func do(env *lambdatest.Environment, what string) lambdatest.Result {
	return env.Do(lambdatest.Request{Payload: []byte(request(what))})
}

// echo has the function answer with an event that has a value.
func echo(t *trial, env *lambdatest.Environment, value any) {
	event, err := json.Marshal(map[string]any{"conform": "echo", "value": value})
	if err != nil {
		t.Fatalf("%v", err)
	}
	if res := env.Call(event); res.FunctionError != "" || !sameJSON(res.Payload, event) {
		t.Fatalf("the event %.100s was answered %.300s (%s)", event, res.Payload, res.ErrorType)
	}
}

// startedOnce checks that what has happened did not end the programs.
func startedOnce(t *trial, env *lambdatest.Environment) {
	if n := len(env.Events("platform.initStart")); n != 1 {
		t.Errorf("it was started %d times", n)
	}
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// checkErrorBody checks the JSON of an error.
func checkErrorBody(t *trial, body []byte) {
	var e map[string]any
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatalf("the body %.300q is no JSON: %v", body, err)
	}
	for _, member := range []string{"errorMessage", "errorType"} {
		if s, ok := e[member].(string); !ok || s == "" && member == "errorType" {
			t.Errorf("the member %s is %v; the body is %.300s", member, e[member], body)
		}
	}
	if trace, ok := e["stackTrace"]; ok && trace != nil {
		if _, list := trace.([]any); !list {
			t.Errorf("stackTrace is no list; the body is %.300s", body)
		}
	}
}

// runtimeCalls are those of the Runtime API.
func runtimeCalls(env *lambdatest.Environment) []lambdatest.Call { return callsOf(env, runtimePaths) }

func callsOf(env *lambdatest.Environment, prefix string) []lambdatest.Call {
	var found []lambdatest.Call
	for _, call := range env.Calls() {
		if strings.HasPrefix(call.Path, prefix) {
			found = append(found, call)
		}
	}
	return found
}

// describe is the last parts of the calls' paths.
func describe(calls []lambdatest.Call) string {
	var names []string
	for _, call := range calls {
		names = append(names, call.Path[strings.LastIndexByte(call.Path, '/')+1:])
	}
	return strings.Join(names, " ")
}
