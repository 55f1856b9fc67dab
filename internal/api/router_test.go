package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestLookup(t *testing.T) {
	rt := NewRouter(RouterConfig{})
	const arn = "arn:aws:lambda:us-east-1:123456789012:function:f"
	for _, tc := range []struct {
		method, path, query string
		op                  string
		params              PathParams
	}{
		{"GET", "/2015-03-31/functions", "", "ListFunctions", PathParams{}},
		{"GET", "/2015-03-31/functions/", "", "ListFunctions", PathParams{}},
		{"POST", "/2015-03-31/functions/", "", "CreateFunction", PathParams{}},
		{"GET", "/2015-03-31/functions/f", "Qualifier=1", "GetFunction", PathParams{"f"}},
		{"DELETE", "/2015-03-31/functions/f/", "", "DeleteFunction", PathParams{"f"}},
		{"GET", "/2015-03-31/functions/" + strings.ReplaceAll(arn, ":", "%3A"), "", "GetFunction", PathParams{arn}},
		{"GET", "/2015-03-31/functions/" + arn, "", "GetFunction", PathParams{arn}},
		{"POST", "/2015-03-31/functions/f%3A%24LATEST/invocations", "", "Invoke", PathParams{"f:$LATEST"}},
		{"POST", "/2014-11-13/functions/f/invoke-async/", "", "InvokeAsync", PathParams{"f"}},
		{"GET", "/2025-12-01/durable-executions/a%2Fb%2fc/state", "", "GetDurableExecutionState", PathParams{"a/b/c"}},
		{"GET", "/2018-10-31/layers", "", "ListLayers", PathParams{}},
		{"GET", "/2018-10-31/layers", "find=LayerVersion&Arn=x", "GetLayerVersionByArn", PathParams{}},
		{"GET", "/2018-10-31/layers", "find=Other", "ListLayers", PathParams{}},
		{"GET", "/2019-09-30/functions/f/provisioned-concurrency", "List=ALL", "ListProvisionedConcurrencyConfigs", PathParams{"f"}},
		{"GET", "/2019-09-30/functions/f/provisioned-concurrency", "Qualifier=1", "GetProvisionedConcurrencyConfig", PathParams{"f"}},
		{"GET", "/2019-09-25/functions/f/event-invoke-config/list", "", "ListFunctionEventInvokeConfigs", PathParams{"f"}},
		{"GET", "/2019-09-25/functions/f/event-invoke-config", "", "GetFunctionEventInvokeConfig", PathParams{"f"}},
		{"DELETE", "/2018-10-31/layers/l/versions/3/policy/s", "", "RemoveLayerVersionPermission", PathParams{"l", "3", "s"}},
		{"GET", "/2016-08-19/account-settings/", "", "GetAccountSettings", PathParams{}},
	} {
		op, params, err := rt.Lookup(tc.method, tc.path, tc.query)
		if err != nil {
			t.Errorf("%s %s?%s: %v", tc.method, tc.path, tc.query, err)
			continue
		}
		if op.Name != tc.op || params != tc.params {
			t.Errorf("%s %s?%s: %s %q, want %s %q", tc.method, tc.path, tc.query, op.Name, params, tc.op, tc.params)
		}
	}
}

func TestLookupRefuses(t *testing.T) {
	rt := NewRouter(RouterConfig{})
	for _, tc := range []struct {
		method, path string
		status       int
		code         string
	}{
		{"GET", "/", 404, "UnknownOperationException"},
		{"GET", "", 404, "UnknownOperationException"},
		{"GET", "*", 404, "UnknownOperationException"},
		{"GET", "/2015-03-31", 404, "UnknownOperationException"},
		{"GET", "/2015-03-31/functions//", 404, "UnknownOperationException"},
		{"GET", "/2015-03-31/functions//policy", 404, "UnknownOperationException"},
		{"GET", "/2015-03-31/functions/f/policy/s/more", 404, "UnknownOperationException"},
		{"GET", "/2015-03-31/functions/f/unknown", 404, "UnknownOperationException"},
		{"GET", "/2015-03-31/functions/%zz", 404, "UnknownOperationException"},
		{"GET", "/" + strings.Repeat("x/", 10000), 404, "UnknownOperationException"},
		{"PATCH", "/2015-03-31/functions/f", 405, "MethodNotAllowedException"},
		{"GET", "/2015-03-31/functions/f/invocations", 405, "MethodNotAllowedException"},
	} {
		_, _, err := rt.Lookup(tc.method, tc.path, "")
		var e Error
		if !errors.As(err, &e) {
			t.Errorf("%s %.40s: %v is not an Error", tc.method, tc.path, err)
			continue
		}
		if e.ErrorCode() != tc.code || e.HTTPStatus() != tc.status || len(e.ErrorMessage()) > 500 {
			t.Errorf("%s %.40s: %d %s %.100s, want %d %s", tc.method, tc.path, e.HTTPStatus(), e.ErrorCode(),
				e.ErrorMessage(), tc.status, tc.code)
		}
	}
}

// A literal and a label at one level would need a search that goes back;
// Lookup does not.
func TestRoutesAreUnambiguous(t *testing.T) {
	var walk func(n *node, path string)
	walk = func(n *node, path string) {
		if n.label != nil && len(n.literal) > 0 {
			t.Errorf("%s: a label beside %d literals", path, len(n.literal))
		}
		seen := map[string]bool{}
		for _, op := range n.ops {
			key := op.Method + op.queryKey + op.queryValue
			if seen[key] {
				t.Errorf("%s is there twice", op.Name)
			}
			seen[key] = true
		}
		for seg, child := range n.literal {
			walk(child, path+"/"+seg)
		}
		if n.label != nil {
			walk(n.label, path+"/{}")
		}
	}
	walk(&NewRouter(RouterConfig{}).root, "")
}

func TestSuccessStatuses(t *testing.T) {
	rt := NewRouter(RouterConfig{})
	want := map[int]string{
		201: "CreateFunction PublishVersion CreateAlias AddPermission CreateFunctionUrlConfig PublishLayerVersion CreateCodeSigningConfig",
		202: "CreateEventSourceMapping UpdateEventSourceMapping DeleteEventSourceMapping PutProvisionedConcurrencyConfig InvokeAsync",
		204: "DeleteFunction DeleteAlias DeleteLayerVersion RemovePermission TagResource UntagResource DeleteFunctionConcurrency",
		200: "GetFunction UpdateFunctionCode UpdateFunctionConfiguration Invoke ListFunctions UpdateAlias PutFunctionConcurrency",
	}
	for status, names := range want {
		for _, name := range strings.Fields(names) {
			if op := rt.Operation(name); op == nil || op.SuccessStatus != status {
				t.Errorf("%s: %+v, want status %d", name, op, status)
			}
		}
	}
	if n := len(rt.Operations()); n != 85 {
		t.Errorf("%d operations, want 85", n)
	}
}

func TestTooLarge(t *testing.T) {
	rt := NewRouter(RouterConfig{})
	for _, tc := range []struct {
		op, kind string
		size     int64
		want     string // empty: within the limit
	}{
		{"CreateFunction", "", 70167211, ""},
		{"CreateFunction", "", 70167212, "RequestEntityTooLargeException: Request must be smaller than 70167211 bytes for the CreateFunction operation"},
		{"UpdateFunctionCode", "", 70167212, "RequestEntityTooLargeException: Request must be smaller than 70167211 bytes for the UpdateFunctionCode operation"},
		{"PublishLayerVersion", "", 70167211, ""},
		{"GetFunction", "", 1 << 20, ""},
		{"CreateAlias", "", 1<<20 + 1, "RequestEntityTooLargeException: Request must be smaller than 1048576 bytes for the CreateAlias operation"},
		{"Invoke", "", 6291456, ""},
		{"Invoke", "", 6291457, "RequestTooLargeException: 6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)"},
		{"Invoke", "Event", 1048576, ""},
		{"Invoke", "Event", 1048577, "RequestTooLargeException: 1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)"},
		{"InvokeWithResponseStream", "Event", 1048577, ""},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		if tc.kind != "" {
			r.Header.Set("X-Amz-Invocation-Type", tc.kind)
		}
		got := ""
		if err := TooLarge(rt.Operation(tc.op), r, tc.size); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s %s %d: %q, want %q", tc.op, tc.kind, tc.size, got, tc.want)
		}
	}
}

func TestMembersListsLeaves(t *testing.T) {
	all := Members()
	if len(all) != 85 {
		t.Errorf("%d operations, want 85", len(all))
	}
	has := func(op, path string, want bool) {
		t.Helper()
		found := false
		for _, p := range all[op] {
			found = found || p == path
		}
		if found != want {
			t.Errorf("%s lists %s: %v, want %v", op, path, found, want)
		}
	}
	has("CreateFunction", "FunctionName", true)
	has("CreateFunction", "Code.ZipFile", true)
	has("CreateFunction", "Code", false)
	has("CreateFunction", "FileSystemConfigs[].Arn", true)
	has("CreateFunction", "Environment.Variables", true)
	has("Invoke", "Payload", true)
	has("UntagResource", "TagKeys", true)
}
