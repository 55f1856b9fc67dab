package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// parcel is what an extension has sent: an event that it was told of, and the
// telemetry that came before.
type parcel struct {
	Event     struct{ EventType, RequestID, ShutdownReason string }
	Telemetry []struct {
		Type   string
		Record json.RawMessage
	}
}

// sink is a server of ours, elsewhere, to which extensions send.
type sink struct {
	url     string
	parcels chan parcel
}

func newSink(t *testing.T, l *lamb) *sink {
	t.Helper()
	s := &sink{parcels: make(chan parcel, 100)}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var p parcel
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
			t.Errorf("an extension sends: %v", err)
		}
		s.parcels <- p
	}))
	t.Cleanup(server.Close)
	s.url = l.inside(t, server.URL)
	return s
}

// life receives until an extension was told of the end.
func (s *sink) life(t *testing.T) []parcel {
	t.Helper()
	var all []parcel
	timeout := time.After(patience)
	for {
		select {
		case p := <-s.parcels:
			all = append(all, p)
			if p.Event.EventType == "SHUTDOWN" {
				return all
			}
		case <-timeout:
			t.Fatalf("the extension has sent %+v, and then nothing", all)
		}
	}
}

// TestLanguageExtensions has extensions in Python and Node, written as AWS's
// guides have them, watch a function in the same language.
func TestLanguageExtensions(t *testing.T) {
	t.Parallel()
	l := startLamb(t)
	code := map[string]file{
		"python3": {"app.py", 0o644, "def handler(event, context):\n    print('works on', event)\n    return event\n"},
		"node":    {"app.js", 0o644, "exports.handler = async (event) => { console.log('works on', event); return event; };\n"},
	}
	for _, e := range []struct {
		name, program, runtime string
		want                   []string // the types that come for each invocation
	}{
		{"python_telemetry_extension", "python3", "python3.12", []string{"platform.start", "function", "platform.runtimeDone", "platform.report"}},
		{"node_logs_extension", "node", "nodejs20.x", []string{"platform.start", "function", "platform.runtimeDone", "platform.end", "platform.report"}},
	} {
		t.Run(e.program, func(t *testing.T) {
			needInside(t, e.program)
			program, err := os.ReadFile(filepath.Join("testdata", "extensions", e.name))
			if err != nil {
				t.Fatal(err)
			}
			s := newSink(t, l)
			f := fn{
				name: "watched-" + e.program, runtime: e.runtime, handler: "app.handler", code: zipOf(t, code[e.program]), env: map[string]string{"SINK": s.url},
				layers: []string{l.publishLayer(t, e.program, zipOf(t, file{"extensions/" + e.name, 0o755, string(program)}))},
			}
			if !l.isolated() { // there is one network for all, with no such name
				f.env["LISTENER_HOST"] = "127.0.0.1"
			}
			l.create(t, f)
			var ids []string
			for range 3 {
				// With its log, the answer waits until the extension is done too, and
				// no second environment comes.
				got := l.invoke(t, f.name, `"seen"`, withTail)
				got.succeeded(t)
				ids = append(ids, requestID(got.InvokeOutput))
			}
			if _, err := l.client().DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: &f.name}); err != nil {
				t.Fatal(err)
			}
			checkLife(t, s.life(t), ids, e.want, e.name)
		})
	}
}

// checkLife looks at what an extension was told of, and got, in its life.
func checkLife(t *testing.T, parcels []parcel, ids, want []string, name string) {
	t.Helper()
	var told []string
	types := map[string][]string{} // by request
	texts := map[string]string{}   // of log lines by their source
	for _, p := range parcels {
		told = append(told, strings.Trim(p.Event.EventType+" "+p.Event.RequestID+p.Event.ShutdownReason, " "))
		for _, ev := range p.Telemetry {
			var text string
			var record struct{ RequestID string }
			if json.Unmarshal(ev.Record, &text) == nil {
				texts[ev.Type] += text + "\n"
				record.RequestID = "line"
			} else if err := json.Unmarshal(ev.Record, &record); err != nil {
				t.Error(err)
			}
			types[record.RequestID] = append(types[record.RequestID], ev.Type)
		}
	}
	if all := []string{"INVOKE " + ids[0], "INVOKE " + ids[1], "INVOKE " + ids[2], "SHUTDOWN spindown"}; !slices.Equal(told, all) {
		t.Errorf("told of %q, want %q", told, all)
	}
	want = slices.DeleteFunc(slices.Clone(want), func(kind string) bool { return kind == "function" })
	for _, id := range ids {
		if !slices.Equal(types[id], want) {
			t.Errorf("of invocation %s it got %q, want %q", id, types[id], want)
		}
	}
	if got := strings.Count(texts["function"], "works on seen"); got != 3 {
		t.Errorf("the function's lines:\n%s", texts["function"])
	}
	if !strings.Contains(texts["extension"], name+" is ready") {
		t.Errorf("the extension's own lines:\n%s", texts["extension"])
	}
}
