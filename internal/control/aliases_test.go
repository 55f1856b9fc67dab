package control

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/api"
)

// withVersions makes a function with $LATEST and two published versions.
func (b *bench) withVersions(name string) {
	b.t.Helper()
	b.create(name, func(in *api.CreateFunctionRequest) { in.Publish = new(true) })
	_, err := b.ctl.UpdateFunctionConfiguration(b.caller(), &api.UpdateFunctionConfigurationRequest{
		FunctionName: &name, Description: new("second"),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.settled(name)
	if _, err := b.ctl.PublishVersion(b.caller(), &api.PublishVersionRequest{FunctionName: &name}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) createAlias(name, alias, version string) *api.AliasConfiguration {
	b.t.Helper()
	out, err := b.ctl.CreateAlias(b.caller(), &api.CreateAliasRequest{FunctionName: &name, Name: &alias, FunctionVersion: &version})
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func routing(weights map[string]float64) *api.AliasRoutingConfiguration {
	return &api.AliasRoutingConfiguration{AdditionalVersionWeights: weights}
}

// Rules 48, 63 to 66.
func TestAliasLife(t *testing.T) {
	b := newBench(t)
	b.withVersions("fn")
	before := b.settled("fn").RevisionID

	created, err := b.ctl.CreateAlias(b.caller(), &api.CreateAliasRequest{
		FunctionName: new("fn"), Name: new("live"), FunctionVersion: new("1"), RoutingConfig: routing(map[string]float64{"2": 0.25}),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"AliasArn": arnBase + "fn:live", "Name": "live", "FunctionVersion": "1", "Description": "", "RevisionId": "*",
		"RoutingConfig": map[string]any{"AdditionalVersionWeights": map[string]any{"2": 0.25}},
	}
	if diff := cmp.Diff(want, asJSON(t, created, "RevisionId")); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	got, err := b.ctl.GetAlias(b.caller(), &api.GetAliasRequest{FunctionName: new(arnBase + "fn"), Name: new("live")})
	if diff := cmp.Diff(created, got); diff != "" || err != nil {
		t.Errorf("GetAlias (-created +got):\n%s%v", diff, err)
	}

	// The function as the alias shows it: the first version, under its ARN.
	for _, name := range []string{"fn:live", arnBase + "fn:live"} {
		shown, err := b.ctl.GetFunction(b.caller(), &api.GetFunctionRequest{FunctionName: &name})
		if err != nil {
			t.Fatal(err)
		}
		one, err := b.ctl.GetFunction(b.caller(), &api.GetFunctionRequest{FunctionName: new("fn:1")})
		if err != nil {
			t.Fatal(err)
		}
		if c := shown.Configuration; *c.FunctionArn != arnBase+"fn:live" || *c.Version != "1" || *c.RevisionId != *one.Configuration.RevisionId {
			t.Errorf("GetFunction of %s: %s, version %s, revision %s", name, *c.FunctionArn, *c.Version, *c.RevisionId)
		}
	}

	updated, err := b.ctl.UpdateAlias(b.caller(), &api.UpdateAliasRequest{
		FunctionName: new("fn"), Name: new("live"), Description: new("d"), RevisionId: created.RevisionId,
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(with(want, map[string]any{"Description": "d"}), asJSON(t, updated, "RevisionId")); diff != "" {
		t.Errorf("updated (-want +got):\n%s", diff)
	}
	if *updated.RevisionId == *created.RevisionId {
		t.Error("the update left the revision")
	}
	// Both forms of a configuration without weights remove it.
	for _, none := range []*api.AliasRoutingConfiguration{{}, routing(map[string]float64{})} {
		updated, err = b.ctl.UpdateAlias(b.caller(), &api.UpdateAliasRequest{FunctionName: new("fn"), Name: new("live"), RoutingConfig: none})
		if err != nil || updated.RoutingConfig != nil {
			t.Errorf("routing removed with %v: %v, %v", none, updated, err)
		}
		_, err = b.ctl.UpdateAlias(b.caller(), &api.UpdateAliasRequest{
			FunctionName: new("fn"), Name: new("live"), RoutingConfig: routing(map[string]float64{"2": 1}),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if after := b.settled("fn").RevisionID; after != before {
		t.Error("an alias changed the function's revision")
	}

	// A version that an alias has, first or second, is not deleted.
	b.createAlias("fn", "stable", "1")
	remove := func(version string) error {
		_, err := b.ctl.DeleteFunction(b.caller(), &api.DeleteFunctionRequest{FunctionName: new("fn"), Qualifier: &version})
		return err
	}
	wantError(t, remove("1"), "ResourceConflictException", "Unable to delete version because the following aliases reference it: [live, stable]")
	wantError(t, remove("2"), "ResourceConflictException", "Unable to delete version because the following aliases reference it: [live]")

	deleteAlias := func(name string) error {
		return b.ctl.DeleteAlias(b.caller(), &api.DeleteAliasRequest{FunctionName: new("fn"), Name: &name})
	}
	if err := deleteAlias("live"); err != nil {
		t.Error(err)
	}
	if err := deleteAlias("live"); err != nil {
		t.Errorf("deleting what is gone: %v", err)
	}
	if err := remove("2"); err != nil {
		t.Errorf("deleting the version that no alias has any more: %v", err)
	}
	_, err = b.ctl.GetAlias(b.caller(), &api.GetAliasRequest{FunctionName: new("fn"), Name: new("live")})
	wantError(t, err, "ResourceNotFoundException", "Cannot find alias arn: "+arnBase+"fn:live")
}

func TestAliasRefusals(t *testing.T) {
	b := newBench(t)
	b.withVersions("fn")
	b.createAlias("fn", "live", "1")
	const operation = "/2015-03-31/functions/fn/aliases"
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		message                  string
	}{
		{"exists", "POST", operation, `{"Name":"live","FunctionVersion":"2"}`, 409, "Alias already exists: " + arnBase + "fn:live"},
		{"no function", "POST", "/2015-03-31/functions/nope/aliases", `{"Name":"a","FunctionVersion":"1"}`, 404, "Function not found: " + arnBase + "nope:1"},
		{"no version", "POST", operation, `{"Name":"a","FunctionVersion":"9"}`, 404, "Function not found: " + arnBase + "fn:9"},
		{"no second version", "POST", operation, `{"Name":"a","FunctionVersion":"1","RoutingConfig":{"AdditionalVersionWeights":{"9":0.5}}}`, 404,
			"Function not found: " + arnBase + "fn:9"},
		{"a number", "POST", operation, `{"Name":"12","FunctionVersion":"1"}`, 400,
			"1 validation error detected: Value '12' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"},
		{"three versions", "POST", operation, `{"Name":"a","FunctionVersion":"1","RoutingConfig":{"AdditionalVersionWeights":{"2":0.5,"3":0.1}}}`, 400,
			"Number of items in AdditionalVersionWeights cannot be greater than 1"},
		{"twice the same", "POST", operation, `{"Name":"a","FunctionVersion":"1","RoutingConfig":{"AdditionalVersionWeights":{"1":0.5}}}`, 400,
			"Invalid function version 1. Function version 1 is already included in routing configuration."},
		{"$LATEST and another", "POST", operation, `{"Name":"a","FunctionVersion":"$LATEST","RoutingConfig":{"AdditionalVersionWeights":{"1":0.5}}}`, 400,
			"$LATEST is not supported for an alias pointing to more than 1 version"},
		{"too heavy", "POST", operation, `{"Name":"a","FunctionVersion":"1","RoutingConfig":{"AdditionalVersionWeights":{"2":1.5}}}`, 400,
			"1 validation error detected: Value '{2=1.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: " +
				"Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0]"},
		{"another is $LATEST", "POST", operation, `{"Name":"a","FunctionVersion":"1","RoutingConfig":{"AdditionalVersionWeights":{"$LATEST":0.5}}}`, 400,
			"1 validation error detected: Value '{$LATEST=0.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: " +
				"Map keys must satisfy constraint: [Member must have length less than or equal to 1024, " +
				"Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+]"},
		{"update of none", "PUT", operation + "/nope", `{"FunctionVersion":"2"}`, 404, "Alias not found: " + arnBase + "fn:nope"},
		{"old revision", "PUT", operation + "/live", `{"FunctionVersion":"2","RevisionId":"00000000-0000-4000-8000-000000000000"}`, 412,
			"The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id"},
		{"update to none", "PUT", operation + "/live", `{"FunctionVersion":"9"}`, 404, "Function not found: " + arnBase + "fn:9"},
		{"delete without function", "DELETE", "/2015-03-31/functions/nope/aliases/live", "", 404, "Function not found: " + arnBase + "nope"},
		{"list without function", "GET", "/2015-03-31/functions/nope/aliases", "", 404, "Function not found: " + arnBase + "nope"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, body := b.send(tt.method, tt.path, tt.body)
			var answer map[string]string
			if err := json.Unmarshal([]byte(body), &answer); err != nil {
				t.Fatal(err)
			}
			message := answer["message"] + answer["Message"]
			if status != tt.status || message != tt.message {
				t.Errorf("%d %s\nwant %d %s", status, body, tt.status, tt.message)
			}
			// Rule 5.
			if untyped := strings.HasPrefix(message, "$LATEST is not"); untyped && answer["Type"] != "" {
				t.Errorf("the answer has the Type %q", answer["Type"])
			}
		})
	}
}

func TestListAliases(t *testing.T) {
	b := newBench(t)
	b.withVersions("fn")
	for _, name := range []string{"c", "a", "b"} {
		b.createAlias("fn", name, "1")
	}
	b.createAlias("fn", "latest", "$LATEST")
	_, err := b.ctl.CreateAlias(b.caller(), &api.CreateAliasRequest{
		FunctionName: new("fn"), Name: new("both"), FunctionVersion: new("1"), RoutingConfig: routing(map[string]float64{"2": 0}),
	})
	if err != nil {
		t.Fatal(err)
	}
	list := func(version *string, size *int) (names []string) {
		t.Helper()
		in := &api.ListAliasesRequest{FunctionName: new("fn"), FunctionVersion: version, MaxItems: size}
		for {
			out, err := b.ctl.ListAliases(b.caller(), in)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range out.Aliases {
				names = append(names, *a.Name)
			}
			if in.Marker = out.NextMarker; in.Marker == nil {
				return names
			}
			if len(out.Aliases) != *size {
				t.Errorf("a page of %d, want %d", len(out.Aliases), *size)
			}
		}
	}
	for _, tt := range []struct {
		version *string
		size    *int
		want    string
	}{
		{nil, nil, "a b both c latest"}, {nil, new(2), "a b both c latest"}, {new("1"), new(1), "a b both c"},
		{new("2"), nil, "both"}, {new("$LATEST"), nil, "latest"}, {new("9"), nil, ""},
	} {
		if got := strings.Join(list(tt.version, tt.size), " "); got != tt.want {
			t.Errorf("version %s, %v a page: %q, want %q", api.Value(tt.version), api.Value(tt.size), got, tt.want)
		}
	}
	_, err = b.ctl.ListAliases(b.caller(), &api.ListAliasesRequest{FunctionName: new("fn"), Marker: new("%")})
	wantError(t, err, "InvalidParameterValueException", badMarker().(api.Error).ErrorMessage())
}
