package invoke

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/pool"
)

// tenantSlots notes for whom slots are asked, and has none.
type tenantSlots struct{ asked *[]string }

func (s tenantSlots) Acquire(_ context.Context, _ *function.Version, tenant string) (*pool.Slot, error) {
	*s.asked = append(*s.asked, tenant)
	return nil, pool.ErrClosed
}

func TestTenant(t *testing.T) {
	isolated := &function.Version{Version: function.Latest, State: function.StateActive}
	isolated.Config.TenantIsolation = "PER_TENANT"
	plain := &function.Version{Version: function.Latest, State: function.StateActive}
	var asked []string
	s := New(Config{Catalog: fakeCatalog{"isolated:$LATEST": isolated, "plain:$LATEST": plain}, Slots: tenantSlots{&asked}})
	tests := []struct {
		function string
		tenant   *string
		kind     string
		status   int
		text     string
	}{
		{"isolated", nil, "", 400, "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again."},
		{"isolated", nil, api.InvocationTypeDryRun, 400, "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again."},
		{"isolated", ptr("blue"), api.InvocationTypeDryRun, 204, ""},
		{"isolated", ptr("blue"), "", 500, "The execution environment could not be started."}, // as far as it can come here
		{"plain", ptr("blue"), "", 400, "The invoked function is not enabled with tenancy configuration. Remove the tenant ID from your request and try again."},
		{"plain", nil, "", 500, "The execution environment could not be started."},
	}
	for _, tt := range tests {
		in := &api.InvocationRequest{FunctionName: &tt.function, TenantId: tt.tenant}
		if tt.kind != "" {
			in.InvocationType = &tt.kind
		}
		status, h, body := post(t, s, in)
		text, _ := body["message"].(string)
		if text == "" {
			text, _ = body["Message"].(string)
		}
		if status != tt.status || text != tt.text || status == 400 && h.Get("X-Amzn-Errortype") != "InvalidParameterValueException" {
			t.Errorf("%s, tenant %v, %s: %d %s %q, want %d %q", tt.function, tt.tenant, tt.kind, status, h.Get("X-Amzn-Errortype"), text, tt.status, tt.text)
		}
	}
	if diff := cmp.Diff([]string{"blue", ""}, asked); diff != "" {
		t.Errorf("slots were asked for (-want +got):\n%s", diff)
	}
}

// TestEventHasTenant: the runtime is told, and of a plain function is not.
func TestEventHasTenant(t *testing.T) {
	s := New(Config{})
	v := &function.Version{}
	for _, tenant := range []string{"blue", ""} {
		if got := s.event(v, Request{TenantID: tenant}).TenantID; got != tenant {
			t.Errorf("the event has tenant %q, want %q", got, tenant)
		}
	}
}

// TestTraceMode: with Active the caller's trace goes on in a segment of the
// invocation's own; without, it is the caller's as it is. The runtime and the
// caller see the same.
func TestTraceMode(t *testing.T) {
	const sent = "Root=1-5f84c7a2-aaaaaaaaaaaaaaaaaaaaaaaa;Parent=bbbbbbbbbbbbbbbb;Sampled=1;Lineage=1:01bc76f7:0"
	for mode, same := range map[string]bool{api.TracingModePassThrough: true, api.TracingModeActive: false, "": true} {
		w := newWorld(t)
		w.version.Config.TracingMode = mode
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("X-Amzn-Trace-Id", sent)
		rec := httptest.NewRecorder()
		w.Serve(rec, r.WithContext(api.WithCaller(r.Context(), api.Caller{
			Partition: "aws", Account: "000000000000", Region: "us-east-1", RequestID: "req-1",
		})), &api.InvocationRequest{FunctionName: ptr("f")})
		got := rec.Header().Get("X-Amzn-Trace-Id")
		active := w.Trace(w.version, sent)
		if ev := w.event(w.version, Request{Trace: active}); (ev.Segment == "") != same || !same && ev.CallerSegment != "bbbbbbbbbbbbbbbb" || ev.TraceID != active.Header {
			t.Errorf("mode %q: event %+v", mode, ev)
		}
		if (got == sent) != same || len(got) != len(sent) || !strings.HasPrefix(got, sent[:strings.Index(sent, "Parent=")]) ||
			!strings.HasSuffix(got, ";Sampled=1;Lineage=1:01bc76f7:0") {
			t.Errorf("mode %q: %s", mode, got)
		}
	}
}

// TestObserved: what metrics are told of an invocation.
func TestObserved(t *testing.T) {
	var seen []Observation
	w := newWorld(t)
	w.cfg.Observe = func(o Observation) { seen = append(seen, o) }
	for _, id := range []string{"cold", "warm"} {
		if err := w.invoke(id); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 2 {
		t.Fatalf("observed %+v", seen)
	}
	for i, o := range seen {
		cold := i == 0
		if o.Duration <= 0 || (o.Init > 0) != cold || o.Init > o.Duration {
			t.Errorf("cold %v: %+v", cold, o)
		}
		o.Duration, o.Init = 0, time.Duration(0)
		if want := (Observation{Function: "f", Result: "success", ResponseBytes: int64(len(`{"id":"cold"}`))}); o != want {
			t.Errorf("got %+v, want %+v", o, want)
		}
	}
}
