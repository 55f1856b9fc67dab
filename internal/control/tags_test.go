package control

import (
	"fmt"
	"maps"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/api"
)

// Rules 49 and 130.
func TestTags(t *testing.T) {
	b := newBench(t)
	b.create("fn", func(in *api.CreateFunctionRequest) {
		in.Publish, in.Tags = new(true), map[string]string{"a": "1", "b": "2"}
	})
	arn := arnBase + "fn"
	list := func() map[string]string {
		t.Helper()
		out, err := b.ctl.ListTags(b.caller(), &api.ListTagsRequest{Resource: &arn})
		if err != nil {
			t.Fatal(err)
		}
		shown, err := b.ctl.GetFunction(b.caller(), &api.GetFunctionRequest{FunctionName: &arn})
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(shown.Tags, out.Tags) {
			t.Errorf("GetFunction shows %v, ListTags %v", shown.Tags, out.Tags)
		}
		return out.Tags
	}
	tag := func(tags map[string]string) error {
		return b.ctl.TagResource(b.caller(), &api.TagResourceRequest{Resource: &arn, Tags: tags})
	}
	untag := func(keys ...string) error {
		return b.ctl.UntagResource(b.caller(), &api.UntagResourceRequest{Resource: &arn, TagKeys: keys})
	}
	before := b.settled("fn").RevisionID
	if err := tag(map[string]string{"b": "3", "c": ""}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a": "1", "b": "3", "c": ""}, list()); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	after := b.settled("fn").RevisionID
	if before == after {
		t.Error("tagging left the function's revision")
	}
	if err := untag("a", "c", "never there"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"b": "3"}, list()); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if b.settled("fn").RevisionID == after {
		t.Error("untagging left the function's revision")
	}
	// Tags make no difference to what a version is.
	if v, err := b.ctl.PublishVersion(b.caller(), &api.PublishVersionRequest{FunctionName: &arn}); err != nil || *v.Version != "1" {
		t.Errorf("publishing after tagging: %v, %v", v, err)
	}

	many := map[string]string{}
	for i := range 50 {
		many[fmt.Sprint("k", i)] = ""
	}
	wantError(t, tag(many), "InvalidParameterValueException", "Number of tags exceeds resource tag limit.")
	wantError(t, tag(map[string]string{}), "InvalidParameterValueException", "An error occurred and the request cannot be processed.")
	wantError(t, tag(map[string]string{"aws:x": ""}), "InvalidParameterValueException", "aws: prefixed tag key names are not allowed for external use.")
	if err := untag("b"); err != nil {
		t.Fatal(err)
	}
	if status, body := b.send("GET", "/2017-03-31/tags/"+url.PathEscape(arn), ""); status != 200 || body != `{"Tags":{}}` {
		t.Errorf("no tags: %d %s", status, body)
	}
	if err := tag(many); err != nil {
		t.Errorf("fifty tags: %v", err)
	}
}

func TestTagRefusals(t *testing.T) {
	b := newBench(t)
	b.withVersions("fn")
	b.createAlias("fn", "live", "1")
	const noQualifier = "Tags on function aliases and versions are not supported. Please specify a function ARN."
	base := "arn:aws:lambda:us-east-1:123456789012:"
	for _, tt := range []struct{ arn, code, message string }{
		{arnBase + "fn:1", "InvalidParameterValueException", noQualifier},
		{arnBase + "fn:live", "InvalidParameterValueException", noQualifier},
		{arnBase + "fn:$LATEST", "InvalidParameterValueException", noQualifier},
		{arnBase + "nope", "ResourceNotFoundException", "Function not found: " + arnBase + "nope"},
		{"arn:aws:lambda:eu-west-1:123456789012:function:fn", "ResourceNotFoundException",
			"Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"},
		{"arn:aws:lambda:us-east-1:111122223333:function:fn", "AccessDeniedException", ""},
		{base + "event-source-mapping:11111111-2222-3333-4444-555555555555", "ResourceNotFoundException", "The resource you requested does not exist."},
		{base + "code-signing-config:csc-01234567890123456", "ResourceNotFoundException",
			"The Lambda code signing configuration " + base + "code-signing-config:csc-01234567890123456 can not be found."},
		{base + "capacity-provider:p", "ResourceNotFoundException", "Capacity provider not found: " + base + "capacity-provider:p"},
	} {
		_, err := b.ctl.ListTags(b.caller(), &api.ListTagsRequest{Resource: &tt.arn})
		wantError(t, err, tt.code, tt.message)
		err = b.ctl.TagResource(b.caller(), &api.TagResourceRequest{Resource: &tt.arn, Tags: map[string]string{"a": "b"}})
		wantError(t, err, tt.code, tt.message)
		wantError(t, b.ctl.UntagResource(b.caller(), &api.UntagResourceRequest{Resource: &tt.arn, TagKeys: []string{"a"}}), tt.code, tt.message)
	}
	if status, body := b.send("DELETE", "/2017-03-31/tags/"+url.PathEscape(arnBase+"fn"), ""); status != 400 {
		t.Errorf("untagging without keys: %d %s", status, body)
	}
}

// An update in progress is not disturbed.
func TestTagWhileUpdating(t *testing.T) {
	b := newBench(t)
	b.create("fn")
	b.gate.shut()
	_, err := b.ctl.UpdateFunctionConfiguration(b.caller(), &api.UpdateFunctionConfigurationRequest{FunctionName: new("fn"), Timeout: new(4)})
	if err != nil {
		t.Fatal(err)
	}
	err = b.ctl.TagResource(b.caller(), &api.TagResourceRequest{Resource: new(arnBase + "fn"), Tags: map[string]string{"a": "b"}})
	wantError(t, err, "ResourceConflictException",
		"The operation cannot be performed at this time. An update is in progress for resource: "+arnBase+"fn")
	b.gate.open(nil)
	b.settled("fn")
}
