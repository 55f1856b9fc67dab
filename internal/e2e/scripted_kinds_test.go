package e2e

import (
	"testing"

	"github.com/lambhq/lamb/internal/e2e/testdata/scripted/steps"
)

// TestManaged: what environments that serve several invocations at once answer
// and tell of differently.
func TestManaged(t *testing.T) {
	t.Parallel()
	const invocation = runtimeAPI + "invocation/"
	late, gone := apiError("InvokeTimeout", "Invoke timeout"), apiError("InvalidRequestID", "Invalid request ID")
	old := call("PUT", telemetryPath, `{"schemaVersion":"2022-12-13","types":["platform"],"destination":{"protocol":"HTTP","URI":"http://sandbox:{port}"}}`, 400,
		apiError("ValidationError", `schemaVersion "2022-12-13" is not supported; it must be one of [2025-01-29]`), idHeader, "{id}")
	tooMuch := call("POST", invocation+"{request}/error", "", 413, apiError("RequestEntityTooLarge", "Exceeded maximum allowed payload size (6291556 bytes)."))
	tooMuch.Fill = 1<<20 + 1
	const kind = "lambda-managed-instances"
	events := []string{
		with(initBegins, "on-demand", kind, "134217728", "2147483648"), with(subscribed, "API", "telemetry"),
		with(initDone, "on-demand", kind), with(isReady, `"INVOKE",`, ""), with(initReport, "on-demand", kind),
		begins, managedReport("timeout", ""), with(said, "TEXT", "asks"),
		begins, managedReport("success", `,"spans":[`+managedSpans+`]`),
	}
	const name = "managed-api"
	l := startLamb(t)
	play(t, l, map[string]scene{"managed-busy": { // it does not ask for the second event
		kind: managed, play: steps.Play{"bootstrap": script(take(), respond(`"well"`), do(steps.Hang, ""))},
		calls: []outcome{
			{payload: `"well"`, early: true},
			{payload: `{"errorType":"Runtime.Unavailable","errorMessage":"The runtime did not ask for an event in time"}`, failed: true, early: true},
		},
	}, name: {
		kind: managed, timeout: 1, extensions: []string{"x"},
		play: steps.Play{
			"bootstrap": script(
				do(steps.Wait, "subscribed"),
				call("POST", extensionAPI+"register", `{"events":["INVOKE"]}`, 403, apiError("Extension.InvalidEventType", "No events allowed for internal extensions"), nameHeader, "inside"),
				take(), do(steps.Wait, "late"),
				call("POST", invocation+"{request}/response", "1", 410, late),
				call("POST", invocation+"{request}/response", "1", 400, gone),
				do(steps.Print, "asks"), take(), tooMuch, respond(`"well"`),
				call("POST", invocation+"{request}/response", "1", 400, gone),
				call("GET", runtimeAPI+"restore/next", "", 404, "404 page not found"),
				do(steps.Hang, ""),
			),
			"x": script(
				call("POST", extensionAPI+"register", `{"events":["INVOKE","SHUTDOWN"]}`, 403, apiError("Extension.InvalidEventType", "INVOKE: ErrorInvalidEventType"), nameHeader, "x"),
				register("x", "SHUTDOWN"), do(steps.Listen, steps.OverHTTP), old,
				subscription(telemetryPath, `"schemaVersion":"2025-01-29",`, `{"protocol":"HTTP","URI":"http://sandbox:{port}"}`),
				do(steps.Set, "subscribed"), spawn(do(steps.Await, "platform.report"), do(steps.Set, "late")),
				do(steps.Attend, ""), steps.Step{Do: steps.Dump, Code: len(events)}),
		},
		calls: []outcome{
			{payload: `{"errorType":"Sandbox.Timedout","errorMessage":"Task timed out after 1.00 seconds"}`, failed: true, early: true},
			{payload: `"well"`, early: true, after: "bootstrap: asks"},
		},
		says: []string{"x: SHUTDOWN spindown", "x: END"},
	}})
	compareEvents(t, l, name, events)
}

const managedSpans = `{"name":"responseLatency","start":"T","durationMs":N},{"name":"responseDuration","start":"T","durationMs":N}`

func managedReport(status, spans string) string {
	return `{"time":"T","type":"platform.report","record":{"requestId":"ID","status":"` + status + `","metrics":{"durationMs":N}` + spans + `}}`
}

// TestRestored: a runtime that is resumed after its init, what it may call and
// when, and what is told of it.
func TestRestored(t *testing.T) {
	t.Parallel()
	needInside(t, "python3")
	const kind, name, figures = "snap-start", "restore-api", `"metrics":{"durationMs":N}`
	events := []string{
		with(initBegins, "on-demand", kind, `"init"`, `"snap-start"`, `"$LATEST"`, `"1"`, "provided.al2023", "python3.12"),
		with(subscribed, "API", "telemetry"),
		with(initDone, "on-demand", kind, `"init"`, `"snap-start"`), isReady,
		`{"time":"T","type":"platform.restoreStart","record":{"functionName":"NAME","functionVersion":"1","runtimeVersion":"python3.12","runtimeVersionArn":"ARN","instanceId":"STREAM","instanceMaxMemory":134217728}}`,
		with(said, "TEXT", "resumed"),
		`{"time":"T","type":"platform.restoreRuntimeDone","record":{"status":"success"}}`,
		`{"time":"T","type":"platform.restoreReport","record":{"status":"success",` + figures + `}}`,
		with(initReport, "on-demand", kind, `"init"`, `"snap-start"`),
		with(begins, `"$LATEST"`, `"1"`, ":function:NAME", ":function:NAME:1"), with(doneWell, `"producedBytes":6`, `"producedBytes":10`),
		with(firstReport, `"initDurationMs":N`, `"restoreDurationMs":N,"billedRestoreDurationMs":N`),
	}
	l := startLamb(t)
	play(t, l, map[string]scene{name: {
		kind: resumed, extensions: []string{"x"},
		play: steps.Play{
			"bootstrap": script(
				call("POST", runtimeAPI+"restore/error", "{}", 403, noMove("Started", "RuntimeRestoreErrorState")),
				call("GET", "/2021-04-23/credentials", "", 404, "cannot get credentials for the provided token", "Authorization", "none"),
				do(steps.Wait, "subscribed"),
				call("GET", runtimeAPI+"restore/next", "", 200, ""),
				call("GET", runtimeAPI+"restore/next", "", 403, noMove("Restoring", "RestoreReady")),
				call("POST", runtimeAPI+"invocation/none/response", "1", 400, apiError("InvalidRequestID", "Invalid request ID")),
				do(steps.Print, "resumed"), serves,
			),
			"x": script(register("x", "INVOKE", "SHUTDOWN"), do(steps.Listen, steps.OverHTTP),
				subscription(telemetryPath, `"schemaVersion":"2025-01-29",`, `{"protocol":"HTTP","URI":"http://sandbox:{port}"}`), do(steps.Set, "subscribed"),
				// The environment of which a snapshot would be made ends before it has an event.
				spawn(do(steps.Await, "platform.report"), steps.Step{Do: steps.Dump, Code: len(events)}, do(steps.Print, "has told")),
				do(steps.Attend, "")),
		},
		calls: []outcome{{payload: `{"call":0}`}, {payload: `{"call":1}`, after: "x: has told"}},
		says:  []string{"x: SHUTDOWN spindown", "RESTORE_START", "RESTORE_REPORT Restore Duration: ", "START", "REPORT", "x: SHUTDOWN spindown", "x: END"},
	}})
	compareEvents(t, l, name+":1", events)
}
