package invoke

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/pool"
)

type fakeCatalog map[string]*function.Version

func (c fakeCatalog) Lookup(key function.Key, version string) (*function.Version, bool) {
	v, ok := c[key.Name+":"+version]
	return v, ok
}

func (fakeCatalog) LookupAlias(function.Key, string, float64) (*function.Version, bool) {
	return nil, false
}

// fakeSlots never gives a slot.
type fakeSlots struct{ err error }

func (s fakeSlots) Acquire(context.Context, *function.Version, string) (*pool.Slot, error) {
	return nil, s.err
}

var errNoSandbox = errors.New("secret details of the host")

// post sends an Invoke that has passed the gateway.
func post(t *testing.T, s *Service, in *api.InvocationRequest) (int, http.Header, map[string]any) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r = r.WithContext(api.WithCaller(r.Context(), api.Caller{
		Partition: "aws", Account: "000000000000", Region: "us-east-1", RequestID: "req-1",
	}))
	w := httptest.NewRecorder()
	s.Serve(w, r, in)
	body := map[string]any{}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatalf("body %q: %v", w.Body, err)
		}
	}
	return w.Code, w.Header(), body
}

func ptr(s string) *string { return &s }

// TestRefusals: what Invoke answers without running anything.
func TestRefusals(t *testing.T) {
	version := func(state function.State) *function.Version {
		return &function.Version{Key: function.Key{Partition: "aws", Account: "000000000000", Region: "us-east-1", Name: "f"}, Version: function.Latest, State: state}
	}
	s := New(Config{
		Catalog: fakeCatalog{"f:$LATEST": version(function.StateActive), "pending:$LATEST": version(function.StatePending)},
		Slots:   fakeSlots{err: errNoSandbox},
	})
	tests := []struct {
		name   string
		in     api.InvocationRequest
		status int
		code   string
		text   string
	}{
		{"unknown", api.InvocationRequest{FunctionName: ptr("nope")}, 404, "ResourceNotFoundException",
			"Function not found: arn:aws:lambda:us-east-1:000000000000:function:nope:$LATEST"},
		{"unknown version", api.InvocationRequest{FunctionName: ptr("f:7")}, 404, "ResourceNotFoundException",
			"Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:7"},
		{"unknown alias", api.InvocationRequest{FunctionName: ptr("f"), Qualifier: ptr("live")}, 404, "ResourceNotFoundException",
			"Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:live"},
		{"qualifiers differ", api.InvocationRequest{FunctionName: ptr("f:1"), Qualifier: ptr("2")}, 400, "InvalidParameterValueException",
			"The derived qualifier from the function name does not match the specified qualifier."},
		{"other region", api.InvocationRequest{FunctionName: ptr("arn:aws:lambda:eu-west-1:000000000000:function:f")}, 404, "ResourceNotFoundException",
			"Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"},
		{"other account", api.InvocationRequest{FunctionName: ptr("arn:aws:lambda:us-east-1:111111111111:function:f")}, 403, "AccessDeniedException", ""},
		{"pending", api.InvocationRequest{FunctionName: ptr("pending")}, 409, "ResourceConflictException",
			"The operation cannot be performed at this time. The function is currently in the following state: Pending"},
		{"not JSON", api.InvocationRequest{FunctionName: ptr("f"), Payload: []byte("oops")}, 400, "InvalidRequestContentException",
			"Could not parse request body into json: Could not parse payload into json: Unrecognized token 'oops': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')\n at [Source: (byte[])\"oops\"; line: 1, column: 5]"},
		{"client context", api.InvocationRequest{FunctionName: ptr("f"), ClientContext: ptr("%%%")}, 400, "InvalidRequestContentException",
			"Client context must be a valid Base64-encoded JSON object."},
		{"long client context", api.InvocationRequest{FunctionName: ptr("f"), ClientContext: ptr(strings.Repeat("a", 3584))}, 400, "InvalidRequestContentException",
			"Client context must be no more than 3583 bytes when base64-encoded"},
		{"tenant", api.InvocationRequest{FunctionName: ptr("f"), TenantId: ptr("t")}, 400, "InvalidParameterValueException",
			"The invoked function is not enabled with tenancy configuration. Remove the tenant ID from your request and try again."},
		{"event", api.InvocationRequest{FunctionName: ptr("f"), InvocationType: ptr("Event")}, 501, "NotImplementedException",
			"lamb does not implement the operation Invoke with InvocationType Event"},
		{"cannot start", api.InvocationRequest{FunctionName: ptr("f")}, 500, "ServiceException",
			"The execution environment could not be started."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, h, body := post(t, s, &tt.in)
			text, _ := body["Message"].(string)
			if text == "" {
				text, _ = body["message"].(string)
			}
			if status != tt.status || h.Get("X-Amzn-Errortype") != tt.code || text != tt.text {
				t.Errorf("got %d %s %q\nwant %d %s %q", status, h.Get("X-Amzn-Errortype"), text, tt.status, tt.code, tt.text)
			}
			if h.Get("X-Amzn-Requestid") != "req-1" {
				t.Errorf("request id %q", h.Get("X-Amzn-Requestid"))
			}
		})
	}
	if status, _, body := post(t, s, &api.InvocationRequest{FunctionName: ptr("f"), InvocationType: ptr("DryRun")}); status != 204 || len(body) != 0 {
		t.Errorf("DryRun: %d %v", status, body)
	}
}

func TestThrottled(t *testing.T) {
	var seen []Observation
	s := New(Config{
		Catalog: fakeCatalog{"f:$LATEST": {Version: function.Latest, State: function.StateActive}},
		Slots:   fakeSlots{err: &pool.ThrottledError{Reason: "ConcurrentInvocationLimitExceeded", RetryAfter: 1500 * time.Millisecond}},
		Observe: func(o Observation) { seen = append(seen, o) },
	})
	status, h, body := post(t, s, &api.InvocationRequest{FunctionName: ptr("f")})
	if status != 429 || h.Get("Retry-After") != "1" || body["Reason"] != "ConcurrentInvocationLimitExceeded" || body["message"] != "Rate Exceeded." || body["Type"] != "User" {
		t.Errorf("got %d, Retry-After %q, %v", status, h.Get("Retry-After"), body)
	}
	if len(seen) != 1 || seen[0].Result != "throttle" {
		t.Errorf("observed %+v", seen)
	}
}

// TestClientContextIsOneLine: it becomes a header of the Runtime API, where a
// line feed would begin another one.
func TestClientContextIsOneLine(t *testing.T) {
	in := "{\r\n\t\"custom\" : {\"a\": \"b c\"}\n}"
	got, err := decodeClientContext(base64.StdEncoding.EncodeToString([]byte(in)))
	if err != nil || got != `{"custom":{"a":"b c"}}` {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestAnswer: what the caller of a function that ran is told, beside the
// payload.
func TestAnswer(t *testing.T) {
	w := newWorld(t)
	serve := func(in *api.InvocationRequest, trace string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("X-Amzn-Trace-Id", trace)
		rec := httptest.NewRecorder()
		w.Serve(rec, r.WithContext(api.WithCaller(r.Context(), api.Caller{
			Partition: "aws", Account: "000000000000", Region: "us-east-1", RequestID: "req-1",
		})), in)
		return rec
	}
	const sent = "Root=1-5f84c7a2-aaaaaaaaaaaaaaaaaaaaaaaa;Parent=bbbbbbbbbbbbbbbb;Sampled=1"
	rec := serve(&api.InvocationRequest{FunctionName: ptr("f"), LogType: ptr("Tail")}, sent)
	if rec.Code != 200 || rec.Body.String() != "{}" {
		t.Errorf("an empty event: %d %s", rec.Code, rec.Body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Content-Length": "2", "X-Amz-Executed-Version": "$LATEST",
		"X-Amz-Function-Error": "", "X-Amzn-Trace-Id": sent,
	} {
		if got := rec.Header().Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	tail, err := base64.StdEncoding.DecodeString(rec.Header().Get("X-Amz-Log-Result"))
	if err != nil || !strings.HasPrefix(string(tail), "START RequestId: req-1 ") || !strings.Contains(string(tail), "\nREPORT RequestId: req-1\t") {
		t.Errorf("log tail %q, %v", tail, err)
	}
	rec = serve(&api.InvocationRequest{FunctionName: ptr("f"), Payload: []byte("[1, 2]")}, "")
	if rec.Body.String() != "[1, 2]" || rec.Header().Get("X-Amz-Log-Result") != "" || !strings.HasPrefix(rec.Header().Get("X-Amzn-Trace-Id"), "Root=1-") {
		t.Errorf("got %s with %v", rec.Body, rec.Header())
	}
}

// TestRequestTimes: how long the request took to come is in the record.
func TestRequestTimes(t *testing.T) {
	w := newWorld(t)
	received := time.Date(2026, 11, 30, 1, 2, 3, 0, time.UTC)
	inv, err := w.start(t.Context(), w.version, Request{
		Ref: function.Ref{Key: w.version.Key}, RequestID: "req-1", Received: received, BodyRead: 7 * time.Millisecond,
	}, execenv.Buffered{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	<-inv.Finished()
	if r := inv.Record(); !r.Received.Equal(received) || r.RequestRead != 7*time.Millisecond {
		t.Errorf("received %v, read in %v", r.Received, r.RequestRead)
	}
	w.result(inv, w.version).Release()
}
