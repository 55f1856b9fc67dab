package control

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// The way of a deployment tool: create, wait, update, wait, publish, list,
// delete, all through the unmodified SDK.
func TestSDK(t *testing.T) {
	b := newBench(t)
	client, ctx := b.client(), t.Context()
	zip := zipOf(t, "app.py", "def handler(e, c): return e")

	b.gate.shut()
	created, err := client.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: aws.String("fn"), Role: aws.String(role), Handler: aws.String("app.handler"),
		Runtime: types.RuntimePython313, Code: &types.FunctionCode{ZipFile: zip},
		Environment: &types.Environment{Variables: map[string]string{"KEY": "value"}},
		Tags:        map[string]string{"a": "b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if created.State != types.StatePending || created.LastUpdateStatus != "" || created.CodeSize != int64(len(zip)) {
		t.Errorf("created: %+v", created)
	}
	b.gate.open(nil)
	soon := func(o *lambda.FunctionActiveV2WaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Millisecond, 10*time.Millisecond
	}
	active, err := lambda.NewFunctionActiveV2Waiter(client).WaitForOutput(ctx,
		&lambda.GetFunctionInput{FunctionName: aws.String("fn")}, 10*time.Second, soon)
	if err != nil {
		t.Fatal(err)
	}
	if active.Tags["a"] != "b" || active.Configuration.Environment.Variables["KEY"] != "value" ||
		!strings.HasPrefix(*active.Code.Location, "https://code.example/") {
		t.Errorf("active: %+v", active)
	}

	updated, err := client.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
		FunctionName: aws.String("fn"), MemorySize: aws.Int32(512), RevisionId: active.Configuration.RevisionId,
	})
	if err != nil {
		t.Fatal(err)
	}
	if updated.LastUpdateStatus != types.LastUpdateStatusInProgress || *updated.MemorySize != 512 {
		t.Errorf("updated: %+v", updated)
	}
	soonUpdated := func(o *lambda.FunctionUpdatedV2WaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Millisecond, 10*time.Millisecond
	}
	if err := lambda.NewFunctionUpdatedV2Waiter(client).Wait(ctx,
		&lambda.GetFunctionInput{FunctionName: aws.String("fn")}, 10*time.Second, soonUpdated); err != nil {
		t.Fatal(err)
	}
	_, err = client.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{
		FunctionName: aws.String("fn"), ZipFile: zip, RevisionId: active.Configuration.RevisionId,
	})
	var stale *types.PreconditionFailedException
	if !errors.As(err, &stale) || *stale.Message != staleRevision || *stale.Type != "User" {
		t.Errorf("a stale revision: %v", err)
	}

	version, err := client.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: aws.String("fn")})
	if err != nil || *version.Version != "1" {
		t.Fatalf("published: %+v, %v", version, err)
	}
	if _, err := client.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String("fn")}); err != nil {
		t.Fatal(err)
	}
	_, err = client.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: aws.String("fn")})
	var gone *types.ResourceNotFoundException
	if !errors.As(err, &gone) || *gone.Message != "Function not found: "+arnBase+"fn" || *gone.Type != "User" {
		t.Errorf("after deletion: %v", err)
	}
}

func TestSDKPaginators(t *testing.T) {
	b := newBench(t)
	client, ctx := b.client(), t.Context()
	names := strs("fn-%d", 5)
	for _, name := range names {
		b.create(name)
	}
	b.create("fn")
	b.mustPublish(asIs)

	var got []string
	functions := lambda.NewListFunctionsPaginator(client, &lambda.ListFunctionsInput{MaxItems: aws.Int32(2)})
	for functions.HasMorePages() {
		page, err := functions.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page.Functions {
			got = append(got, *f.FunctionName)
		}
	}
	if want := "fn fn-0 fn-1 fn-2 fn-3 fn-4"; strings.Join(got, " ") != want {
		t.Errorf("functions %v, want %s", got, want)
	}

	got = nil
	versions := lambda.NewListVersionsByFunctionPaginator(client, &lambda.ListVersionsByFunctionInput{
		FunctionName: aws.String("fn"), MaxItems: aws.Int32(1),
	})
	for versions.HasMorePages() {
		page, err := versions.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.Versions {
			got = append(got, *v.Version)
		}
	}
	if want := "$LATEST 1"; strings.Join(got, " ") != want {
		t.Errorf("versions %v, want %s", got, want)
	}
}

// Statuses, rule 139, and the answer of what is not there.
func TestStatuses(t *testing.T) {
	b := newBench(t)
	b.create("fn")
	for _, tt := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/2015-03-31/functions/fn/versions", "{}", 201},
		{"PUT", "/2015-03-31/functions/fn/configuration", `{"Timeout":4}`, 200},
		{"GET", "/2015-03-31/functions/", "", 200},
		{"GET", "/2015-03-31/functions/fn/versions", "", 200},
		{"GET", "/2016-08-19/account-settings/", "", 200},
		{"PUT", "/2015-03-31/functions/fn/configuration", `{"Timeout":901}`, 400},
		{"POST", "/2015-03-31/functions/fn/aliases", `{"Name":"a","FunctionVersion":"1"}`, 201},
		{"GET", "/2015-03-31/functions/fn/aliases/a", "", 200},
		{"POST", "/2015-03-31/functions/fn/policy?Qualifier=a", `{"StatementId":"s","Action":"*","Principal":"*"}`, 201},
		{"DELETE", "/2015-03-31/functions/fn/policy/s?Qualifier=a", "", 204},
		{"POST", "/2021-10-31/functions/fn/url", `{"AuthType":"NONE"}`, 201},
		{"DELETE", "/2021-10-31/functions/fn/url", "", 204},
		{"POST", "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Afn", `{"Tags":{"a":"b"}}`, 204},
		{"DELETE", "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Afn?tagKeys=a", "", 204},
		{"DELETE", "/2015-03-31/functions/fn/aliases/a", "", 204},
		{"PUT", "/2017-10-31/functions/fn/concurrency", `{"ReservedConcurrentExecutions":1}`, 501},
		{"DELETE", "/2015-03-31/functions/fn", "", 204},
		{"GET", "/2015-03-31/functions/fn", "", 404},
	} {
		if tt.want == 400 {
			b.settled("fn")
		}
		if status, body := b.send(tt.method, tt.path, tt.body); status != tt.want {
			t.Errorf("%s %s: %d %s, want %d", tt.method, tt.path, status, body, tt.want)
		}
	}
}
