package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

type callerOutcome struct {
	place
	Payload       any
	Code, Message string
	Status        int
}

// TestFunctionCalls has functions call Lambda at lamb with the SDK and the
// credentials of their environment.
func TestFunctionCalls(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	l.create(t, fn{name: "calls", handler: "x", code: caller.zip(t), memory: 512, timeout: 60})
	echo := l.goFn(t, "called", "echo")
	call := func(t *testing.T, task string) (out callerOutcome) {
		t.Helper()
		l.invoke(t, "calls", task).into(t, &out)
		return out
	}

	t.Run("other", func(t *testing.T) {
		out := call(t, `{"do":"invoke","function":"called","payload":{"a":[1,"b"]}}`)
		if got := fmt.Sprint(out.Payload); out.Code != "" || got != "map[a:[1 b]]" {
			t.Errorf("outcome %+v", out)
		}
	})
	t.Run("itself", func(t *testing.T) {
		const depth = 6
		out := call(t, fmt.Sprintf(`{"do":"invoke","depth":%d,"function":"called","payload":"deep"}`, depth))
		places := map[string]bool{}
		var v any = map[string]any{"pid": out.PID, "stream": out.Stream, "payload": out.Payload}
		for range depth + 1 {
			level, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("outcome %+v", out)
			}
			places[fmt.Sprint(level["pid"], level["stream"])] = true
			v = level["payload"]
		}
		if v != "deep" || len(places) != depth+1 {
			t.Errorf("after %d processes: %v", len(places), v)
		}
	})
	for _, do := range []string{"list", "delete"} {
		t.Run("denied "+do, func(t *testing.T) {
			out := call(t, `{"do":"`+do+`","function":"called"}`)
			if out.Status != 403 || out.Code != "AccessDeniedException" || !strings.Contains(out.Message, "is not authorized to perform: lambda:") {
				t.Errorf("outcome %+v", out)
			}
		})
	}
	for _, what := range []string{"secret", "token", "key"} {
		t.Run("tampered "+what, func(t *testing.T) {
			out := call(t, `{"do":"invoke","function":"called","payload":1,"tamper":"`+what+`"}`)
			if out.Status != 403 || out.Code == "" || out.Payload != nil {
				t.Errorf("outcome %+v", out)
			}
		})
	}
	if p := l.invoke(t, echo, `1`).succeeded(t); p != `1` {
		t.Errorf("payload %s", p)
	}
}

// TestBoto3Calls has a Python function call another one with the host's boto3,
// which finds endpoint and credentials by itself.
func TestBoto3Calls(t *testing.T) {
	t.Parallel()
	home := folder(t)
	asLamb := func(python string, args ...string) *exec.Cmd {
		return here.command(t.Context(), home, python, args...)
	}
	python := withBoto3(t, asLamb)
	out, err := asLamb(python, "-c", "import sys; print('python%d.%d=%s' % (*sys.version_info[:2], sys.executable), end='')").Output()
	if err != nil {
		t.Fatal(err)
	}
	runtime, _, _ := strings.Cut(string(out), "=")
	l := startLamb(t, "--interpreter", string(out))
	l.goFn(t, "called-by-boto3", "echo")
	l.create(t, fn{
		name: "boto3-calls", runtime: runtime, handler: "app.handler", timeout: 60, memory: 512,
		code: zipOf(t, file{"app.py", 0o644, `
import os
import boto3
from botocore.exceptions import ClientError

# Releases before 1.28, such as Debian 12's, do not know the variable.
knows = [int(n) for n in boto3.__version__.split(".")[:2]] >= [1, 28]

def handler(event, context):
    client = boto3.client("lambda", endpoint_url=None if knows else os.environ["AWS_ENDPOINT_URL_LAMBDA"])
    answer = client.invoke(FunctionName="called-by-boto3", Payload=b'"hello"')["Payload"].read().decode()
    try:
        client.list_functions()
    except ClientError as e:
        return [answer, e.response["Error"]["Code"]]
`}),
	})
	if got := l.invoke(t, "boto3-calls", `{}`, withTail).succeeded(t); got != `["\"hello\"", "AccessDeniedException"]` {
		t.Errorf("payload %s", got)
	}
}

// TestFunctionAccess has the other settings of what functions may do.
func TestFunctionAccess(t *testing.T) {
	t.Parallel()
	for access, status := range map[string]struct{ list, invoke int }{"full": {0, 0}, "none": {403, 403}} {
		t.Run(access, func(t *testing.T) {
			t.Parallel()
			l := startLamb(t, "--function-access", access)
			l.create(t, fn{name: "calls", handler: "x", code: caller.zip(t), memory: 512})
			l.goFn(t, "called", "echo")
			for do, want := range map[string]int{"list": status.list, "invoke": status.invoke} {
				var out callerOutcome
				l.invoke(t, "calls", `{"do":"`+do+`","function":"called","payload":1}`).into(t, &out)
				if out.Status != want {
					t.Errorf("%s: %+v, want status %d", do, out, want)
				}
			}
		})
	}
}

// TestCredentialsEnd shows that the credentials of an environment are worth
// nothing when it has gone.
func TestCredentialsEnd(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	name := l.goFn(t, "go-credentials", "env")
	var env map[string]string
	l.invoke(t, name, `{}`).into(t, &env)
	minted := l.client(func(o *lambda.Options) { o.Credentials = staticCredentials(env) })
	if _, err := minted.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name}); err != nil {
		t.Errorf("with the credentials of a living environment: %v", err)
	}
	_, err := minted.ListFunctions(t.Context(), &lambda.ListFunctionsInput{})
	wantError(t, err, 403, "AccessDeniedException", "lambda:ListFunctions")
	// A new configuration closes the environment.
	c := l.client()
	if _, err := c.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: &name, Description: aws.String("new")}); err != nil {
		t.Fatal(err)
	}
	waitUpdated(t, c, name)
	var renewed map[string]string
	l.invoke(t, name, `{}`).into(t, &renewed)
	if renewed["AWS_ACCESS_KEY_ID"] == env["AWS_ACCESS_KEY_ID"] {
		t.Error("the new environment has the credentials of the old one")
	}
	sharedLamb.secret("a minted secret key", renewed["AWS_SECRET_ACCESS_KEY"])
}
