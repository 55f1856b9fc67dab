package telemetry_test

import (
	"encoding/json"
	"fmt"
	"net"

	"github.com/lambhq/lamb/extension/telemetry"
)

// Records have the type that goes with the event's.
func ExampleEvent() {
	for _, text := range []string{
		`{"time":"2022-10-12T00:00:15.064Z","type":"platform.initStart","record":{"initializationType":"on-demand","phase":"init","functionName":"f","functionVersion":"$LATEST"}}`,
		`{"time":"2022-10-12T00:00:15.064Z","type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"init","status":"success"}}`,
		`{"time":"2022-10-12T00:00:15.064Z","type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","status":"success","metrics":{"durationMs":125.33}}}`,
		`{"time":"2022-10-12T00:00:15.064Z","type":"platform.extension","record":{"name":"x","state":"Ready","events":["INVOKE"]}}`,
		`{"time":"2022-10-12T00:00:15.064Z","type":"platform.telemetrySubscription","record":{"name":"x","state":"Subscribed","types":["platform"]}}`,
		`{"time":"2022-10-12T00:00:15.064Z","type":"platform.start","record":{"requestId":"1","version":"$LATEST","tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1","spanId":"54565fb41ac79632"}}}`,
		`{"time":"2022-10-12T00:00:15.064Z","type":"platform.runtimeDone","record":{"requestId":"1","status":"success","metrics":{"durationMs":141.1,"producedBytes":7},"spans":[{"name":"responseLatency","start":"2022-10-12T00:00:15.064Z","durationMs":23.02}]}}`,
		`{"time":"2022-10-12T00:00:15.064Z","type":"platform.report","record":{"requestId":"1","status":"timeout","metrics":{"durationMs":3000,"billedDurationMs":3000,"memorySizeMB":128,"maxMemoryUsedMB":55}}}`,
		`{"time":"2022-10-12T00:00:15.064Z","type":"platform.restoreStart","record":{"functionName":"f"}}`,
		`{"time":"2022-10-12T00:00:15.064Z","type":"platform.restoreRuntimeDone","record":{"status":"success"}}`,
		`{"time":"2022-10-12T00:00:15.064Z","type":"platform.restoreReport","record":{"status":"success","metrics":{"durationMs":70.87}}}`,
		`{"time":"2022-10-12T00:00:15.064Z","type":"platform.logsDropped","record":{"reason":"too slow","droppedRecords":12,"droppedBytes":345}}`,
		`{"time":"2022-10-12T00:00:15.064Z","type":"function","record":{"level":"INFO","message":"hello"}}`,
		`{"time":"2022-10-12T00:00:15.064Z","type":"platform.tomorrow","record":{"what":"is not known yet"}}`,
	} {
		var e telemetry.Event
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			fmt.Println(err)
		}
		fmt.Println(describe(e))
	}
	// Output:
	// platform.initStart of f, on-demand, init
	// platform.initRuntimeDone: success
	// platform.initReport after 125.33ms
	// platform.extension x is Ready for [INVOKE]
	// platform.telemetrySubscription of x: [platform]
	// platform.start of 1, span 54565fb41ac79632
	// platform.runtimeDone of 1: 7 bytes, responseLatency 23.02ms
	// platform.report of 1: timeout, 3s, 55 of 128 MB
	// platform.restoreStart of f
	// platform.restoreRuntimeDone: success
	// platform.restoreReport after 70.87ms
	// platform.logsDropped: 12 events, too slow
	// function: {"level":"INFO","message":"hello"}
	// platform.tomorrow: {"what":"is not known yet"}
}

// describe says what happened.
func describe(e telemetry.Event) string {
	switch r := e.Record.(type) {
	case *telemetry.InitStart:
		return fmt.Sprintf("%s of %s, %s, %s", e.Type, r.FunctionName, r.InitializationType, r.Phase.Phase)
	case *telemetry.InitRuntimeDone:
		return fmt.Sprintf("%s: %s", e.Type, r.Status)
	case *telemetry.InitReport:
		return fmt.Sprintf("%s after %s", e.Type, r.Metrics.Duration.Duration())
	case *telemetry.ExtensionState:
		return fmt.Sprintf("%s %s is %s for %s", e.Type, r.Name, r.State, r.Events)
	case *telemetry.Subscription:
		return fmt.Sprintf("%s of %s: %s", e.Type, r.Name, r.Types)
	case *telemetry.Start:
		return fmt.Sprintf("%s of %s, span %s", e.Type, r.RequestID, r.Tracing.SpanID)
	case *telemetry.RuntimeDone:
		return fmt.Sprintf("%s of %s: %d bytes, %s %s", e.Type, r.RequestID, r.Metrics.ProducedBytes, r.Spans[0].Name, r.Spans[0].Duration.Duration())
	case *telemetry.Report:
		return fmt.Sprintf("%s of %s: %s, %s, %d of %d MB", e.Type, r.RequestID, r.Status, r.Metrics.Duration.Duration(), r.Metrics.MaxMemoryUsedMB, r.Metrics.MemorySizeMB)
	case *telemetry.RestoreStart:
		return fmt.Sprintf("%s of %s", e.Type, r.FunctionName)
	case *telemetry.RestoreRuntimeDone:
		return fmt.Sprintf("%s: %s", e.Type, r.Status)
	case *telemetry.RestoreReport:
		return fmt.Sprintf("%s after %s", e.Type, r.Metrics.Duration.Duration())
	case *telemetry.LogsDropped:
		return fmt.Sprintf("%s: %d events, %s", e.Type, r.DroppedRecords, r.Reason)
	case *telemetry.Log:
		return fmt.Sprintf("%s: %s", e.Type, r.JSON)
	}
	return fmt.Sprintf("%s: %s", e.Type, e.Raw)
}

// Over TCP, events come one a line; Batches has them as they come.
func ExampleListenTCP() {
	receiver, err := telemetry.ListenTCP(0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer receiver.Close()
	conn, err := net.Dial("tcp", receiver.Addr().String()) // in Lambda, the platform does
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	fmt.Fprintln(conn, `{"time":"2022-10-12T00:00:15.064Z","type":"function","record":"hello"}`)
	for _, e := range <-receiver.Batches() {
		if line, ok := e.Record.(*telemetry.Log); ok {
			fmt.Println(e.Type, line.Text)
		}
	}
	// Output: function hello
}
