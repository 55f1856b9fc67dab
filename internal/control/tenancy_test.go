package control

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/lambhq/lamb/internal/api"
)

// TestTenancy: the mode is set at creation, shown everywhere, the same for
// every version, and no update changes it.
func TestTenancy(t *testing.T) {
	b := newBench(t)
	client, ctx := b.client(), t.Context()
	name := aws.String("isolated")
	want := func(where string, got *types.TenancyConfig) {
		t.Helper()
		if got == nil || got.TenantIsolationMode != types.TenantIsolationModePerTenant {
			t.Errorf("%s shows %+v", where, got)
		}
	}
	created, err := client.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: name, Role: aws.String(role), Handler: aws.String("app.handler"), Runtime: types.RuntimePython313,
		Code:          &types.FunctionCode{ZipFile: zipOf(t, "app.py", "def handler(e, c): return e")},
		TenancyConfig: &types.TenancyConfig{TenantIsolationMode: types.TenantIsolationModePerTenant},
	})
	if err != nil {
		t.Fatal(err)
	}
	want("CreateFunction", created.TenancyConfig)
	b.settled("isolated")

	updated, err := client.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: name, MemorySize: aws.Int32(256)})
	if err != nil {
		t.Fatal(err)
	}
	want("UpdateFunctionConfiguration", updated.TenancyConfig)
	b.settled("isolated")
	code, err := client.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: name, ZipFile: zipOf(t, "app.py", "x = 1")})
	if err != nil {
		t.Fatal(err)
	}
	want("UpdateFunctionCode", code.TenancyConfig)
	b.settled("isolated")
	published, err := client.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: name})
	if err != nil {
		t.Fatal(err)
	}
	want("PublishVersion", published.TenancyConfig)
	b.settled("isolated")

	for _, qualifier := range []string{"$LATEST", "1"} {
		configuration, err := client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: name, Qualifier: &qualifier})
		if err != nil {
			t.Fatal(err)
		}
		want("GetFunctionConfiguration", configuration.TenancyConfig)
	}
	list, err := client.ListFunctions(ctx, &lambda.ListFunctionsInput{})
	if err != nil || len(list.Functions) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	want("ListFunctions", list.Functions[0].TenancyConfig)

	_, err = b.ctl.UpdateFunctionConfiguration(b.caller(), &api.UpdateFunctionConfigurationRequest{
		FunctionName: name, SnapStart: &api.SnapStart{ApplyOn: new("PublishedVersions")},
	})
	wantError(t, err, "InvalidParameterValueException", "SnapStart is not supported for functions with tenant isolation.")
	if _, err = b.ctl.UpdateFunctionConfiguration(b.caller(), &api.UpdateFunctionConfigurationRequest{
		FunctionName: name, SnapStart: &api.SnapStart{ApplyOn: new("None")},
	}); err != nil {
		t.Errorf("SnapStart None: %v", err)
	}

	b.create("shared")
	if got := b.settled("shared").Config.TenantIsolation; got != "" {
		t.Errorf("a function that said nothing has %q", got)
	}
	_, err = client.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: aws.String("other-mode"), Role: aws.String(role), Handler: aws.String("app.handler"), Runtime: types.RuntimePython313,
		Code:          &types.FunctionCode{ZipFile: zipOf(t, "app.py", "x = 1")},
		TenancyConfig: &types.TenancyConfig{TenantIsolationMode: "SHARED"},
	})
	const refused = "1 validation error detected: Value 'SHARED' at 'tenancyConfig.tenantIsolationMode' " +
		"failed to satisfy constraint: Member must satisfy enum value set: [PER_TENANT]"
	if err == nil || !strings.Contains(err.Error(), refused) {
		t.Errorf("another mode: %v", err)
	}
}
