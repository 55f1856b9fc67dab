package e2e

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
)

// TestNames tries every form of a function's name that AWS's answers were
// recorded for (shared spec, "Name checks as recorded") on four operations.
func TestNames(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	c := l.client()
	ctx := t.Context()
	const (
		invalid = "InvalidParameterValueException"
		missing = "ResourceNotFoundException"
		pattern = "ValidationException: failed to satisfy constraint: Member must satisfy regular expression pattern: "
		prefix  = "arn:aws:lambda:us-east-1:000000000000:function:"
	)
	existing := l.goFn(t, "names", "echo")
	code := shell(t, "x")
	long := strings.Repeat("n", 65)
	type want struct{ get, invoke, del, create string }
	everywhere := func(s string) want { return want{s, s, s, s} }
	for _, tt := range []struct {
		name, qualifier string
		want            want
	}{
		{"*", "", everywhere(pattern)},
		{"my-function!", "", everywhere(pattern)},
		{"00000000000:function:f", "", everywhere(pattern)},
		{"arn:aws:lambda:nowhere:000000000000:function:f", "", everywhere(pattern)},
		{"arn:aws:lambda:000000000000:function:f:1:2", "", everywhere(pattern)},
		{"arn:aws:s3:us-east-1:000000000000:function:f", "", everywhere(pattern)},
		{prefix + "f:1:2", "", everywhere(pattern)},
		{"f:$LATES", "", everywhere(pattern)},
		{"f", "invalid!", want{pattern, pattern, pattern, pattern}},
		{"f", strings.Repeat("q", 129), want{
			get:    "ValidationException: at 'qualifier' failed to satisfy constraint: Member must have length less than or equal to 128",
			invoke: "ValidationException: at 'qualifier' failed to satisfy constraint: Member must have length less than or equal to 128",
			del:    "ValidationException: at 'qualifier' failed to satisfy constraint: Member must have length less than or equal to 128",
			// create has the two in one member: the next line
		}},
		{"f:" + strings.Repeat("q", 140), "", want{create: "ValidationException: Member must have length less than or equal to 140"}},
		{long, "", want{
			missing + ": Function not found: " + prefix + long,
			missing + ": Function not found: " + prefix + long + ":$LATEST",
			missing + ": Function not found: " + prefix + long,
			invalid + ": at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64",
		}},
		{"f", "an-alias", want{get: missing + ": Function not found: " + prefix + "f:an-alias", invoke: missing + ": Function not found: " + prefix + "f:an-alias"}},
		{existing, "an-alias", want{del: invalid + ": Deletion of aliases is not currently supported."}},
		{"f", "$latest", want{
			missing + ": Function not found: " + prefix + "f:$latest", missing + ": Function not found: " + prefix + "f:$latest",
			missing + ": Function not found: " + prefix + "f", pattern,
		}},
		{prefix + "f:$LATEST", "1", want{
			get:    invalid + ": The derived qualifier from the function name does not match the specified qualifier.",
			invoke: invalid + ": The derived qualifier from the function name does not match the specified qualifier.",
			del:    invalid + ": The derived qualifier from the function name does not match the specified qualifier.",
		}},
		{"arn:aws:lambda:us-east-1:000000000000:function", "", want{
			get: missing + ": Function not found: " + prefix + "function", invoke: missing + ": Function not found: " + prefix + "function",
			del: missing + ": Function not found: " + prefix + "function",
		}},
		{"arn:aws:lambda:eu-west-1:000000000000:function:f", "", everywhere(missing + ": Functions from 'eu-west-1' are not reachable in this region ('us-east-1')")},
		{"arn:aws:lambda:us-east-1:111111111111:function:f", "", everywhere("AccessDeniedException")},
		{existing, "$LATEST", want{del: invalid + ": $LATEST version cannot be deleted without deleting the function."}},
		{"f", "", want{
			get: missing + ": Function not found: " + prefix + "f", invoke: missing + ": Function not found: " + prefix + "f:$LATEST",
			del: missing + ": Function not found: " + prefix + "f",
		}},
	} {
		t.Run(tt.name+"/"+tt.qualifier, func(t *testing.T) {
			name := &tt.name
			var qualifier *string
			if tt.qualifier != "" {
				qualifier = &tt.qualifier
			}
			_, err := c.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: name, Qualifier: qualifier})
			wantText(t, "GetFunction", err, tt.want.get)
			_, err = c.Invoke(ctx, &lambda.InvokeInput{FunctionName: name, Qualifier: qualifier})
			wantText(t, "Invoke", err, tt.want.invoke)
			_, err = c.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: name, Qualifier: qualifier})
			wantText(t, "DeleteFunction", err, tt.want.del)
			if qualifier != nil {
				name = aws.String(tt.name + ":" + tt.qualifier)
			}
			_, err = c.CreateFunction(ctx, &lambda.CreateFunctionInput{
				FunctionName: name, Runtime: types.RuntimeProvidedal2023, Handler: aws.String("h"), Role: aws.String(role),
				Code: &types.FunctionCode{ZipFile: code},
			})
			if tt.want.create != "" {
				wantText(t, "CreateFunction", err, tt.want.create)
			} else if err == nil {
				_, err = c.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String(unqualified(tt.name))})
				wantText(t, "DeleteFunction of what was created", err, "")
			}
		})
	}
	if p := l.invoke(t, existing, `1`).succeeded(t); p != `1` {
		t.Errorf("payload %s", p)
	}
}

func unqualified(name string) string {
	if name == "f" {
		return name
	}
	return "function"
}

// wantText checks "Type: a part of the message". Nothing is expected of an
// empty text.
func wantText(t *testing.T, operation string, err error, want string) {
	t.Helper()
	if want == "" {
		return
	}
	code, text, _ := strings.Cut(want, ": ")
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Errorf("%s: %v, want %s", operation, err, want)
		return
	}
	if api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), text) {
		t.Errorf("%s: %s: %s\nwant %s", operation, api.ErrorCode(), api.ErrorMessage(), want)
	}
}
