package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// snapStartCode has hooks around the restore, and tells what it finds.
const snapStartCode = `
import json, os, urllib.request
import snapshot_restore_py as hooks
seen = []
hooks.register_before_snapshot(seen.append, "before")
hooks.register_after_restore(seen.append, "after")
if %q == "after":
    def broken(): raise RuntimeError("no")
    hooks.register_after_restore(broken)
if %q == "exit":
    hooks.register_after_restore(os._exit, 3)
if %q == "slow":
    import time
    hooks.register_after_restore(time.sleep, 60)
if %q == "init" and os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start":
    raise RuntimeError("no")

def handler(event, context):
    out = {"type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], "seen": seen, "key": "AWS_ACCESS_KEY_ID" in os.environ, "stream": "AWS_LAMBDA_LOG_STREAM_NAME" in os.environ}
    if "AWS_CONTAINER_CREDENTIALS_FULL_URI" in os.environ:
        r = urllib.request.Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"], headers={"Authorization": os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]})
        out["credentials"] = sorted(json.load(urllib.request.urlopen(r)))
    return out
`

// TestSnapStart: a published version runs its init when it is published, and
// its environments run their hooks before the first event.
func TestSnapStart(t *testing.T) {
	t.Parallel()
	needInside(t, "python3")
	l := sharedLamb.get(t)
	c := l.client()
	publish := func(breaks string) (string, *lambda.GetFunctionConfigurationOutput) {
		name := "snapstart-" + breaks
		_, err := c.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
			FunctionName: &name, Runtime: types.RuntimePython312, Handler: aws.String("app.handler"), Role: aws.String(role),
			Code:    &types.FunctionCode{ZipFile: zipOf(t, file{"app.py", 0o644, fmt.Sprintf(snapStartCode, breaks, breaks, breaks, breaks)})},
			Timeout: aws.Int32(30), SnapStart: &types.SnapStart{ApplyOn: types.SnapStartApplyOnPublishedVersions},
		})
		if err != nil {
			t.Fatal(err)
		}
		waitActive(t, c, name)
		v, err := c.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: &name})
		if err != nil {
			t.Fatal(err)
		}
		if v.State != types.StatePending || v.SnapStart.OptimizationStatus != types.SnapStartOptimizationStatusOff {
			t.Errorf("published as %s, optimization %s", v.State, v.SnapStart.OptimizationStatus)
		}
		w := lambda.NewFunctionActiveV2Waiter(c, func(o *lambda.FunctionActiveV2WaiterOptions) {
			o.MinDelay, o.MaxDelay = 10*time.Millisecond, 100*time.Millisecond
		})
		_ = w.Wait(t.Context(), &lambda.GetFunctionInput{FunctionName: &name, Qualifier: v.Version}, patience) // Failed is an end, too
		got, err := c.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: &name, Qualifier: v.Version})
		if err != nil {
			t.Fatal(err)
		}
		return name, got
	}
	version := func(in *lambda.InvokeInput) { in.Qualifier = aws.String("1") }

	name, got := publish("nothing")
	if got.State != types.StateActive || got.SnapStart.OptimizationStatus != types.SnapStartOptimizationStatusOn {
		t.Fatalf("%s, %s, %s", got.State, got.SnapStart.OptimizationStatus, aws.ToString(got.StateReason))
	}
	a := l.invoke(t, name, `{}`, version, withTail)
	want := `{"type": "snap-start", "seen": ["before", "after"], "key": false, "stream": false, "credentials": ["AccessKeyId", "Expiration", "SecretAccessKey", "Token"]}`
	if p := a.succeeded(t); p != want {
		t.Errorf("version: %s", p)
	}
	if !strings.Contains(a.Log, "\tRestore Duration: ") || !strings.Contains(a.Log, "\tBilled Restore Duration: ") || strings.Contains(a.Log, "Init Duration") {
		t.Errorf("log: %s", a.Log)
	}
	if p := l.invoke(t, name, `{}`).succeeded(t); p != `{"type": "on-demand", "seen": [], "key": true, "stream": true}` {
		t.Errorf("$LATEST: %s", p)
	}

	name, got = publish("after")
	if got.State != types.StateActive {
		t.Fatalf("%s, %s", got.State, aws.ToString(got.StateReason))
	}
	_, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, Qualifier: aws.String("1")})
	wantError(t, err, 400, "SnapStartException", "hook encountered an error")

	name, _ = publish("exit")
	_, err = c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, Qualifier: aws.String("1")})
	wantError(t, err, 400, "SnapStartException", "hook encountered an error")

	if here.user == nil && !here.race { // once for each sandbox is enough: it takes ten seconds
		name, _ = publish("slow")
		_, err = c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, Qualifier: aws.String("1")})
		wantError(t, err, 408, "SnapStartTimeoutException", "couldn't restore the snapshot within the timeout limit")
	}

	_, got = publish("init")
	if got.State != types.StateFailed || got.SnapStart.OptimizationStatus != types.SnapStartOptimizationStatusOff {
		t.Errorf("an init that fails: %s, %s, %s", got.State, got.StateReasonCode, aws.ToString(got.StateReason))
	}
}
