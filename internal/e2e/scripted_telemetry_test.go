package e2e

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/e2e/testdata/scripted/steps"
)

// stream is one way to get telemetry, and what comes of a life in which an
// invocation succeeds, one fails, and one ends the runtime.
type stream struct {
	subscription steps.Step
	server       string
	events       []string
}

// The records of such a life, as they are sent, but for what differs every time.
const (
	initBegins = `{"time":"T","type":"platform.initStart","record":{"initializationType":"on-demand","phase":"init","functionName":"NAME","functionVersion":"$LATEST",` +
		`"runtimeVersion":"provided.al2023","runtimeVersionArn":"ARN","instanceId":"STREAM","instanceMaxMemory":134217728}}`
	subscribed  = `{"time":"T","type":"platform.APISubscription","record":{"name":"x","state":"Subscribed","types":["platform","function"]}}`
	said        = `{"time":"T","type":"function","record":"bootstrap: TEXT"}`
	initDone    = `{"time":"T","type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"init","status":"success"}}`
	isReady     = `{"time":"T","type":"platform.extension","record":{"name":"x","state":"Ready","events":["INVOKE","SHUTDOWN"]}}`
	initReport  = `{"time":"T","type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","status":"success","metrics":{"durationMs":N}}}`
	begins      = `{"time":"T","type":"platform.start","record":{"requestId":"ID","version":"$LATEST","functionArn":"arn:aws:lambda:us-east-1:000000000000:function:NAME"}}`
	figures     = `"metrics":{"durationMs":N,"billedDurationMs":N,"memorySizeMB":128,"maxMemoryUsedMB":N`
	done        = `{"time":"T","type":"platform.runtimeDone","record":{"requestId":"ID","status":"STATUS,"metrics":{"durationMs":N}}}`
	doneWell    = `{"time":"T","type":"platform.runtimeDone","record":{"requestId":"ID","status":"success","metrics":{"durationMs":N,"producedBytes":6},"spans":[` + doneSpans + `]}}`
	doneSpans   = `{"name":"responseLatency","start":"T","durationMs":N},{"name":"responseDuration","start":"T","durationMs":N},{"name":"runtimeOverhead","start":"T","durationMs":N}`
	report      = `{"time":"T","type":"platform.report","record":{"requestId":"ID","status":"STATUS,` + figures + `},` + overhead + `}}`
	firstReport = `{"time":"T","type":"platform.report","record":{"requestId":"ID","status":"success",` + figures + `,"initDurationMs":N},` + overhead + `}}`
	overhead    = `"spans":[{"name":"extensionOverhead","start":"T","durationMs":N}]`
	// Of the Logs API.
	logsBegin  = `{"time":"T","type":"platform.start","record":{"requestId":"ID","version":"$LATEST"}}`
	logsDone   = `{"time":"T","type":"platform.runtimeDone","record":{"requestId":"ID","status":"STATUS"}}`
	logsEnd    = `{"time":"T","type":"platform.end","record":{"requestId":"ID"}}`
	logsFirst  = `{"time":"T","type":"platform.report","record":{"requestId":"ID",` + figures + `,"initDurationMs":N}}}`
	logsReport = `{"time":"T","type":"platform.report","record":{"requestId":"ID",` + figures + `}}}`
	logsFault  = `{"time":"T","type":"platform.fault","record":"RequestId: ID Error: Runtime exited with error: exit status 6\nRuntime.ExitError\n"}`
)

func with(event string, replacements ...string) string {
	return strings.NewReplacer(replacements...).Replace(event)
}

func telemetryEvents() []string {
	own, gone := `error","errorType":"Function.Own"`, `error","errorType":"Runtime.ExitError"`
	return []string{
		initBegins, with(subscribed, "API", "telemetry"), with(said, "TEXT", "begins"), initDone, isReady, initReport,
		begins, with(said, "TEXT", "works"), doneWell, firstReport,
		begins, with(done, "STATUS", own), with(report, "STATUS", own),
		begins, with(said, "TEXT", "ends"), with(done, "STATUS", gone), with(report, "STATUS", gone),
	}
}

func logsEvents(withDone bool) []string {
	var all []string
	for _, e := range []string{
		with(subscribed, "API", "logs"), with(said, "TEXT", "begins"), isReady,
		logsBegin, with(said, "TEXT", "works"), with(logsDone, "STATUS", "success"), logsEnd, logsFirst,
		logsBegin, with(logsDone, "STATUS", "failure"), logsEnd, logsReport,
		logsBegin, with(said, "TEXT", "ends"), logsFault, with(logsDone, "STATUS", "failure"), logsEnd, logsReport,
	} {
		if withDone || !strings.Contains(e, "runtimeDone") {
			all = append(all, e)
		}
	}
	return all
}

// subscription subscribes to events of the platform and the function.
func subscription(path, schema, destination string) steps.Step {
	return call("PUT", path, `{`+schema+`"types":["platform","function"],"buffering":{"timeoutMs":25},"destination":`+destination+`}`, 200, `"OK"`, idHeader, "{id}")
}

// TestTelemetryStreams reads every event with every field, in its order, in each
// schema and over both protocols.
func TestTelemetryStreams(t *testing.T) {
	t.Parallel()
	const http, tcp = `{"protocol":"HTTP","URI":"http://sandbox:{port}"}`, `{"protocol":"TCP","port":{port}}`
	streams := map[string]stream{
		"telemetry-2022-07-01": {subscription(telemetryPath, `"schemaVersion":"2022-07-01",`, http), steps.OverHTTP, telemetryEvents()},
		"telemetry-2022-12-13": {subscription(telemetryPath, `"schemaVersion":"2022-12-13",`, tcp), steps.OverTCP, telemetryEvents()},
		"telemetry-2025-01-29": {subscription(telemetryPath, `"schemaVersion":"2025-01-29",`, http), steps.OverHTTP, telemetryEvents()},
		"logs-2020-08-15":      {subscription(logsPath, ``, http), steps.OverHTTP, logsEvents(false)},
		"logs-2021-03-18":      {subscription(logsPath, `"schemaVersion":"2021-03-18",`, tcp), steps.OverTCP, logsEvents(true)},
	}
	all := map[string]scene{}
	for name, s := range streams {
		all[name] = scene{
			play: steps.Play{
				"bootstrap": script(do(steps.Wait, "subscribed"), do(steps.Print, "begins"),
					take(), do(steps.Print, "works"), respond(`"well"`),
					take(), call("POST", runtimeAPI+"invocation/{request}/error", `"own"`, 202, accepted, "Lambda-Runtime-Function-Error-Type", "Function.Own"),
					take(), do(steps.Print, "ends"), exit(6)),
				"x": script(register("x", "INVOKE", "SHUTDOWN"), do(steps.Listen, s.server), s.subscription, do(steps.Set, "subscribed"),
					do(steps.Attend, ""), steps.Step{Do: steps.Dump, Code: len(s.events)}),
			},
			extensions: []string{"x"},
			calls:      []outcome{{payload: `"well"`}, {payload: `"own"`, failed: true}, {errType: "Runtime.ExitError", message: "Runtime exited with error: exit status 6"}},
			says:       []string{"x: SHUTDOWN failure", "x: END"},
		}
	}
	l := startLamb(t)
	play(t, l, all)
	for name, s := range streams {
		compareEvents(t, l, name, s.events)
	}
}

// compareEvents compares the telemetry that an extension x has told of in the
// log of this name.
func compareEvents(t *testing.T, l *lamb, name string, events []string) {
	t.Helper()
	var got, want []string
	for _, line := range l.logOf(name) {
		if event, ok := strings.CutPrefix(line, "x: event "); ok {
			got = append(got, plain(event))
		}
	}
	for _, event := range events {
		want = append(want, with(event, "NAME", strings.TrimSuffix(name, ":1")))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// different is what is never the same in two events.
var different = []struct{ pattern, word string }{
	{`"(time|start)":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`, `"$1":"T"`},
	{`("requestId":"|RequestId: )[0-9a-f-]{36}`, `${1}ID`},
	{`"(durationMs|initDurationMs|restoreDurationMs)":\d+(\.\d{1,3})?([,}])`, `"$1":N$3`},
	{`"(billedDurationMs|billedRestoreDurationMs|maxMemoryUsedMB)":\d+`, `"$1":N`},
	{`"instanceId":"\d{4}/\d\d/\d\d/\[(\$LATEST|1)\][0-9a-f]{32}"`, `"instanceId":"STREAM"`},
	{`"runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}"`, `"runtimeVersionArn":"ARN"`},
}

func plain(event string) string {
	for _, d := range different {
		event = regexp.MustCompile(d.pattern).ReplaceAllString(event, d.word)
	}
	return event
}

// TestBadSubscribers: whatever a subscriber does, invocations go on, and the
// environment ends in its time.
func TestBadSubscribers(t *testing.T) {
	t.Parallel()
	all := map[string]scene{}
	for _, how := range []string{steps.Hangs, steps.Resets, steps.Refuses, steps.Slow, "nobody"} {
		x := []steps.Step{register("x", "SHUTDOWN"), do(steps.Listen, how), subscribe("2022-12-13"), do(steps.Attend, "")}
		if how == "nobody" {
			x[2].Body = strings.Replace(x[2].Body, "{port}", "1", 1)
		}
		s := scene{
			play:       steps.Play{"bootstrap": script(serves), "x": script(x...)},
			extensions: []string{"x"}, timeout: 5, // less than a delivery may take
			says: []string{"x: SHUTDOWN spindown", "x: END"},
		}
		for i := range 10 {
			s.calls = append(s.calls, outcome{payload: `{"call":` + string(rune('0'+i)) + `}`})
		}
		all["subscriber-"+how] = s
	}
	play(t, startLamb(t), all)
}

// TestDroppedLogs: a subscriber that takes nothing for a while delays no
// answer, and is told afterwards of everything that it has not got.
func TestDroppedLogs(t *testing.T) {
	t.Parallel()
	const lines = 3000 // of a thousand bytes: more than is queued for anybody
	prints := do(steps.Print, strings.Repeat("x", 1000))
	prints.Code = lines
	subscribes := call("PUT", telemetryPath, `{"schemaVersion":"2022-12-13","types":["function"],"buffering":{"timeoutMs":25,"maxBytes":262144},`+
		`"destination":{"protocol":"HTTP","URI":"http://sandbox:{port}"}}`, 200, `"OK"`, idHeader, "{id}")
	play(t, startLamb(t), map[string]scene{"drops": {
		play: steps.Play{
			// The subscriber is released when the first answer has been given.
			"bootstrap": script(take(), prints, respond(`"well"`), do(steps.Set, "go"), do(steps.Serve, "")),
			"x": script(register("x", "SHUTDOWN"), do(steps.Listen, steps.Held), subscribes,
				do(steps.Attend, ""), steps.Step{Do: steps.Tally, Code: lines}),
		},
		extensions: []string{"x"},
		calls:      []outcome{{payload: `"well"`}, {payload: `{"call":1}`}},
		says: []string{"x: SHUTDOWN spindown", "x: tally: 3000 events; some came: true, some were dropped: true, with bytes: true, " +
			"reasons: Some logs were dropped because the downstream consumer is slower than the logs production rate", "x: END"},
	}})
}

// TestInitTimesOut: who does not come to the end of its init has ten seconds,
// and then the invocation's time.
func TestInitTimesOut(t *testing.T) {
	if here.user != nil || here.race {
		t.Skip("once for each sandbox is enough: it takes ten seconds")
	}
	t.Parallel()
	timedOut := []outcome{{errType: "Sandbox.Timedout", message: "Task timed out after 1.00 seconds"}}
	attends := script(register("x", "INVOKE", "SHUTDOWN"), do(steps.Attend, ""))
	reports := []string{"Phase: init\tStatus: timeout", "START", "Phase: invoke\tStatus: timeout", "END", "Status: timeout"}
	told := append([]string{reports[0], "x: SHUTDOWN timeout", "START", "x: SHUTDOWN timeout"}, reports[4])
	play(t, startLamb(t), map[string]scene{
		"never-registers": {play: steps.Play{"bootstrap": script(serves), "x": script(do(steps.Hang, ""))},
			extensions: []string{"x"}, timeout: 1, calls: timedOut, says: reports},
		"never-asks": {play: steps.Play{"bootstrap": script(serves), "x": script(register("x"), do(steps.Hang, ""))},
			extensions: []string{"x"}, timeout: 1, calls: timedOut, says: reports},
		"runtime-never-asks": {play: steps.Play{"bootstrap": script(do(steps.Hang, "")), "x": attends},
			extensions: []string{"x"}, timeout: 1, calls: timedOut, says: told},
	})
}
