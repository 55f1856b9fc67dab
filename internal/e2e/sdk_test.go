package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// wantError checks an error of the API: status, type, and the text that its
// message contains.
func wantError(t testing.TB, err error, status int, code, message string) {
	t.Helper()
	var api smithy.APIError
	var resp *smithyhttp.ResponseError
	if !errors.As(err, &api) || !errors.As(err, &resp) {
		t.Errorf("error %v, want %s", err, code)
		return
	}
	if resp.HTTPStatusCode() != status || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), message) {
		t.Errorf("%d %s: %s\nwant %d %s: %s", resp.HTTPStatusCode(), api.ErrorCode(), api.ErrorMessage(), status, code, message)
	}
}

func environment(v map[string]string) *types.Environment { return &types.Environment{Variables: v} }

func waitUpdated(t testing.TB, c *lambda.Client, name string) {
	t.Helper()
	w := lambda.NewFunctionUpdatedV2Waiter(c, func(o *lambda.FunctionUpdatedV2WaiterOptions) {
		o.MinDelay, o.MaxDelay = 10*time.Millisecond, 100*time.Millisecond
	})
	if err := w.Wait(t.Context(), &lambda.GetFunctionInput{FunctionName: &name}, patience); err != nil {
		t.Fatalf("wait for the update of %s: %v", name, err)
	}
}

// sum is a CodeSha256.
func sum(code []byte) string {
	s := sha256.Sum256(code)
	return base64.StdEncoding.EncodeToString(s[:])
}

// download fetches Code.Location as a user does, without a signature.
func download(t testing.TB, url string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("download: %s, %v: %.200s", resp.Status, err, b)
	}
	return b
}

// shell is a function that answers with a text, in a few bytes.
func shell(t testing.TB, answer string) []byte {
	t.Helper()
	return zipOf(t, file{"bootstrap", 0o755, `#!/bin/sh
set -eu
base="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
headers="$(mktemp)"
while :; do
	curl -sS -o /dev/null -D "$headers" "$base/invocation/next"
	id="$(tr -d '\r' <"$headers" | sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: *//p')"
	curl -sS -o /dev/null --data "\"$(cat answer) ${MARK-}\"" "$base/invocation/$id/response"
done
`}, file{"answer", 0o644, answer})
}

// TestSDKLifecycle goes through a function's life with the SDK for Go.
func TestSDKLifecycle(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	l := sharedLamb.get(t)
	c := l.client()
	ctx := t.Context()
	name := aws.String("sdk-life")
	first, second := shell(t, "first"), shell(t, "second")
	const arn = "arn:aws:lambda:us-east-1:000000000000:function:sdk-life"

	created, err := c.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: name, Runtime: types.RuntimeProvidedal2023, Handler: aws.String("h"), Role: aws.String(role),
		Code: &types.FunctionCode{ZipFile: first}, Publish: true, Tags: map[string]string{"team": "e2e"}, Timeout: aws.Int32(30),
	})
	if err != nil {
		t.Fatal(err)
	}
	if aws.ToString(created.FunctionArn) != arn || aws.ToString(created.Version) != "1" ||
		created.State != types.StatePending || created.StateReasonCode != types.StateReasonCodeCreating || created.LastUpdateStatus != "" ||
		aws.ToString(created.CodeSha256) != sum(first) || created.CodeSize != int64(len(first)) || aws.ToInt32(created.Timeout) != 30 || aws.ToInt32(created.MemorySize) != 128 {
		t.Errorf("created %+v", created)
	}
	waitActive(t, c, *name)
	_, err = c.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: name, Runtime: types.RuntimeProvidedal2023, Handler: aws.String("h"), Role: aws.String(role),
		Code: &types.FunctionCode{ZipFile: first},
	})
	wantError(t, err, 409, "ResourceConflictException", "Function already exist: sdk-life")

	got, err := c.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: name})
	if err != nil {
		t.Fatal(err)
	}
	if got.Tags["team"] != "e2e" || got.Configuration.State != types.StateActive || got.Configuration.LastUpdateStatus != types.LastUpdateStatusSuccessful {
		t.Errorf("function %+v", got.Configuration)
	}
	if code := download(t, *got.Code.Location); !bytes.Equal(code, first) {
		t.Errorf("Code.Location gives %d bytes, want the %d that were uploaded", len(code), len(first))
	}
	tampered := strings.Replace(*got.Code.Location, "=", "=0", 1)
	if resp, err := http.Get(tampered); err != nil || resp.StatusCode != 403 {
		t.Errorf("a changed link gives %v, %v", resp, err)
	}

	if p := l.invoke(t, *name, `{}`).succeeded(t); p != `"first "` {
		t.Errorf("payload %s", p)
	}
	if _, err := c.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: name, ZipFile: second}); err != nil {
		t.Fatal(err)
	}
	waitUpdated(t, c, *name)
	updated, err := c.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
		FunctionName: name, Environment: environment(map[string]string{"MARK": "marked"}), Timeout: aws.Int32(29),
	})
	if err != nil {
		t.Fatal(err)
	}
	if updated.LastUpdateStatus != types.LastUpdateStatusInProgress || updated.LastUpdateStatusReasonCode != types.LastUpdateStatusReasonCode("Creating") {
		t.Errorf("update %q, %q", updated.LastUpdateStatus, updated.LastUpdateStatusReasonCode)
	}
	waitUpdated(t, c, *name)
	_, err = c.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: name, RevisionId: created.RevisionId, Description: aws.String("late")})
	wantError(t, err, 412, "PreconditionFailedException", "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id")

	published, err := c.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: name, Description: aws.String("the second")})
	if err != nil {
		t.Fatal(err)
	}
	if aws.ToString(published.Version) != "2" || aws.ToString(published.FunctionArn) != arn+":2" || published.State != types.StateActive || aws.ToString(published.CodeSha256) != sum(second) {
		t.Errorf("published %+v", published)
	}
	for version, want := range map[string]string{"1": `"first "`, "2": `"second marked"`, "$LATEST": `"second marked"`} {
		a := l.invoke(t, *name, `{}`, func(in *lambda.InvokeInput) { in.Qualifier = &version })
		if p := a.succeeded(t); p != want || aws.ToString(a.ExecutedVersion) != version {
			t.Errorf("version %s answers %s as version %s, want %s", version, p, aws.ToString(a.ExecutedVersion), want)
		}
	}
	list, err := c.ListVersionsByFunction(ctx, &lambda.ListVersionsByFunctionInput{FunctionName: name})
	if err != nil {
		t.Fatal(err)
	}
	var versions []string
	for _, v := range list.Versions {
		versions = append(versions, aws.ToString(v.Version)+" "+aws.ToString(v.Description)+" "+aws.ToString(v.FunctionArn))
	}
	want := []string{"$LATEST  " + arn + ":$LATEST", "1  " + arn + ":1", "2 the second " + arn + ":2"}
	if !slices.Equal(versions, want) {
		t.Errorf("versions %q, want %q", versions, want)
	}

	if _, err := c.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: name, Qualifier: aws.String("1")}); err != nil {
		t.Error(err)
	}
	_, err = c.Invoke(ctx, &lambda.InvokeInput{FunctionName: name, Qualifier: aws.String("1")})
	wantError(t, err, 404, "ResourceNotFoundException", "Function not found: "+arn+":1")
	if _, err := c.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: name}); err != nil {
		t.Error(err)
	}
	_, err = c.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: name})
	wantError(t, err, 404, "ResourceNotFoundException", "Function not found: "+arn)
	_, err = c.Invoke(ctx, &lambda.InvokeInput{FunctionName: name})
	wantError(t, err, 404, "ResourceNotFoundException", "Function not found: "+arn+":$LATEST")
}

// TestSDKPaginators lists more functions and versions than a page holds. The
// region is the test's own, so nobody else's functions are in it.
func TestSDKPaginators(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	c := l.client(inRegion("eu-west-3"))
	ctx := t.Context()
	code := shell(t, "x")
	var names []string
	for i := range 7 {
		name := fmt.Sprintf("page-%d", i)
		names = append(names, name)
		if _, err := c.CreateFunction(ctx, &lambda.CreateFunctionInput{
			FunctionName: &name, Runtime: types.RuntimeProvidedal2023, Handler: aws.String("h"), Role: aws.String(role),
			Code: &types.FunctionCode{ZipFile: code},
		}); err != nil {
			t.Fatal(err)
		}
		waitActive(t, c, name)
	}
	for i := range 4 {
		if _, err := c.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &names[0], Description: aws.String(fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
		waitUpdated(t, c, names[0])
		if _, err := c.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: &names[0]}); err != nil {
			t.Fatal(err)
		}
	}
	for size := int32(1); size <= 8; size++ {
		var got []string
		p := lambda.NewListFunctionsPaginator(c, &lambda.ListFunctionsInput{MaxItems: &size})
		for p.HasMorePages() {
			page, err := p.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Functions) > int(size) {
				t.Errorf("a page of %d with MaxItems %d", len(page.Functions), size)
			}
			for _, f := range page.Functions {
				got = append(got, aws.ToString(f.FunctionName))
				if f.State != "" || f.LastUpdateStatus != "" || f.RuntimeVersionConfig != nil {
					t.Errorf("the list has state members: %+v", f)
				}
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, names) {
			t.Errorf("MaxItems %d lists %q", size, got)
		}
		got = nil
		v := lambda.NewListVersionsByFunctionPaginator(c, &lambda.ListVersionsByFunctionInput{FunctionName: &names[0], MaxItems: &size})
		for v.HasMorePages() {
			page, err := v.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range page.Versions {
				got = append(got, aws.ToString(f.Version))
			}
		}
		if want := []string{"$LATEST", "1", "2", "3", "4"}; !slices.Equal(got, want) {
			t.Errorf("MaxItems %d lists versions %q", size, got)
		}
	}
	all, err := c.ListFunctions(ctx, &lambda.ListFunctionsInput{FunctionVersion: types.FunctionVersionAll})
	if err != nil || len(all.Functions) != 7+4 {
		t.Errorf("FunctionVersion ALL lists %d, %v; want 11", len(all.Functions), err)
	}
}

// TestSDKInvokeKinds has the kinds of invocation that run nothing, and what is
// refused.
func TestSDKInvokeKinds(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	c := l.client()
	ctx := t.Context()
	name := aws.String(l.goFn(t, "sdk-kinds", "echo"))

	dry, err := c.Invoke(ctx, &lambda.InvokeInput{FunctionName: name, InvocationType: types.InvocationTypeDryRun})
	if err != nil || dry.StatusCode != 204 || len(dry.Payload) != 0 {
		t.Errorf("DryRun: %+v, %v", dry, err)
	}
	_, err = c.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("sdk-kinds-missing"), InvocationType: types.InvocationTypeDryRun})
	wantError(t, err, 404, "ResourceNotFoundException", "Function not found: ")
	_, err = c.Invoke(ctx, &lambda.InvokeInput{FunctionName: name, InvocationType: types.InvocationTypeEvent})
	wantError(t, err, 501, "NotImplementedException", "Event")
	_, err = c.ListCodeSigningConfigs(ctx, &lambda.ListCodeSigningConfigsInput{})
	wantError(t, err, 501, "NotImplementedException", "ListCodeSigningConfigs")

	for payload, text := range map[string]string{
		`{"a":`:    "Could not parse request body into json: Could not parse payload into json: ",
		`no json`:  "Could not parse request body into json: Could not parse payload into json: ",
		"{}{}":     "Could not parse request body into json: Could not parse payload into json: ",
		"\xff\xfe": "Could not parse request body into json: Could not parse payload into json: ",
		`{'a': 1}`: "Could not parse request body into json: Could not parse payload into json: ",
	} {
		_, err := c.Invoke(ctx, &lambda.InvokeInput{FunctionName: name, Payload: []byte(payload)})
		wantError(t, err, 400, "InvalidRequestContentException", text)
	}
	for _, bad := range []string{"%%%", base64.StdEncoding.EncodeToString([]byte("{")), strings.Repeat("A", 4000)} {
		_, err := c.Invoke(ctx, &lambda.InvokeInput{FunctionName: name, ClientContext: &bad})
		wantError(t, err, 400, "InvalidRequestContentException", "lient context must be")
	}
	_, err = c.Invoke(ctx, &lambda.InvokeInput{FunctionName: name, Qualifier: aws.String("7")})
	wantError(t, err, 404, "ResourceNotFoundException", "function:sdk-kinds:7")
	if p := l.invoke(t, *name, `"still well"`).succeeded(t); p != `"still well"` {
		t.Errorf("payload %s", p)
	}
	account, err := c.GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{})
	if err != nil || account.AccountLimit.ConcurrentExecutions != 1000 || account.AccountUsage.FunctionCount == 0 {
		t.Errorf("account settings %+v, %v", account, err)
	}
}

// TestRegions shows that a region has functions of its own.
func TestRegions(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	l := sharedLamb.get(t)
	ctx := t.Context()
	l.create(t, fn{name: "regional", handler: "h", code: shell(t, "us-east-1")})
	other := l.client(inRegion("eu-central-1"))
	_, err := other.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: aws.String("regional")})
	wantError(t, err, 404, "ResourceNotFoundException", "Function not found: arn:aws:lambda:eu-central-1:000000000000:function:regional")
	_, err = other.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("arn:aws:lambda:us-east-1:000000000000:function:regional")})
	wantError(t, err, 404, "ResourceNotFoundException", "Functions from 'us-east-1' are not reachable in this region ('eu-central-1')")
	created, err := other.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: aws.String("regional"), Runtime: types.RuntimeProvidedal2023, Handler: aws.String("h"), Role: aws.String(role),
		Code: &types.FunctionCode{ZipFile: shell(t, "eu-central-1")}, Timeout: aws.Int32(30),
	})
	if err != nil || aws.ToString(created.FunctionArn) != "arn:aws:lambda:eu-central-1:000000000000:function:regional" {
		t.Fatalf("create: %+v, %v", created, err)
	}
	waitActive(t, other, "regional")
	out, err := other.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("regional")})
	if err != nil || string(out.Payload) != `"eu-central-1 "` {
		t.Errorf("invoke: %+v, %v", out, err)
	}
	if p := l.invoke(t, "regional", ``).succeeded(t); p != `"us-east-1 "` {
		t.Errorf("payload %s", p)
	}
}
