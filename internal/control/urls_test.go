package control

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/api"
)

var urlText = regexp.MustCompile(`^https://[a-z2-7]{32}\.example/$`)

// Rules 109 and 110.
func TestURLLife(t *testing.T) {
	b := newBench(t)
	b.withVersions("fn")
	b.createAlias("fn", "live", "1")

	created, err := b.ctl.CreateFunctionUrlConfig(b.caller(), &api.CreateFunctionUrlConfigRequest{FunctionName: new("fn"), AuthType: new("NONE")})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"FunctionUrl": "*", "FunctionArn": arnBase + "fn", "AuthType": "NONE", "CreationTime": "2026-11-22T10:00:00.123+0000",
	}
	if diff := cmp.Diff(want, asJSON(t, created, "FunctionUrl")); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	if !urlText.MatchString(*created.FunctionUrl) {
		t.Errorf("URL %s", *created.FunctionUrl)
	}
	_, err = b.ctl.CreateFunctionUrlConfig(b.caller(), &api.CreateFunctionUrlConfigRequest{FunctionName: new("fn"), AuthType: new("AWS_IAM")})
	wantError(t, err, "ResourceConflictException", "Failed to create function url config for [functionArn = "+arnBase+
		"fn]. Error message:  FunctionUrlConfig exists for this Lambda function")

	cors := &api.Cors{AllowOrigins: []string{"https://a.example"}, AllowMethods: []string{"GET", "*"}, MaxAge: new(0)}
	onAlias, err := b.ctl.CreateFunctionUrlConfig(b.caller(), &api.CreateFunctionUrlConfigRequest{
		FunctionName: new("fn"), Qualifier: new("live"), AuthType: new("AWS_IAM"), InvokeMode: new("RESPONSE_STREAM"), Cors: cors,
	})
	if err != nil {
		t.Fatal(err)
	}
	if *onAlias.FunctionArn != arnBase+"fn:live" || *onAlias.InvokeMode != "RESPONSE_STREAM" || *onAlias.FunctionUrl == *created.FunctionUrl {
		t.Errorf("URL of the alias: %v", asJSON(t, onAlias))
	}

	get := func(qualifier *string) map[string]any {
		t.Helper()
		out, err := b.ctl.GetFunctionUrlConfig(b.caller(), &api.GetFunctionUrlConfigRequest{FunctionName: new("fn"), Qualifier: qualifier})
		if err != nil {
			t.Fatal(err)
		}
		return asJSON(t, out)
	}
	want["FunctionUrl"], want["InvokeMode"], want["LastModifiedTime"] = *created.FunctionUrl, "BUFFERED", want["CreationTime"]
	if diff := cmp.Diff(want, get(nil)); diff != "" {
		t.Errorf("GetFunctionUrlConfig (-want +got):\n%s", diff)
	}

	// What is not given stays; Cors is replaced as a whole.
	b.clock.Advance(time.Second)
	updated, err := b.ctl.UpdateFunctionUrlConfig(b.caller(), &api.UpdateFunctionUrlConfigRequest{
		FunctionName: new("fn:live"), AuthType: new("NONE"), Cors: &api.Cors{AllowHeaders: []string{"x-a"}, AllowCredentials: new(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantUpdated := map[string]any{
		"FunctionUrl": *onAlias.FunctionUrl, "FunctionArn": arnBase + "fn:live", "AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM",
		"CreationTime": "2026-11-22T10:00:00.123+0000", "LastModifiedTime": "2026-11-22T10:00:01.123+0000",
		"Cors": map[string]any{"AllowHeaders": []any{"x-a"}, "AllowCredentials": true},
	}
	if diff := cmp.Diff(wantUpdated, asJSON(t, updated)); diff != "" {
		t.Errorf("updated (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantUpdated, get(new("live"))); diff != "" {
		t.Errorf("GetFunctionUrlConfig (-want +got):\n%s", diff)
	}
	b.checkURLList("fn", *created.FunctionUrl, *onAlias.FunctionUrl)

	// The URL of an alias outlives it, that of a function does not.
	if err := b.ctl.DeleteAlias(b.caller(), &api.DeleteAliasRequest{FunctionName: new("fn"), Name: new("live")}); err != nil {
		t.Fatal(err)
	}
	b.checkURLList("fn", *created.FunctionUrl, *onAlias.FunctionUrl)
	if err := b.ctl.DeleteFunctionUrlConfig(b.caller(), &api.DeleteFunctionUrlConfigRequest{FunctionName: new("fn:live")}); err != nil {
		t.Error(err)
	}
	err = b.ctl.DeleteFunctionUrlConfig(b.caller(), &api.DeleteFunctionUrlConfigRequest{FunctionName: new("fn:live")})
	wantError(t, err, "ResourceNotFoundException", "The resource you requested does not exist.")
	b.delete("fn", "")
	b.create("fn")
	b.checkURLList("fn")
}

// checkURLList lists the URLs of a function one by one.
func (b *bench) checkURLList(name string, want ...string) {
	b.t.Helper()
	var got []string
	in := &api.ListFunctionUrlConfigsRequest{FunctionName: &name, MaxItems: new(1)}
	for {
		out, err := b.ctl.ListFunctionUrlConfigs(b.caller(), in)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, u := range out.FunctionUrlConfigs {
			got = append(got, *u.FunctionUrl)
		}
		if in.Marker = out.NextMarker; in.Marker == nil {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("URLs of %s (-want +got):\n%s", name, diff)
	}
}

func TestURLRefusals(t *testing.T) {
	b := newBench(t)
	b.withVersions("fn")
	pattern := func(v string) string {
		return "1 validation error detected: Value '" + v + "' at 'qualifier' failed to satisfy constraint: " +
			`Member must satisfy regular expression pattern: ((?!^\d+$)^[0-9a-zA-Z-_]+$)`
	}
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		message                  string
	}{
		{"a version", "POST", "/2021-10-31/functions/fn/url?Qualifier=1", `{"AuthType":"NONE"}`, 400, pattern("1")},
		{"a version in the name", "POST", "/2021-10-31/functions/fn%3A1/url", `{"AuthType":"NONE"}`, 400, pattern("1")},
		{"$LATEST", "POST", "/2021-10-31/functions/fn/url?Qualifier=$LATEST", `{"AuthType":"NONE"}`, 400, pattern("$LATEST")},
		{"$LATEST in the name", "GET", "/2021-10-31/functions/fn%3A$LATEST/url", "", 400, pattern("$LATEST")},
		{"no alias", "POST", "/2021-10-31/functions/fn/url?Qualifier=live", `{"AuthType":"NONE"}`, 404, "Function does not exist"},
		{"no function", "POST", "/2021-10-31/functions/nope/url", `{"AuthType":"NONE"}`, 404, "Function does not exist"},
		{"update without function", "PUT", "/2021-10-31/functions/nope/url", `{}`, 404, "Function does not exist"},
		{"list without function", "GET", "/2021-10-31/functions/nope/urls", "", 404, "Function does not exist"},
		{"update of none", "PUT", "/2021-10-31/functions/fn/url", `{}`, 404, "The resource you requested does not exist."},
		{"get of none", "GET", "/2021-10-31/functions/fn/url", "", 404, "The resource you requested does not exist."},
		{"get without function", "GET", "/2021-10-31/functions/nope/url", "", 404, "The resource you requested does not exist."},
		{"delete of none", "DELETE", "/2021-10-31/functions/fn/url", "", 404, "The resource you requested does not exist."},
		{"auth type", "POST", "/2021-10-31/functions/fn/url", `{"AuthType":"BASIC"}`, 400, "at 'authType' failed to satisfy constraint: Member must satisfy enum value set: ["},
		{"no auth type", "POST", "/2021-10-31/functions/fn/url", `{}`, 400, "Value null at 'authType' failed to satisfy constraint: Member must not be null"},
		{"mode", "POST", "/2021-10-31/functions/fn/url", `{"AuthType":"NONE","InvokeMode":"SLOW"}`, 400, "Member must satisfy enum value set: [RESPONSE_STREAM, BUFFERED]"},
		{"age", "POST", "/2021-10-31/functions/fn/url", `{"AuthType":"NONE","Cors":{"MaxAge":86401}}`, 400, "Value '86401' at 'cors.maxAge' failed to satisfy constraint: Member must have value less than or equal to 86400"},
		{"method", "POST", "/2021-10-31/functions/fn/url", `{"AuthType":"NONE","Cors":{"AllowMethods":["TRACE"]}}`, 400, "The method 'TRACE' is not allowed in AllowMethods"},
		{"long method", "POST", "/2021-10-31/functions/fn/url", `{"AuthType":"NONE","Cors":{"AllowMethods":["OPTIONS"]}}`, 400, "Member must have length less than or equal to 6"},
		{"long origin", "POST", "/2021-10-31/functions/fn/url", `{"AuthType":"NONE","Cors":{"AllowOrigins":["` + strings.Repeat("x", 254) + `"]}}`, 400, "Member must have length less than or equal to 253"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, body := b.send(tt.method, tt.path, tt.body)
			if text := strings.ReplaceAll(body, `\\`, `\`); status != tt.status || !strings.Contains(text, tt.message) {
				t.Errorf("%d %s\nwant %d %s", status, body, tt.status, tt.message)
			}
		})
	}
}
