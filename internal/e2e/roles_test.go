package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
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
