package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/lambhq/lamb/internal/api"
)

// The matrix of the control-plane fact sheet, from the wire: what the
// generated validation refuses and what this package refuses together.
func TestNamesOnTheWire(t *testing.T) {
	b := newBench(t)
	b.create("there")
	const pattern = "ValidationException"
	const missing = "ResourceNotFoundException"
	const invalid = "InvalidParameterValueException"
	const mismatch = "The derived qualifier from the function name does not match the specified qualifier."
	n65 := strings.Repeat("n", 65)
	tests := []struct {
		name, qualifier     string
		getCode, getText    string // empty text: any
		deleteCode, delText string
	}{
		{"*", "", pattern, "", pattern, ""},
		{"my-function!", "", pattern, "", pattern, ""},
		{"12345:function:x", "", pattern, "", pattern, ""},
		{"arn:aws:lambda:nowhere:123456789012:function:x", "", pattern, "", pattern, ""},
		{"arn:aws:lambda::123456789012:function:x", "", pattern, "", pattern, ""},
		{"arn:aws:lambda:us-east-1::function:x", "", pattern, "", pattern, ""},
		{"arn:aws:sqs:us-east-1:123456789012:x", "", pattern, "", pattern, ""},
		{arnBase + "x:1:2", "", pattern, "", pattern, ""},
		{arnBase + "x:$LATES", "", pattern, "", pattern, ""},
		{"x", "invalid!", pattern, "", pattern, ""},
		{"x", strings.Repeat("q", 129), pattern, "", pattern, ""},
		{n65, "", missing, "Function not found: " + arnBase + n65, missing, "Function not found: " + arnBase + n65},
		{"x", "live", missing, "Function not found: " + arnBase + "x:live", invalid, "Deletion of aliases is not currently supported."},
		{"x", "$latest", missing, "Function not found: " + arnBase + "x:$latest", missing, "Function not found: " + arnBase + "x"},
		{"x", "1", missing, "Function not found: " + arnBase + "x:1", missing, "Function not found: " + arnBase + "x"},
		{"x", "$LATEST", missing, "Function not found: " + arnBase + "x:$LATEST", invalid, "$LATEST version cannot be deleted without deleting the function."},
		{arnBase + "x:$LATEST", "1", invalid, mismatch, invalid, mismatch},
		{"x:1", "2", invalid, mismatch, invalid, mismatch},
		{"arn:aws:lambda:us-east-1:123456789012:function", "", missing, "Function not found: " + arnBase + "function", missing, "Function not found: " + arnBase + "function"},
		{"arn:aws:lambda:eu-west-1:123456789012:function:x", "", missing, "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')", missing, "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"},
		{"arn:aws:lambda:us-east-1:999999999999:function:x", "", "AccessDeniedException", "<null>", "AccessDeniedException", "<null>"},
		{"there", "$latest", missing, "Function not found: " + arnBase + "there:$latest", missing, "Function not found: " + arnBase + "there:$latest"},
		{"there", "7", missing, "Function not found: " + arnBase + "there:7", "", ""},
	}
	for _, tt := range tests {
		path := "/2015-03-31/functions/" + url.PathEscape(tt.name)
		if tt.qualifier != "" {
			path += "?Qualifier=" + url.QueryEscape(tt.qualifier)
		}
		b.wantRefusal(http.MethodGet, path, tt.getCode, tt.getText)
		b.wantRefusal(http.MethodDelete, path, tt.deleteCode, tt.delText)
	}
	if got := b.settled("there"); got.Version != "$LATEST" {
		t.Errorf("the function should still be there: %+v", got)
	}
}

// wantRefusal checks the error of a request on the wire; an empty code means
// that it succeeds without a body, the text "<null>" that there is none.
func (b *bench) wantRefusal(method, path, code, text string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.server.URL+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := b.server.Client().Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if code == "" {
		if resp.StatusCode != http.StatusNoContent {
			b.t.Errorf("%s %s: status %d, want 204", method, path, resp.StatusCode)
		}
		return
	}
	var body struct{ Message *string }
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		b.t.Errorf("%s %s: %v", method, path, err)
		return
	}
	got := "<null>"
	if body.Message != nil {
		got = *body.Message
	}
	if resp.Header.Get("X-Amzn-Errortype") != code || text != "" && got != text {
		b.t.Errorf("%s %s:\n  %s: %s\nwant\n  %s: %s", method, path, resp.Header.Get("X-Amzn-Errortype"), got, code, text)
	}
}

// Every form of a name reaches the function, through the real SDK.
func TestNameForms(t *testing.T) {
	b := newBench(t)
	b.create("fn", func(in *api.CreateFunctionRequest) { in.Publish = new(true) })
	client := b.client()
	tests := []struct{ name, qualifier, wantARN, wantVersion string }{
		{"fn", "", arnBase + "fn", "$LATEST"},
		{"function:fn", "", arnBase + "fn", "$LATEST"},
		{"123456789012:function:fn", "", arnBase + "fn", "$LATEST"},
		{arnBase + "fn", "", arnBase + "fn", "$LATEST"},
		{arnBase + "fn", "$LATEST", arnBase + "fn:$LATEST", "$LATEST"},
		{"fn:$LATEST", "", arnBase + "fn:$LATEST", "$LATEST"},
		{"fn:1", "", arnBase + "fn:1", "1"},
		{"fn", "1", arnBase + "fn:1", "1"},
		{"123456789012:function:fn:1", "1", arnBase + "fn:1", "1"},
	}
	for _, tt := range tests {
		in := &lambda.GetFunctionConfigurationInput{FunctionName: &tt.name}
		if tt.qualifier != "" {
			in.Qualifier = &tt.qualifier
		}
		out, err := client.GetFunctionConfiguration(t.Context(), in)
		if err != nil {
			t.Errorf("%s %s: %v", tt.name, tt.qualifier, err)
			continue
		}
		if *out.FunctionArn != tt.wantARN || *out.Version != tt.wantVersion || *out.FunctionName != "fn" {
			t.Errorf("%s %s: %s, version %s", tt.name, tt.qualifier, *out.FunctionArn, *out.Version)
		}
	}
}

// The region of the signature is where a function lives.
func TestRegionsAreApart(t *testing.T) {
	b := newBench(t)
	b.create("fn")
	_, err := b.client("eu-west-1").GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: new("fn")})
	var missing *types.ResourceNotFoundException
	if !errors.As(err, &missing) || *missing.Message != "Function not found: arn:aws:lambda:eu-west-1:123456789012:function:fn" {
		t.Errorf("from another region: %v", err)
	}
	_, err = b.client("eu-west-1").GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: new(arnBase + "fn")})
	if !errors.As(err, &missing) || *missing.Message != "Functions from 'us-east-1' are not reachable in this region ('eu-west-1')" {
		t.Errorf("by ARN from another region: %v", err)
	}
}

// Operations on the unpublished version take no other.
func TestUnpublishedOnly(t *testing.T) {
	b := newBench(t)
	b.create("fn", func(in *api.CreateFunctionRequest) { in.Publish = new(true) })
	const refusal = "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. " +
		"Please specify either a function name or an unqualified function ARN."
	ops := map[string]func(name string) error{
		"UpdateFunctionCode": func(name string) error {
			_, err := b.ctl.UpdateFunctionCode(b.caller(), &api.UpdateFunctionCodeRequest{FunctionName: &name, ZipFile: upload(t, zipOf(t, "a", name))})
			return err
		},
		"UpdateFunctionConfiguration": func(name string) error {
			_, err := b.ctl.UpdateFunctionConfiguration(b.caller(), &api.UpdateFunctionConfigurationRequest{FunctionName: &name})
			return err
		},
		"PublishVersion": func(name string) error {
			_, err := b.ctl.PublishVersion(b.caller(), &api.PublishVersionRequest{FunctionName: &name})
			return err
		},
		"ListVersionsByFunction": func(name string) error {
			_, err := b.ctl.ListVersionsByFunction(b.caller(), &api.ListVersionsByFunctionRequest{FunctionName: &name})
			return err
		},
	}
	for op, call := range ops {
		t.Run(op, func(t *testing.T) {
			for _, name := range []string{"fn:1", "fn:live"} {
				wantError(t, call(name), "InvalidParameterValueException", refusal)
			}
			for _, name := range []string{"fn", "fn:$LATEST", arnBase + "fn"} {
				if err := call(name); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				b.settled("fn")
			}
			for name, arn := range map[string]string{"none": "none", "none:$LATEST": "none:$LATEST"} {
				if op == "ListVersionsByFunction" {
					arn = "none"
				}
				wantError(t, call(name), "ResourceNotFoundException", fmt.Sprintf("Function not found: %s%s", arnBase, arn))
			}
		})
	}
}
