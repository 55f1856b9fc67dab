package control

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/api"
)

// Rules 40 and 41, and pages.
func TestListFunctions(t *testing.T) {
	b := newBench(t)
	out, err := b.ctl.ListFunctions(b.caller(), &api.ListFunctionsRequest{})
	if err != nil || out.Functions == nil || len(out.Functions) != 0 || out.NextMarker != nil {
		t.Errorf("an empty account: %+v, %v", out, err)
	}
	for _, name := range strs("fn-%d", 7) {
		b.create(name, func(in *api.CreateFunctionRequest) { in.Publish = new(name == "fn-3") })
	}
	if got, want := b.listARNs(api.ListFunctionsRequest{MaxItems: new(3)}, 3), prefixed(arnBase, strs("fn-%d", 7)...); !cmp.Equal(got, want) {
		t.Errorf("functions %v, want %v", got, want)
	}
	got := b.listARNs(api.ListFunctionsRequest{FunctionVersion: new("ALL"), MaxItems: new(5)}, 2)
	want := prefixed(arnBase, "fn-0:$LATEST", "fn-1:$LATEST", "fn-2:$LATEST", "fn-3:$LATEST", "fn-3:1", "fn-4:$LATEST", "fn-5:$LATEST", "fn-6:$LATEST")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("all versions (-want +got):\n%s", diff)
	}

	// No function is a replica.
	if got := b.listARNs(api.ListFunctionsRequest{FunctionVersion: new("ALL"), MasterRegion: new("us-east-1")}, 1); len(got) != 0 {
		t.Errorf("replicas %v", got)
	}
	if got := b.listARNs(api.ListFunctionsRequest{FunctionVersion: new("ALL"), MasterRegion: new("ALL")}, 1); len(got) != 8 {
		t.Errorf("with replicas %v", got)
	}
	_, err = b.ctl.ListFunctions(b.caller(), &api.ListFunctionsRequest{MasterRegion: new("us-east-1")})
	wantError(t, err, "InvalidParameterValueException", "FunctionVersion must be set to ALL when MasterRegion is specified.")
	_, err = b.ctl.ListFunctions(b.caller(), &api.ListFunctionsRequest{Marker: new("made up")})
	wantError(t, err, "InvalidParameterValueException", "The value of Marker is not one that an earlier answer gave as NextMarker.")
}

// A page never has more than 50, whatever is asked for.
func TestPageLimit(t *testing.T) {
	b := newBench(t)
	names := strs("fn-%02d", 51)
	for _, name := range names {
		if _, err := b.ctl.CreateFunction(b.caller(), createRequest(t, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, max := range []*int{nil, new(10000)} {
		if got := b.listARNs(api.ListFunctionsRequest{MaxItems: max}, 2); !cmp.Equal(got, prefixed(arnBase, names...)) {
			t.Errorf("functions %v", got)
		}
	}
	for _, name := range names {
		b.settled(name)
	}
}

// listARNs reads a list to its end and checks the number of its pages.
func (b *bench) listARNs(in api.ListFunctionsRequest, pages int) []string {
	b.t.Helper()
	var arns []string
	for n := 1; ; n++ {
		out, err := b.ctl.ListFunctions(b.caller(), &in)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, f := range out.Functions {
			arns = append(arns, *f.FunctionArn)
			if f.State != nil || f.LastUpdateStatus != nil || f.RuntimeVersionConfig != nil || f.RevisionId == nil {
				b.t.Errorf("a list shows %v", asJSON(b.t, f))
			}
		}
		if in.Marker = out.NextMarker; in.Marker == nil {
			if n != pages {
				b.t.Errorf("%d pages, want %d", n, pages)
			}
			return arns
		}
	}
}

func prefixed(prefix string, names ...string) []string {
	var list []string
	for _, n := range names {
		list = append(list, prefix+n)
	}
	return list
}

// Rule 131.
func TestGetAccountSettings(t *testing.T) {
	b := newBench(t)
	zip := zipOf(t, "app.py", "x = 1")
	b.create("a", func(in *api.CreateFunctionRequest) { in.Code.ZipFile, in.Publish = upload(t, zip), new(true) })
	b.create("b", func(in *api.CreateFunctionRequest) { in.Code.ZipFile = upload(t, zip) })
	out, err := b.ctl.GetAccountSettings(b.caller(), &api.GetAccountSettingsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"AccountLimit": map[string]any{
			"TotalCodeSize": 80530636800.0, "CodeSizeUnzipped": 262144000.0, "CodeSizeZipped": 52428800.0,
			"ConcurrentExecutions": 1000.0, "UnreservedConcurrentExecutions": 1000.0,
		},
		"AccountUsage": map[string]any{"TotalCodeSize": float64(3 * len(zip)), "FunctionCount": 2.0},
	}
	if diff := cmp.Diff(want, asJSON(t, out)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
