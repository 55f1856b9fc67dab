package telemetry

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseSubscription(t *testing.T) {
	defaults := Buffering{MaxItems: 10000, MaxBytes: 262144, Timeout: time.Second}
	for _, tt := range []struct {
		name  string
		api   API
		body  string
		rules Rules
		want  Subscription
	}{
		{
			name: "defaults",
			body: `{"schemaVersion":"2022-07-01","types":["platform"],"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:4243"}}`,
			want: Subscription{
				Schema: Telemetry20220701, Types: Platform, Method: "POST", Buffering: defaults,
				Destination: Destination{HTTP, 4243, "/"},
			},
		},
		{
			name: "everything, least limits",
			body: `{"schemaVersion":"2022-12-13","types":["extension","function","platform","platform"],
				"buffering":{"maxItems":1000,"maxBytes":262144,"timeoutMs":25},
				"destination":{"protocol":"HTTP","URI":"http://sandbox:80/a/b?c=d#e","method":"PUT","encoding":"JSON"},"unknown":{}}`,
			want: Subscription{
				Schema: Telemetry20221213, Types: Platform | Function | Extension, Method: "PUT",
				Buffering: Buffering{1000, 262144, 25 * time.Millisecond}, Destination: Destination{HTTP, 80, "/a/b?c=d"},
			},
		},
		{
			name: "TCP, largest limits",
			body: `{"schemaVersion":"2025-01-29","types":["function"],"buffering":{"maxItems":10000,"maxBytes":1048576,"timeoutMs":30000},
				"destination":{"protocol":"TCP","port":65535}}`,
			rules: Rules{ManagedInstances: true, RefusedPorts: []int{80}},
			want: Subscription{
				Schema: Telemetry20250129, Types: Function, Buffering: Buffering{10000, 1048576, 30 * time.Second},
				Destination: Destination{Protocol: TCP, Port: 65535},
			},
		},
		{
			name: "no port, nulls", // as New Relic's: no schemaVersion
			api:  LogsAPI,
			body: `{"schemaVersion":null,"types":["platform","function"],"buffering":{"maxItems":null},"destination":{"protocol":"HTTP","URI":"http://sandbox"}}`,
			want: Subscription{
				API: LogsAPI, Schema: Logs20200815, Types: Platform | Function, Method: "POST", Buffering: defaults,
				Destination: Destination{HTTP, 80, "/"},
			},
		},
		{
			name: "Logs API, newer schema", // as Elastic's
			api:  LogsAPI,
			body: `{"schemaVersion":"2021-03-18","types":["platform"],"buffering":null,"destination":{"protocol":"TCP","port":1}}`,
			want: Subscription{
				API: LogsAPI, Schema: Logs20210318, Types: Platform, Buffering: defaults, Destination: Destination{Protocol: TCP, Port: 1},
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseSubscription(tt.api, []byte(tt.body), tt.rules)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// refusals change one thing of a request that is good for both APIs.
var refusals = []struct {
	name, old, new string
	message        string // part of it
}{
	{"not JSON", `{"types"`, `{types`, "not valid"},
	{"trailing", `}}`, `}}{}`, "not valid"},
	{"array", `{"types"`, `[{"types"`, "not valid"},
	{"schema of neither", `SCHEMA`, `2020-01-01`, `"2020-01-01" is not supported`},
	{"empty schema", `SCHEMA`, ``, `"" is not supported`},
	{"schema is a number", `"SCHEMA"`, `1`, "not valid"},
	{"no types", `["platform"]`, `[]`, "types is required"},
	{"null types", `["platform"]`, `null`, "types is required"},
	{"types is a string", `["platform"]`, `"platform"`, "not valid"},
	{"unknown type", `["platform"]`, `["platform","Function"]`, `"Function"`},
	{"maxItems below", `"maxItems":1000`, `"maxItems":999`, "buffering.maxItems is 999; it must be from 1000 to 10000"},
	{"maxItems above", `"maxItems":1000`, `"maxItems":10001`, "buffering.maxItems is 10001"},
	{"maxItems broken", `"maxItems":1000`, `"maxItems":1000.5`, "not valid"},
	{"maxItems text", `"maxItems":1000`, `"maxItems":"1000"`, "not valid"},
	{"maxItems huge", `"maxItems":1000`, `"maxItems":99999999999999999999`, "not valid"},
	{"maxBytes below", `"maxBytes":262144`, `"maxBytes":262143`, "buffering.maxBytes is 262143; it must be from 262144 to 1048576"},
	{"maxBytes above", `"maxBytes":262144`, `"maxBytes":1048577`, "buffering.maxBytes is 1048577"},
	{"timeoutMs below", `"timeoutMs":25`, `"timeoutMs":24`, "buffering.timeoutMs is 24; it must be from 25 to 30000"},
	{"timeoutMs above", `"timeoutMs":25`, `"timeoutMs":30001`, "buffering.timeoutMs is 30001"},
	{"timeoutMs negative", `"timeoutMs":25`, `"timeoutMs":-25`, "buffering.timeoutMs is -25"},
	{"buffering is a list", `"buffering":{`, `"buffering":[],"x":{`, "not valid"},
	{"no destination", `"destination"`, `"elsewhere"`, "destination is required"},
	{"no protocol", `"protocol":"HTTP",`, ``, `destination.protocol is ""`},
	{"protocol in lower case", `"HTTP"`, `"http"`, `destination.protocol is "http"`},
	{"encoding", `"protocol"`, `"encoding":"XML","protocol"`, `destination.encoding is "XML"`},
	{"method", `"protocol"`, `"method":"DELETE","protocol"`, `destination.method is "DELETE"`},
	{"no URI", `"URI"`, `"UR"`, `destination.URI ""`},
	{"https", `http://`, `https://`, "not of the form"},
	{"no scheme", `http://`, ``, "not of the form"},
	{"user", `http://`, `http://user:secret@`, "not of the form"},
	{"new line", `:4243/`, `:4243/\n`, "not of the form"},
	{"localhost", `sandbox.localdomain`, `localhost`, `host "localhost"`},
	{"loopback", `sandbox.localdomain`, `127.0.0.1`, `host "127.0.0.1"`},
	{"elsewhere", `sandbox.localdomain`, `example.com`, `host "example.com"`},
	{"metadata service", `sandbox.localdomain`, `169.254.169.254`, `host "169.254.169.254"`},
	{"longer name", `sandbox.localdomain`, `sandbox.localdomain.example.com`, "host"},
	{"upper case", `sandbox.localdomain`, `SANDBOX.localdomain`, "host"},
	{"no host", `sandbox.localdomain`, ``, `host ""`},
	{"port 0", `:4243`, `:0`, `port "0"`},
	{"port too large", `:4243`, `:65536`, `port "65536"`},
	{"port is text", `:4243`, `:http`, "not of the form"},
	{"Runtime API's port", `:4243`, `:9001`, "port 9001 is reserved"},
	{"Runtime API's port in disguise", `:4243`, `:09001`, "port 9001 is reserved"},
	{"refused port", `:4243`, `:4000`, "port 4000 is reserved"},
	{"TCP without port", `"HTTP"`, `"TCP"`, "destination.port must be from 1 to 65535"},
	{"TCP, port 0", `"HTTP"`, `"TCP","port":0`, "destination.port must be"},
	{"TCP, port too large", `"HTTP"`, `"TCP","port":65536`, "destination.port must be"},
	{"TCP, port broken", `"HTTP"`, `"TCP","port":1.5`, "not valid"},
	{"TCP, Runtime API's port", `"HTTP"`, `"TCP","port":9001`, "port 9001 is reserved"},
	{"TCP, refused port", `"HTTP"`, `"TCP","port":4000`, "port 4000 is reserved"},
	{"too long", `{"types"`, `{"x":"` + strings.Repeat("x", MaxBody) + `","types"`, "longer than 65536 bytes"},
	{"long value", `"HTTP"`, `"` + strings.Repeat("x", MaxBody/2) + `"`, "destination.protocol is"},
}

func TestSubscriptionRefused(t *testing.T) {
	const good = `{"types":["platform"],"schemaVersion":"SCHEMA","buffering":{"maxItems":1000,"maxBytes":262144,"timeoutMs":25},` +
		`"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:4243/"}}`
	rules := Rules{RefusedPorts: []int{4000}}
	for api, schema := range map[API]Schema{TelemetryAPI: Telemetry20221213, LogsAPI: Logs20210318} {
		kind := map[API]string{TelemetryAPI: "ValidationError", LogsAPI: "Logs.ValidationError"}[api]
		parse := func(body string) (Subscription, error) {
			return ParseSubscription(api, []byte(strings.Replace(body, "SCHEMA", string(schema), 1)), rules)
		}
		if _, err := parse(good); err != nil {
			t.Fatalf("%s: %v", api, err)
		}
		for _, tt := range refusals {
			body := strings.Replace(good, tt.old, tt.new, 1)
			if body == good {
				t.Fatalf("%s changes nothing", tt.name)
			}
			_, err := parse(body)
			wantError(t, api.String()+", "+tt.name, err, 400, kind, tt.message)
		}
	}
}

// TestSchemaRefused: what is good for one API, or elsewhere, only.
func TestSchemaRefused(t *testing.T) {
	const rest = `"types":["platform"],"destination":{"protocol":"TCP","port":1}}`
	managed := Rules{ManagedInstances: true}
	for _, tt := range []struct {
		api     API
		rules   Rules
		schema  string
		message string
	}{
		{TelemetryAPI, Rules{}, ``, "schemaVersion is required"},
		{TelemetryAPI, Rules{}, `"schemaVersion":"2020-08-15",`, `"2020-08-15" is not supported`},
		{TelemetryAPI, managed, `"schemaVersion":"2022-12-13",`, `"2022-12-13" is not supported`},
		{LogsAPI, Rules{}, `"schemaVersion":"2022-12-13",`, `"2022-12-13" is not supported`},
		{LogsAPI, managed, `"schemaVersion":"2025-01-29",`, "no Logs API"},
		{LogsAPI, managed, ``, "no Logs API"},
	} {
		_, err := ParseSubscription(tt.api, []byte(`{`+tt.schema+rest), tt.rules)
		kind := map[API]string{TelemetryAPI: "ValidationError", LogsAPI: "Logs.ValidationError"}[tt.api]
		wantError(t, tt.api.String()+" "+tt.schema, err, 400, kind, tt.message)
	}
}

func wantError(t *testing.T, name string, err error, status int, kind, message string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Status != status || e.Type != kind || !strings.Contains(e.Message, message) || len(e.Message) > 500 {
		t.Errorf("%s: got %#v, want status %d, %s, ...%s...", name, err, status, kind, message)
	}
}

// FuzzParseSubscription: whatever comes is refused in the service's words or
// is within its limits.
func FuzzParseSubscription(f *testing.F) {
	f.Add([]byte(httpBody), false, false)
	f.Add([]byte(tcpBody), false, true)
	f.Add([]byte(`{"types":["function"],"destination":{"protocol":"HTTP","URI":"http://sandbox:1/a b%00é?x= y HTTP/1.1"}}`), true, false)
	f.Add([]byte(`{"schemaVersion":"2021-03-18","types":["extension"],"destination":{"protocol":"HTTP","URI":"http://sandbox:1 HTTP/1.1\r\nx: y"}}`), true, false)
	f.Fuzz(func(t *testing.T, body []byte, logs, managed bool) {
		api := TelemetryAPI
		if logs {
			api = LogsAPI
		}
		s, err := ParseSubscription(api, body, Rules{ManagedInstances: managed})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Status != 400 || e.Message == "" || len(e.Message) > 1000 {
				t.Fatalf("error %#v", err)
			}
			return
		}
		b, d := s.Buffering, s.Destination
		if b.MaxItems < 1000 || b.MaxItems > 10000 || b.MaxBytes < 262144 || b.MaxBytes > 1048576 ||
			b.Timeout < 25*time.Millisecond || b.Timeout > 30*time.Second || s.Types == 0 || s.Types&^allCategories != 0 ||
			s.Schema.logs() != logs || d.Port < 1 || d.Port > 65535 || d.Port == 9001 || !json.Valid(body) {
			t.Fatalf("accepted as %+v", s)
		}
		if d.Protocol == HTTP && (!strings.HasPrefix(d.Target, "/") || strings.ContainsFunc(d.Target, func(r rune) bool { return r <= ' ' || r == 0x7f })) {
			t.Fatalf("target is %q", d.Target)
		}
	})
}
