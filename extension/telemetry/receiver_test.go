package telemetry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lambhq/lamb/extension"
	"github.com/lambhq/lamb/extension/telemetry"
)

// batch has an event of every type, as the service sends them.
const batch = `[
{"time":"2022-10-12T00:00:15.064Z","type":"platform.initStart","record":{"initializationType":"on-demand","phase":"init","functionName":"f","runtimeVersion":"python:3.13.v50","instanceMaxMemory":268435456}},
{"time":"2022-10-12T00:00:15.065Z","type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"init","status":"error","errorType":"Runtime.ExitError","spans":[{"name":"someTimeSpan","start":"2022-06-02T12:02:33.913Z","durationMs":70.5}]}},
{"time":"2022-10-12T00:00:15.065Z","type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","status":"success","metrics":{"durationMs":125.33}}},
{"time":"2022-10-12T00:00:15.066Z","type":"platform.extension","record":{"name":"x","state":"Ready","events":["INVOKE","SHUTDOWN"]}},
{"time":"2022-10-12T00:00:15.066Z","type":"platform.telemetrySubscription","record":{"name":"x","state":"Subscribed","types":["platform"]}},
{"time":"2022-10-12T00:00:15.067Z","type":"platform.start","record":{"requestId":"id","version":"$LATEST","tracing":{"spanId":"54565fb41ac79632","type":"X-Amzn-Trace-Id","value":"Root=1"}}},
{"time":"2022-10-12T00:00:15.068Z","type":"function","record":"a line\n"},
{"time":"2022-10-12T00:00:15.068Z","type":"extension","record":{"level":"INFO","message":"m"}},
{"time":"2022-10-12T00:00:15.069Z","type":"platform.runtimeDone","record":{"requestId":"id","status":"success","metrics":{"durationMs":140.0,"producedBytes":16},"tenantId":"blue"}},
{"time":"2022-10-12T00:00:15.070Z","type":"platform.report","record":{"requestId":"id","status":"timeout","metrics":{"durationMs":140.256,"billedDurationMs":141,"memorySizeMB":128,"maxMemoryUsedMB":50,"initDurationMs":12.5}}},
{"time":"2022-10-12T00:00:15.071Z","type":"platform.restoreStart","record":{"functionName":"f"}},
{"time":"2022-10-12T00:00:15.071Z","type":"platform.restoreRuntimeDone","record":{"status":"success"}},
{"time":"2022-10-12T00:00:15.071Z","type":"platform.restoreReport","record":{"status":"success","metrics":{"durationMs":15.19}}},
{"time":"2022-10-12T00:00:15.072Z","type":"platform.logsDropped","record":{"droppedBytes":12345,"droppedRecords":123,"reason":"slow"}},
{"time":"2022-10-12T00:00:15.073Z","type":"platform.new","record":{"a":1}},
{"time":"2022-10-12T00:00:15.074Z","type":"platform.report","record":"not an object"}
]`

// summaries are the events' records in short.
func summaries(events []telemetry.Event) []string {
	var all []string
	for _, e := range events {
		text := fmt.Sprintf("%T", e.Record)
		switch r := e.Record.(type) {
		case *telemetry.InitStart:
			text = fmt.Sprint("initStart ", r.InitializationType, r.Phase.Phase, r.FunctionName, r.RuntimeVersion, r.InstanceMaxMemory)
		case *telemetry.InitRuntimeDone:
			text = fmt.Sprint("initRuntimeDone ", r.Status, r.ErrorType, r.Spans[0].Duration.Duration(), r.Spans[0].Start.Year())
		case *telemetry.InitReport:
			text = fmt.Sprint("initReport ", r.Metrics.Duration)
		case *telemetry.ExtensionState:
			text = fmt.Sprint("extension ", r.Name, r.State, r.Events)
		case *telemetry.Subscription:
			text = fmt.Sprint("subscription ", r.State, r.Types)
		case *telemetry.Start:
			text = fmt.Sprint("start ", r.RequestID, r.Version, r.Tracing.Value, r.Tracing.SpanID)
		case *telemetry.Log:
			text = fmt.Sprintf("log %q %s", r.Text, r.JSON)
		case *telemetry.RuntimeDone:
			text = fmt.Sprint("runtimeDone ", r.RequestID, r.Status, r.Metrics.ProducedBytes, r.TenantID)
		case *telemetry.Report:
			text = fmt.Sprint("report ", r.Status, r.Metrics)
		case *telemetry.RestoreReport:
			text = fmt.Sprint("restoreReport ", r.Metrics.Duration)
		case *telemetry.LogsDropped:
			text = fmt.Sprint("dropped ", r.DroppedRecords, r.DroppedBytes, r.Reason)
		}
		all = append(all, text)
	}
	return all
}

var want = []string{
	"initStart on-demandinitfpython:3.13.v50268435456",
	"initRuntimeDone errorRuntime.ExitError70.5ms 2022",
	"initReport 125.33",
	"extension xReady[INVOKE SHUTDOWN]",
	"subscription Subscribed[platform]",
	"start id$LATESTRoot=154565fb41ac79632",
	`log "a line\n" `,
	`log "{\"level\":\"INFO\",\"message\":\"m\"}" {"level":"INFO","message":"m"}`,
	"runtimeDone idsuccess16blue",
	"report timeout{140.256 141 128 50 12.5 0 0}",
	"*telemetry.RestoreStart", "*telemetry.RestoreRuntimeDone",
	"restoreReport 15.19",
	"dropped 123 12345slow",
	"json.RawMessage", "json.RawMessage",
}

// collect reads n events.
func collect(r *telemetry.Receiver, n int) []telemetry.Event {
	var all []telemetry.Event
	for e := range r.Events() {
		if all = append(all, e); len(all) == n {
			break
		}
	}
	return all
}

func TestHTTP(t *testing.T) {
	r, err := telemetry.ListenHTTP(0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	status := make(chan int, 1)
	post := func(body string) {
		res, err := http.Post("http://"+r.Addr().String(), "application/json", strings.NewReader(body))
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		res.Body.Close()
		status <- res.StatusCode
	}
	if want := fmt.Sprintf("http://sandbox.localdomain:%d", r.Addr().(*net.TCPAddr).Port); r.Destination().URI != want {
		t.Errorf("destination %+v, want %s", r.Destination(), want)
	}
	go post(batch)
	events := collect(r, len(want))
	if got := <-status; got != 200 {
		t.Errorf("status %d", got)
	}
	if diff := cmp.Diff(want, summaries(events)); diff != "" {
		t.Errorf("- want, + got:\n%s", diff)
	}
	if at := time.Date(2022, 10, 12, 0, 0, 15, 64e6, time.UTC); !events[0].Time.Equal(at) || len(events[0].Raw) == 0 {
		t.Errorf("time %v, raw %q", events[0].Time, events[0].Raw)
	}
	go post(`{`)
	if got := <-status; got != 400 {
		t.Errorf("status %d for what is no batch", got)
	}
	go post(`[]`) // nothing to hand over, so nobody has to read
	if got := <-status; got != 200 {
		t.Errorf("status %d for an empty batch", got)
	}
}

func TestTCP(t *testing.T) {
	r, err := telemetry.ListenTCP(0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if d := r.Destination(); d.URI != "" || d.Port != r.Addr().(*net.TCPAddr).Port {
		t.Fatalf("destination %+v", d)
	}
	c, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var records []json.RawMessage
	if err := json.Unmarshal([]byte(batch), &records); err != nil {
		t.Fatal(err)
	}
	go func() {
		for _, record := range records {
			var line bytes.Buffer
			_ = json.Compact(&line, record)
			line.WriteString("\n\n")
			if _, err := c.Write(line.Bytes()); err != nil {
				t.Error(err)
			}
		}
		_, _ = c.Write([]byte("nonsense\n"))
	}()
	if diff := cmp.Diff(want, summaries(collect(r, len(want)))); diff != "" {
		t.Errorf("- want, + got:\n%s", diff)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection goes on after nonsense")
	}
}

// TestClose ends a receiver whose batches nobody reads.
func TestClose(t *testing.T) {
	for name, listen := range map[string]func(int) (*telemetry.Receiver, error){"HTTP": telemetry.ListenHTTP, "TCP": telemetry.ListenTCP} {
		r, err := listen(0)
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", r.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		event := `{"time":"2022-10-12T00:00:15.064Z","type":"function","record":"x"}`
		if name == "HTTP" {
			event = fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n[%s]", len(event)+2, event)
		}
		if _, err := fmt.Fprintln(c, event); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := r.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for range r.Events() {
			t.Errorf("%s: an event after Close", name)
		}
	}
	if _, err := telemetry.ListenHTTP(-1); err == nil {
		t.Error("listens on a port that is none")
	}
}

// What an extension does with telemetry: subscribe in Init, and read.
func ExampleReceiver() {
	receiver, err := telemetry.ListenHTTP(0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer receiver.Close()
	subscription := extension.Subscription{
		Streams:     []extension.Stream{extension.Function},
		Destination: receiver.Destination(),
	}
	fmt.Println("to be subscribed:", subscription.Streams) // in Init, by client.Subscribe
	go http.Post("http://"+receiver.Addr().String(), "application/json", strings.NewReader(
		`[{"time":"2022-10-12T00:00:15.064Z","type":"function","record":"Hello, telemetry\n"}]`))

	for e := range receiver.Events() {
		if line, ok := e.Record.(*telemetry.Log); ok {
			fmt.Print(line.Text)
			break
		}
	}
	// Output:
	// to be subscribed: [function]
	// Hello, telemetry
}
