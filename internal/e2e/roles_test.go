package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// TestRoleCredentials: where a role's credentials have a source, its functions
// get these, may do with them at lamb's API what they may with minted ones, and
// lamb prints nothing of them.
func TestRoleCredentials(t *testing.T) {
	t.Parallel()
	const key, secret, token = "ASIAROLEKEY123456789", "the-secret-of-the-role", "the-token-of-the-role"
	source := filepath.Join(folder(t), "source")
	text := `{"Version":1,"AccessKeyId":"` + key + `","SecretAccessKey":"` + secret + `","SessionToken":"` + token + `"}`
	if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	l := startLamb(t, "--role-credentials", role+"=file:"+source, "--log-level", "debug")
	var env map[string]string
	l.invoke(t, l.goFn(t, "shows", "env"), "null").into(t, &env)
	for name, want := range map[string]string{"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token} {
		if env[name] != want {
			t.Errorf("%s is %q", name, env[name])
		}
	}
	l.create(t, fn{name: "calls", handler: "x", code: caller.zip(t), memory: 512, timeout: 60})
	l.goFn(t, "called", "echo")
	call := func(task string) (out callerOutcome) {
		t.Helper()
		l.invoke(t, "calls", task).into(t, &out)
		return out
	}
	if out := call(`{"do":"invoke","function":"called","payload":"x"}`); out.Code != "" || out.Payload != "x" {
		t.Errorf("invoke: %+v", out)
	}
	if out := call(`{"do":"delete","function":"called"}`); out.Status != 403 || out.Code != "AccessDeniedException" {
		t.Errorf("delete: %+v", out)
	}
	for _, what := range []string{"secret", "token"} {
		if out := call(`{"do":"invoke","function":"called","payload":1,"tamper":"` + what + `"}`); out.Status != 403 || out.Payload != nil {
			t.Errorf("with another %s: %+v", what, out)
		}
	}
	for _, text := range []string{secret, token} {
		if strings.Contains(l.stderr.String()+l.stdout.String(), text) {
			t.Errorf("lamb printed %s", text)
		}
	}
	if err := os.WriteFile(source, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	l.goFn(t, "cannot", "echo")
	name := "cannot"
	if _, err := l.client().Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name}); err == nil || !strings.Contains(err.Error(), "ServiceException") {
		t.Errorf("without credentials: %v", err)
	}
}

// TestRotatedCredentials: a runtime that asks lamb for its credentials gets
// those that the role's source has by then, which lamb knows as the function's.
func TestRotatedCredentials(t *testing.T) {
	t.Parallel()
	needInside(t, "python3")
	source := filepath.Join(folder(t), "source")
	give := func(key string, expires time.Duration) {
		t.Helper()
		text := fmt.Sprintf(`{"Version":1,"AccessKeyId":%q,"SecretAccessKey":"secret-%[1]s","SessionToken":"token-%[1]s","Expiration":%q}`,
			key, time.Now().Add(expires).UTC().Format(time.RFC3339))
		if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const first, second = "ASIAFIRST00000000000", "ASIASECOND0000000000"
	give(first, time.Minute) // too short a time to be kept
	l := startLamb(t, "--role-credentials", role+"=file:"+source, "--log-level", "debug")
	c, name := l.client(), "rotates"
	l.create(t, fn{
		name: name, runtime: "python3.12", handler: "app.handler",
		code: zipOf(t, file{"app.py", 0o644, `
import json, os, urllib.request
def handler(event, context):
    token = os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    r = urllib.request.Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"], headers={"Authorization": token})
    return dict(json.load(urllib.request.urlopen(r)), Authorization=token)
`}),
		with: func(in *lambda.CreateFunctionInput) {
			in.SnapStart = &types.SnapStart{ApplyOn: types.SnapStartApplyOnPublishedVersions}
		},
	})
	version := publishResumed(t, c, name)
	for _, key := range []string{first, second} {
		var got struct{ AccessKeyID, SecretAccessKey, Token, Expiration, Authorization string }
		l.invoke(t, name, "{}", func(in *lambda.InvokeInput) { in.Qualifier = &version }).into(t, &got)
		if got.AccessKeyID != key || got.SecretAccessKey != "secret-"+key || got.Token != "token-"+key || got.Expiration == "" {
			t.Errorf("the function has %+v, want those of %s", got, key)
		}
		own := l.client(func(o *lambda.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider(got.AccessKeyID, got.SecretAccessKey, got.Token)
		})
		_, err := own.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: &name})
		wantError(t, err, 403, "AccessDeniedException", "")
		for what, text := range map[string]string{"secret": got.SecretAccessKey, "token": got.Token, "token of the endpoint": got.Authorization} {
			if text == "" || strings.Contains(l.stderr.String()+l.stdout.String(), text) {
				t.Errorf("lamb printed the %s %q", what, text)
			}
		}
		give(second, time.Hour)
	}
}
