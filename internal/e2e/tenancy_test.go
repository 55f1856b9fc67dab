package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// tenantFunctions remember, in memory and in /tmp, for whom they have run.
var tenantFunctions = []struct{ program, runtime, code string }{
	{"python3", "python3.12", `
import logging, os, tempfile
count, seen = 0, []

def handler(event, context):
    global count
    count += 1
    seen.append(context.tenant_id)
    path = os.path.join(tempfile.gettempdir(), "tenants")
    with open(path, "a") as f:
        f.write(context.tenant_id + "\n")
    logging.warning("served %s", context.tenant_id)
    return {"tenant": context.tenant_id, "count": count, "seen": seen, "files": open(path).read().splitlines()}
`},
	{"node", "nodejs20.x", `
const fs = require("node:fs"), os = require("node:os"), path = require("node:path");
let count = 0;
const seen = [], file = path.join(os.tmpdir(), "tenants");
exports.handler = async (event, context) => {
  count++;
  seen.push(context.tenantId);
  fs.appendFileSync(file, context.tenantId + "\n");
  console.log("served", context.tenantId);
  return { tenant: context.tenantId, count, seen, files: fs.readFileSync(file, "utf8").trim().split("\n") };
};
`},
}

// tenantAnswer is what they answer.
type tenantAnswer struct {
	Tenant      string
	Count       int
	Seen, Files []string
}

// check looks whether the environment has served nobody else.
func (a tenantAnswer) check(tenant string) error {
	strange := func(s string) bool { return s != tenant }
	if a.Tenant != tenant || slices.ContainsFunc(a.Seen, strange) || slices.ContainsFunc(a.Files, strange) ||
		len(a.Seen) != a.Count || len(a.Files) != a.Count {
		return fmt.Errorf("tenant %q was served by %+v", tenant, a)
	}
	return nil
}

func forTenant(id string) func(*lambda.InvokeInput) {
	return func(in *lambda.InvokeInput) { in.TenantId = &id }
}

// createIsolated makes a function with tenant isolation and JSON logs.
func (l *lamb) createIsolated(t testing.TB, name, runtime string, code []byte) {
	t.Helper()
	c := l.client()
	_, err := c.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: &name, Runtime: types.Runtime(runtime), Handler: aws.String("app.handler"), Role: aws.String(role),
		Code: &types.FunctionCode{ZipFile: code}, Timeout: aws.Int32(30), Publish: true,
		TenancyConfig: &types.TenancyConfig{TenantIsolationMode: types.TenantIsolationModePerTenant},
		LoggingConfig: &types.LoggingConfig{LogFormat: types.LogFormatJson},
	})
	if err != nil {
		t.Fatalf("create %s: %v", name, err)
	}
	waitActive(t, c, name)
}

// tenantCode is the deployment package of a tenantFunction.
func tenantCode(t testing.TB, runtime, code string) []byte {
	t.Helper()
	if strings.HasPrefix(runtime, "python") {
		return zipOf(t, file{"app.py", 0o644, code})
	}
	return zipOf(t, file{"app.js", 0o644, code})
}

// TestTenancy keeps tenants apart, one after the other, all at once, and when
// there are more than may be kept.
func TestTenancy(t *testing.T) {
	t.Parallel()
	l := startLamb(t, "--concurrency", "4")
	for _, f := range tenantFunctions {
		t.Run(f.program, func(t *testing.T) {
			needInside(t, f.program)
			l.createIsolated(t, f.program, f.runtime, tenantCode(t, f.runtime, f.code))
			testTenantsInTurn(t, l, f.program)
		})
	}
	t.Run("at once", func(t *testing.T) { testTenantsAtOnce(t, l, tenantFunctions[0].program) })
	t.Run("boto3", func(t *testing.T) {
		needInside(t, "python3")
		f := tenantFunctions[0]
		runBoto3On(t, l, "tenancy.py", tenantCode(t, f.runtime, f.code))
	})
}

// testTenantsInTurn: each has its own counter, which goes on in its own
// environment; versions do not share either.
func testTenantsInTurn(t *testing.T, l *lamb, name string) {
	tenants := []string{"blue", "BLUE", "a b.c:d/e=f+g-h@i_j", strings.Repeat("x", 256)}
	for round := range 3 {
		for _, tenant := range tenants {
			a := l.invoke(t, name, `{}`, forTenant(tenant), withTail)
			var got tenantAnswer
			a.into(t, &got)
			if err := got.check(tenant); err != nil || got.Count != round+1 {
				t.Errorf("round %d: count %d, %v", round, got.Count, err)
			}
			hasLines(t, a.Log, `"tenantId":`+spaced(a.Log)+`"`+tenant+`"`)
		}
	}
	var got tenantAnswer
	l.invoke(t, name, `{}`, forTenant("blue"), func(in *lambda.InvokeInput) { in.Qualifier = aws.String("1") }).into(t, &got)
	if err := got.check("blue"); err != nil || got.Count != 1 {
		t.Errorf("version 1: count %d, %v", got.Count, err)
	}

	_, err := l.client().Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name})
	wantError(t, err, 400, "InvalidParameterValueException", "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again.")
	_, err = l.client().Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, TenantId: aws.String("no#hash")})
	wantError(t, err, 400, "ValidationException", "at 'tenantId' failed to satisfy constraint: Member must satisfy regular expression pattern: ")
	shared := l.goFn(t, "shared-"+name, "echo")
	_, err = l.client().Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &shared, TenantId: aws.String("blue")})
	wantError(t, err, 400, "InvalidParameterValueException", "Remove the tenant ID")
}

// spaced is the space that the language's JSON has after a colon, if any.
func spaced(log string) string {
	if strings.Contains(log, `"tenantId": `) {
		return " "
	}
	return ""
}

// testTenantsAtOnce has many tenants call at once, more than may be kept: the
// limit of 4 in flight lets 10 environments of tenants stay.
func testTenantsAtOnce(t *testing.T, l *lamb, name string) {
	needInside(t, name)
	var wg sync.WaitGroup
	for caller := range 4 {
		wg.Go(func() {
			for i := range 15 {
				// Two callers have the same tenants, in another order.
				tenant := fmt.Sprintf("tenant-%d", (caller/2*7+i*(1+caller%2))%16)
				if err := l.invokeFor(t, name, tenant); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if idle := l.metric(t, "lamb_environments_idle"); idle > 11 { // and one of the function without tenants
		t.Errorf("%v environments are kept", idle)
	}
	if started := l.metric(t, "lamb_environments_started_total"); started < 16 {
		t.Errorf("only %v environments were started for 16 tenants", started)
	}
}

// invokeFor invokes for a tenant; it may be called on any goroutine. As the
// calls in flight come to the limit, one may have to be made again.
func (l *lamb) invokeFor(t *testing.T, name, tenant string) error {
	for {
		out, err := l.client().Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, TenantId: &tenant})
		var throttled *types.TooManyRequestsException
		if errors.As(err, &throttled) {
			continue
		}
		if err != nil {
			return err
		}
		var got tenantAnswer
		if err := json.Unmarshal(out.Payload, &got); err != nil || out.FunctionError != nil {
			return fmt.Errorf("%s, %v", out.Payload, err)
		}
		return got.check(tenant)
	}
}
