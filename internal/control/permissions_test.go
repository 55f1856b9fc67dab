package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lambhq/lamb/internal/api"
)

const invokeAction = "lambda:InvokeFunction"

func permission(sid string, change ...func(*api.AddPermissionRequest)) *api.AddPermissionRequest {
	in := &api.AddPermissionRequest{
		FunctionName: new("fn"), StatementId: &sid, Action: new(invokeAction), Principal: new("s3.amazonaws.com"),
	}
	for _, c := range change {
		c(in)
	}
	return in
}

// Rules 103 to 106: byte for byte as AWS writes it.
func TestStatements(t *testing.T) {
	b := newBench(t)
	b.withVersions("fn")
	b.createAlias("fn", "live", "1")
	const head = `{"Sid":"s","Effect":"Allow","Principal":`
	invoke := func(resource string) string {
		return `,"Action":"lambda:InvokeFunction","Resource":"` + arnBase + resource + `"`
	}
	for _, tt := range []struct {
		name   string
		change func(*api.AddPermissionRequest)
		want   string
	}{
		{"service", func(*api.AddPermissionRequest) {}, head + `{"Service":"s3.amazonaws.com"}` + invoke("fn") + `}`},
		{"anybody", func(in *api.AddPermissionRequest) { in.Principal = new("*") }, head + `"*"` + invoke("fn") + `}`},
		{"account", func(in *api.AddPermissionRequest) { in.Principal = new("111122223333") },
			head + `{"AWS":"arn:aws:iam::111122223333:root"}` + invoke("fn") + `}`},
		{"role", func(in *api.AddPermissionRequest) { in.Principal = new("arn:aws:iam::111122223333:role/p/r") },
			head + `{"AWS":"arn:aws:iam::111122223333:role/p/r"}` + invoke("fn") + `}`},
		{"version", func(in *api.AddPermissionRequest) { in.Qualifier = new("2") }, head + `{"Service":"s3.amazonaws.com"}` + invoke("fn:2") + `}`},
		{"alias in the ARN", func(in *api.AddPermissionRequest) { in.FunctionName = new(arnBase + "fn:live") },
			head + `{"Service":"s3.amazonaws.com"}` + invoke("fn:live") + `}`},
		{"source", func(in *api.AddPermissionRequest) {
			in.SourceArn, in.SourceAccount = new("arn:aws:s3:::b"), new("111122223333")
		}, head + `{"Service":"s3.amazonaws.com"}` + invoke("fn") +
			`,"Condition":{"StringEquals":{"AWS:SourceAccount":"111122223333"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::b"}}}`},
		{"token", func(in *api.AddPermissionRequest) {
			in.Principal, in.EventSourceToken = new("alexa-appkit.amazon.com"), new("amzn1.ask.skill")
		}, head + `{"Service":"alexa-appkit.amazon.com"}` + invoke("fn") + `,"Condition":{"StringEquals":{"lambda:EventSourceToken":"amzn1.ask.skill"}}}`},
		{"organization", func(in *api.AddPermissionRequest) { in.Principal, in.PrincipalOrgID = new("*"), new("o-0123456789") },
			head + `"*"` + invoke("fn") + `,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-0123456789"}}}`},
		{"URL", func(in *api.AddPermissionRequest) {
			in.Principal, in.Action, in.FunctionUrlAuthType = new("*"), new("lambda:InvokeFunctionUrl"), new("NONE")
		}, head + `"*","Action":"lambda:InvokeFunctionUrl","Resource":"` + arnBase + `fn","Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}}`},
		{"by URL", func(in *api.AddPermissionRequest) { in.Principal, in.InvokedViaFunctionUrl = new("*"), new(true) },
			head + `"*"` + invoke("fn") + `,"Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}}`},
		{"not only by URL", func(in *api.AddPermissionRequest) { in.Principal, in.InvokedViaFunctionUrl = new("*"), new(false) },
			head + `"*"` + invoke("fn") + `}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := permission("s", tt.change)
			out, err := b.ctl.AddPermission(b.caller(), in)
			if err != nil {
				t.Fatal(err)
			}
			if *out.Statement != tt.want {
				t.Errorf("statement\n  %s\nwant\n  %s", *out.Statement, tt.want)
			}
			policy, err := b.ctl.GetPolicy(b.caller(), &api.GetPolicyRequest{FunctionName: in.FunctionName, Qualifier: in.Qualifier})
			if err != nil {
				t.Fatal(err)
			}
			if want := `{"Version":"2012-10-17","Id":"default","Statement":[` + tt.want + `]}`; *policy.Policy != want {
				t.Errorf("policy\n  %s\nwant\n  %s", *policy.Policy, want)
			}
			err = b.ctl.RemovePermission(b.caller(), &api.RemovePermissionRequest{
				FunctionName: in.FunctionName, Qualifier: in.Qualifier, StatementId: new("s"), RevisionId: policy.RevisionId,
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = b.ctl.GetPolicy(b.caller(), &api.GetPolicyRequest{FunctionName: in.FunctionName, Qualifier: in.Qualifier})
			wantError(t, err, "ResourceNotFoundException", "The resource you requested does not exist.")
		})
	}
}

// Rules 50, 51, 68, 107 and 108.
func TestPolicyLife(t *testing.T) {
	b := newBench(t)
	b.withVersions("fn")
	b.createAlias("fn", "live", "1")
	add := func(in *api.AddPermissionRequest) error {
		_, err := b.ctl.AddPermission(b.caller(), in)
		return err
	}
	get := func(qualifier string) (sids string, revision string) {
		t.Helper()
		out, err := b.ctl.GetPolicy(b.caller(), &api.GetPolicyRequest{FunctionName: new("fn"), Qualifier: &qualifier})
		if err != nil {
			t.Fatal(err)
		}
		var document struct{ Statement []struct{ Sid string } }
		if err := json.Unmarshal([]byte(*out.Policy), &document); err != nil {
			t.Fatal(err)
		}
		for _, s := range document.Statement {
			sids += s.Sid
		}
		return sids, *out.RevisionId
	}
	remove := func(sid string, revision *string) error {
		return b.ctl.RemovePermission(b.caller(), &api.RemovePermissionRequest{FunctionName: new("fn"), StatementId: &sid, RevisionId: revision})
	}
	function := b.settled("fn").RevisionID

	wantError(t, remove("a", nil), "ResourceNotFoundException", "No policy is associated with the given resource.")
	for _, sid := range []string{"b", "a", "c"} {
		if err := add(permission(sid)); err != nil {
			t.Fatal(err)
		}
	}
	sids, first := get("")
	if sids != "bac" {
		t.Errorf("statements %q, want them in the order in which they were added", sids)
	}
	wantError(t, add(permission("a")), "ResourceConflictException",
		"The statement id (a) provided already exists. Please provide a new statement id, or remove the existing statement.")
	wantError(t, remove("d", nil), "ResourceNotFoundException", "Statement d is not found in resource policy.")
	if err := remove("a", &first); err != nil {
		t.Fatal(err)
	}
	const old = "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id"
	wantError(t, remove("b", &first), "PreconditionFailedException", old)
	wantError(t, add(permission("d", func(in *api.AddPermissionRequest) { in.RevisionId = &first })), "PreconditionFailedException", old)
	sids, second := get("$LATEST")
	if sids != "bc" {
		t.Errorf("statements %q after removing one", sids)
	}
	if err := add(permission("d", func(in *api.AddPermissionRequest) { in.RevisionId = &second })); err != nil {
		t.Error(err)
	}
	if now := b.settled("fn").RevisionID; now != function {
		t.Error("a policy changed the function's revision")
	}

	// Every qualifier has its own; an alias takes it along.
	onAlias := func(in *api.AddPermissionRequest) { in.Qualifier = new("live") }
	if err := add(permission("b", onAlias)); err != nil {
		t.Fatal(err)
	}
	if sids, _ = get("live"); sids != "b" {
		t.Errorf("the alias's statements are %q", sids)
	}
	if err := b.ctl.DeleteAlias(b.caller(), &api.DeleteAliasRequest{FunctionName: new("fn"), Name: new("live")}); err != nil {
		t.Fatal(err)
	}
	wantError(t, add(permission("b", onAlias)), "ResourceNotFoundException", "Cannot find alias arn: "+arnBase+"fn:live")
	b.createAlias("fn", "live", "2")
	_, err := b.ctl.GetPolicy(b.caller(), &api.GetPolicyRequest{FunctionName: new("fn:live")})
	wantError(t, err, "ResourceNotFoundException", "The resource you requested does not exist.")
}

func TestPermissionRefusals(t *testing.T) {
	b := newBench(t)
	b.create("fn")
	for _, tt := range []struct {
		name          string
		change        func(*api.AddPermissionRequest)
		code, message string
	}{
		{"$LATEST", func(in *api.AddPermissionRequest) { in.Qualifier = new("$LATEST") },
			"InvalidParameterValueException", "We currently do not support adding policies for $LATEST."},
		{"principal", func(in *api.AddPermissionRequest) { in.Principal = new("invalid.nonaws.com") },
			"InvalidParameterValueException", "The provided principal was invalid. Please check the principal and try again."},
		{"short account", func(in *api.AddPermissionRequest) { in.Principal = new("12345") },
			"InvalidParameterValueException", "The provided principal was invalid. Please check the principal and try again."},
		{"no function", func(in *api.AddPermissionRequest) { in.FunctionName = new("nope") },
			"ResourceNotFoundException", "Function not found: " + arnBase + "nope"},
		{"no version", func(in *api.AddPermissionRequest) { in.Qualifier = new("7") },
			"ResourceNotFoundException", "Function not found: " + arnBase + "fn:7"},
		{"auth type of another action", func(in *api.AddPermissionRequest) { in.FunctionUrlAuthType = new("NONE") },
			"InvalidParameterValueException", "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action"},
		{"revision of no policy", func(in *api.AddPermissionRequest) { in.RevisionId = new("x") },
			"PreconditionFailedException", "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := b.ctl.AddPermission(b.caller(), permission("s", tt.change))
			wantError(t, err, tt.code, tt.message)
		})
	}
}

// The document has at most 20,480 bytes, and what would make it longer leaves
// it as it was.
func TestPolicySize(t *testing.T) {
	b := newBench(t)
	b.create("fn")
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		_, err = b.ctl.AddPermission(b.caller(), permission(fmt.Sprintf("s%0*d", 90, n)))
	}
	var long *api.PolicyLengthExceededException
	if !errors.As(err, &long) || !strings.HasPrefix(long.Message, "The final policy size (2") || !strings.HasSuffix(long.Message, ") is bigger than the limit (20480).") {
		t.Fatalf("after %d statements: %v", n, err)
	}
	out, err := b.ctl.GetPolicy(b.caller(), &api.GetPolicyRequest{FunctionName: new("fn")})
	if err != nil || len(*out.Policy) > 20480 || len(*out.Policy) < 20000 {
		t.Errorf("the policy has %d bytes, %v", len(*out.Policy), err)
	}
}
