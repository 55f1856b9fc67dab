package telemetry

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var (
	telemetrySchemas = []Schema{Telemetry20220701, Telemetry20221213, Telemetry20250129}
	logsSchemas      = []Schema{Logs20200815, Logs20210318}
	allSchemas       = append(append([]Schema{}, telemetrySchemas...), logsSchemas...)

	someTracing = Tracing{Value: "Root=1-5f84c7a2-aa;Parent=bb;Sampled=1", SpanID: "0123456789abcdef"}
	someSpans   = Spans{
		{ResponseLatency, epoch, 1500 * time.Microsecond},
		{},
		{RuntimeOverhead, epoch.Add(time.Second), 2 * time.Millisecond},
	}
)

const (
	tracingJSON = `"tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1-5f84c7a2-aa;Parent=bb;Sampled=1","spanId":"0123456789abcdef"}`
	spansJSON   = `"spans":[{"name":"responseLatency","start":"2022-10-12T00:00:15.064Z","durationMs":1.5},` +
		`{"name":"runtimeOverhead","start":"2022-10-12T00:00:16.064Z","durationMs":2}]`
)

// golden is an event with its record per API; empty where there is none.
type golden struct {
	name      string
	event     Event
	kind      string
	telemetry string
	logs      string // 2021-03-18
	oldLogs   string // 2020-08-15, where it differs
}

const none = "none"

var initGolden = []golden{
	{
		name: "initStart, full",
		event: InitStart{
			InitializationType: ProvisionedConcurrency, Phase: PhaseInit, FunctionName: "f", FunctionVersion: "$LATEST",
			RuntimeVersion: "python:3.13.v50", RuntimeVersionARN: "arn:r", InstanceID: "2022/10/12/[$LATEST]ab",
			InstanceMaxMemory: 268435456, FunctionARN: "arn:f", Tracing: someTracing,
		},
		kind: "platform.initStart",
		telemetry: `{"initializationType":"provisioned-concurrency","phase":"init","functionName":"f","functionVersion":"$LATEST",` +
			`"runtimeVersion":"python:3.13.v50","runtimeVersionArn":"arn:r","instanceId":"2022/10/12/[$LATEST]ab",` +
			`"instanceMaxMemory":268435456,"functionArn":"arn:f",` + tracingJSON + `}`,
	},
	{
		name:      "initStart, least",
		event:     InitStart{InitializationType: OnDemand, Phase: PhaseInvoke},
		kind:      "platform.initStart",
		telemetry: `{"initializationType":"on-demand","phase":"invoke"}`,
	},
	{
		name: "initRuntimeDone, full",
		event: InitRuntimeDone{
			InitializationType: SnapStart, Phase: PhaseSnapStart, Status: StatusError, ErrorType: "Runtime.ExitError",
			Spans: someSpans, Tracing: someTracing,
		},
		kind: "platform.initRuntimeDone",
		telemetry: `{"initializationType":"snap-start","phase":"snap-start","status":"error","errorType":"Runtime.ExitError",` +
			spansJSON + `,` + tracingJSON + `}`,
	},
	{
		name:      "initRuntimeDone, least",
		event:     InitRuntimeDone{InitializationType: ManagedInstances, Phase: PhaseInit, Status: StatusTimeout},
		kind:      "platform.initRuntimeDone",
		telemetry: `{"initializationType":"lambda-managed-instances","phase":"init","status":"timeout"}`,
	},
	{
		name: "initReport, full",
		event: InitReport{
			InitializationType: OnDemand, Phase: PhaseInit, Status: StatusFailure, ErrorType: "Sandbox.Failure",
			Duration: 125333*time.Microsecond + 600, Spans: someSpans, Tracing: someTracing,
		},
		kind: "platform.initReport",
		telemetry: `{"initializationType":"on-demand","phase":"init","status":"failure","errorType":"Sandbox.Failure",` +
			`"metrics":{"durationMs":125.334},` + spansJSON + `,` + tracingJSON + `}`,
	},
	{
		name:      "initReport, least",
		event:     InitReport{InitializationType: OnDemand, Phase: PhaseInit, Status: StatusSuccess, Duration: time.Second},
		kind:      "platform.initReport",
		telemetry: `{"initializationType":"on-demand","phase":"init","status":"success","metrics":{"durationMs":1000}}`,
	},
	{
		name: "restoreStart, full",
		event: RestoreStart{
			FunctionName: "f", FunctionVersion: "7", RuntimeVersion: "java:11.v20", RuntimeVersionARN: "arn:r",
			InstanceID: "i", InstanceMaxMemory: 1 << 40,
		},
		kind: "platform.restoreStart",
		telemetry: `{"functionName":"f","functionVersion":"7","runtimeVersion":"java:11.v20","runtimeVersionArn":"arn:r",` +
			`"instanceId":"i","instanceMaxMemory":1099511627776}`,
	},
	{name: "restoreStart, least", event: RestoreStart{}, kind: "platform.restoreStart", telemetry: `{}`},
	{
		name:      "restoreRuntimeDone, full",
		event:     RestoreRuntimeDone{Status: StatusError, ErrorType: "Runtime.RestoreHookUserError", Spans: someSpans},
		kind:      "platform.restoreRuntimeDone",
		telemetry: `{"status":"error","errorType":"Runtime.RestoreHookUserError",` + spansJSON + `}`,
	},
	{
		name:      "restoreReport, full",
		event:     RestoreReport{Status: StatusError, ErrorType: "E", Duration: time.Microsecond, Spans: someSpans},
		kind:      "platform.restoreReport",
		telemetry: `{"status":"error","errorType":"E","metrics":{"durationMs":0.001},` + spansJSON + `}`,
	},
	{
		name:      "restoreReport, without metrics",
		event:     RestoreReport{Status: StatusTimeout, Duration: -1},
		kind:      "platform.restoreReport",
		telemetry: `{"status":"timeout"}`,
	},
}

var invokeGolden = []golden{
	{
		name:      "start, full",
		event:     InvokeStart{RequestID: "r", Version: "$LATEST", Tracing: someTracing, TenantID: "blue", FunctionARN: "arn:f"},
		kind:      "platform.start",
		telemetry: `{"requestId":"r","version":"$LATEST",` + tracingJSON + `,"tenantId":"blue","functionArn":"arn:f"}`,
		logs:      `{"requestId":"r","version":"$LATEST"}`,
	},
	{name: "start, least", event: InvokeStart{RequestID: "r"}, kind: "platform.start", telemetry: `{"requestId":"r"}`, logs: `{"requestId":"r"}`},
	{
		name: "runtimeDone, streamed",
		event: RuntimeDone{
			RequestID: "r", Status: StatusSuccess, Duration: 2963 * time.Microsecond, ProducedBytes: 7,
			Stream: &StreamMetrics{ProducedBytes: 7, ThroughputBps: 70, TimeThrottled: 2 * time.Millisecond},
		},
		kind:      "platform.runtimeDone",
		telemetry: `{"requestId":"r","status":"success","metrics":{"durationMs":2.963,"producedBytes":7,"outboundThroughputBps":70,"timeThrottledMs":2}}`,
		logs:      `{"requestId":"r","status":"success"}`,
		oldLogs:   none,
	},
	{
		name: "runtimeDone, full",
		event: RuntimeDone{
			RequestID: "r", Status: StatusError, ErrorType: "Runtime.ExitError", Duration: 2963 * time.Microsecond,
			ProducedBytes: 0, Spans: someSpans, Tracing: someTracing, TenantID: "blue",
		},
		kind: "platform.runtimeDone",
		telemetry: `{"requestId":"r","status":"error","errorType":"Runtime.ExitError","metrics":{"durationMs":2.963,"producedBytes":0},` +
			spansJSON + `,` + tracingJSON + `,"tenantId":"blue"}`,
		logs:    `{"requestId":"r","status":"failure"}`,
		oldLogs: none,
	},
	{
		name:      "runtimeDone, least",
		event:     RuntimeDone{RequestID: "r", Status: StatusTimeout, Duration: -1},
		kind:      "platform.runtimeDone",
		telemetry: `{"requestId":"r","status":"timeout"}`,
		logs:      `{"requestId":"r","status":"timeout"}`,
		oldLogs:   none,
	},
	{
		name:      "runtimeDone, no bytes known",
		event:     RuntimeDone{RequestID: "r", Status: StatusSuccess, Duration: time.Millisecond, ProducedBytes: -1},
		kind:      "platform.runtimeDone",
		telemetry: `{"requestId":"r","status":"success","metrics":{"durationMs":1}}`,
		logs:      `{"requestId":"r","status":"success"}`,
		oldLogs:   none,
	},
	{
		name: "report, full",
		event: Report{
			RequestID: "r", Status: StatusError, ErrorType: "E", Spans: someSpans, Tracing: someTracing, TenantID: "blue",
			Metrics: ReportMetrics{
				Duration: 101_510 * time.Microsecond, BilledDurationMs: 300, MemorySizeMB: 512, MaxMemoryUsedMB: 33,
				InitDuration: 116_670 * time.Microsecond, RestoreDuration: 2 * time.Millisecond, BilledRestoreDuration: 3,
			},
		},
		kind: "platform.report",
		telemetry: `{"requestId":"r","status":"error","errorType":"E","metrics":{"durationMs":101.51,"billedDurationMs":300,` +
			`"memorySizeMB":512,"maxMemoryUsedMB":33,"initDurationMs":116.67,"restoreDurationMs":2,"billedRestoreDurationMs":3},` +
			spansJSON + `,` + tracingJSON + `,"tenantId":"blue"}`,
		logs: `{"requestId":"r","metrics":{"durationMs":101.51,"billedDurationMs":300,"memorySizeMB":512,"maxMemoryUsedMB":33,` +
			`"initDurationMs":116.67},` + tracingJSON + `}`,
	},
	{
		name:  "report, Managed Instances",
		event: Report{RequestID: "r", Status: StatusSuccess, Metrics: ReportMetrics{Duration: time.Millisecond, DurationOnly: true, MemorySizeMB: 1}},
		kind:  "platform.report", telemetry: `{"requestId":"r","status":"success","metrics":{"durationMs":1}}`,
		logs: `{"requestId":"r","metrics":{"durationMs":1}}`,
	},
	{name: "end", event: End{RequestID: "r"}, kind: "platform.end", logs: `{"requestId":"r"}`},
	{
		name:  "fault",
		event: Fault{Text: "RequestId: r Error: Runtime exited\nRuntime.ExitError\n"},
		kind:  "platform.fault",
		logs:  `"RequestId: r Error: Runtime exited\nRuntime.ExitError\n"`,
	},
}

var otherGolden = []golden{
	{
		name:      "extension, full",
		event:     ExtensionState{Name: "agent", State: "LaunchError", Events: []string{"INVOKE", "SHUTDOWN"}, ErrorType: "PermissionDenied"},
		kind:      "platform.extension",
		telemetry: `{"name":"agent","state":"LaunchError","events":["INVOKE","SHUTDOWN"],"errorType":"PermissionDenied"}`,
		logs:      `{"name":"agent","state":"LaunchError","events":["INVOKE","SHUTDOWN"]}`,
	},
	{
		name:  "extension, least",
		event: ExtensionState{Name: "agent", State: "Ready"},
		kind:  "platform.extension", telemetry: `{"name":"agent","state":"Ready","events":[]}`, logs: `{"name":"agent","state":"Ready","events":[]}`,
	},
	{
		name:      "telemetrySubscription",
		event:     Subscribing{API: TelemetryAPI, Name: "agent", State: Subscribed, Types: (Platform | Extension).Names()},
		kind:      "platform.telemetrySubscription",
		telemetry: `{"name":"agent","state":"Subscribed","types":["platform","extension"]}`,
	},
	{
		name:      "logsSubscription",
		event:     Subscribing{API: LogsAPI, Name: "agent", State: Subscribed, Types: Function.Names()},
		kind:      "platform.logsSubscription",
		telemetry: `{"name":"agent","state":"Subscribed","types":["function"]}`,
		logs:      `{"name":"agent","state":"Subscribed","types":["function"]}`,
	},
	{
		name:      "logsDropped",
		event:     LogsDropped{Reason: "slow", DroppedRecords: 123, DroppedBytes: 12345},
		kind:      "platform.logsDropped",
		telemetry: `{"droppedRecords":123,"droppedBytes":12345,"reason":"slow"}`,
		logs:      `{"droppedRecords":123,"droppedBytes":12345,"reason":"slow"}`,
	},
	{
		name:  "function",
		event: Line{Source: Function, Text: []byte("a <b> & \"c\"\\\t\x01\x1b[0m é\u2028")}, kind: "function",
		telemetry: `"a <b> & \"c\"\\\t\u0001\u001b[0m é` + "\u2028" + `"`,
		logs:      `"a <b> & \"c\"\\\t\u0001\u001b[0m é` + "\u2028" + `"`,
	},
	{
		name:  "function, JSON in text format",
		event: Line{Source: Function, Text: []byte(`{"a":1}`)}, kind: "function", telemetry: `"{\"a\":1}"`, logs: `"{\"a\":1}"`,
	},
	{name: "extension line", event: Line{Source: Extension, Text: []byte("x\xff\xfey")}, kind: "extension", telemetry: `"x��y"`, logs: `"x��y"`},
}

// expected is what a schema makes of the event.
func (g golden) expected(s Schema) string {
	record := g.telemetry
	if s.logs() {
		record = g.logs
	}
	if s == Logs20200815 && g.oldLogs != "" {
		record = g.oldLogs
	}
	if record == "" || record == none {
		return ""
	}
	return `{"time":"2022-10-12T00:00:15.064Z","type":"` + g.kind + `","record":` + record + `}`
}

func TestAppend(t *testing.T) {
	for _, list := range [][]golden{initGolden, invokeGolden, otherGolden} {
		for _, g := range list {
			t.Run(g.name, func(t *testing.T) {
				for _, s := range allSchemas {
					got, ok := Append([]byte("before"), s, epoch.In(time.FixedZone("east", 3600)), g.event)
					want := "before" + g.expected(s)
					if diff := cmp.Diff(want, string(got)); diff != "" || ok != (want != "before") {
						t.Errorf("schema %s (%v): %s", s, ok, diff)
					}
				}
			})
		}
	}
}

// TestAppendJSONLine: lines that are JSON objects, in the JSON log format.
func TestAppendJSONLine(t *testing.T) {
	for _, tt := range []struct{ name, line, object string }{
		{"object", `{"level":"INFO","message":"<é>"}`, `{"level":"INFO","message":"<é>"}`},
		{"spaces", "\t {\"a\":\r\n[1,\n2]} \n", `{"a":  [1, 2]}`},
		{"not UTF-8", "{\"a\":\"\xff\"}", ""},
		{"array", `[1]`, ""},
		{"string", `"{}"`, ""},
		{"cut off", `{"a":1`, ""},
		{"two", `{"a":1},{"b":2}`, ""},
		{"breaks out", `{"a":1}}],[{`, ""},
		{"not JSON", `{a:1}`, ""},
		{"too deep", `{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, ""},
		{"empty", ``, ""},
	} {
		for _, s := range allSchemas {
			want := appendString(nil, tt.line) // FuzzLine has the other opinion
			if tt.object != "" && (s == Telemetry20221213 || s == Telemetry20250129) {
				want = []byte(tt.object)
			}
			got := Line{Source: Function, Text: []byte(tt.line), JSON: true}.appendRecord(nil, s)
			if string(got) != string(want) {
				t.Errorf("%s, schema %s: got %.100s, want %.100s", tt.name, s, got, want)
			}
		}
	}
}

// FuzzLine: whatever a function prints, the event is one line of JSON that
// says the same.
func FuzzLine(f *testing.F) {
	for _, seed := range []string{"", "a\x00b\x7f", "{\"a\":\n1}", "{\"\xff\":1}", "\xe2\x80", "{}\n", `{"a":"\ud800"}`, "\u2028 \\u0000"} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, text []byte, asJSON bool) {
		for _, s := range allSchemas {
			got, ok := Append(nil, s, epoch, Line{Source: Function, Text: text, JSON: asJSON})
			if !ok || !json.Valid(got) || !utf8.Valid(got) || bytes.ContainsAny(got, "\r\n") {
				t.Fatalf("schema %s: %q", s, got)
			}
			var e event
			if err := json.Unmarshal(got, &e); err != nil {
				t.Fatal(err)
			}
			if e.Record[0] == '"' {
				sameString(t, e.Record, text)
				continue
			}
			var want, have any
			if json.Unmarshal(text, &want) != nil || json.Unmarshal(e.Record, &have) != nil || !cmp.Equal(want, have) {
				t.Fatalf("%q became %s", text, e.Record)
			}
		}
	})
}

// sameString compares with what encoding/json makes of the bytes.
func sameString(t *testing.T, record, text []byte) {
	t.Helper()
	std, err := json.Marshal(string(text))
	if err != nil {
		t.Fatal(err)
	}
	var want, have string
	if json.Unmarshal(std, &want) != nil || json.Unmarshal(record, &have) != nil || want != have {
		t.Fatalf("%q became %s, decoded %q", text, record, have)
	}
}
