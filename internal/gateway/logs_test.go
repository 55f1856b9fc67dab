package gateway

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/auth"
)

// TestLogs: which requests are CloudWatch Logs', who may make them, and how
// large they may be.
func TestLogs(t *testing.T) {
	var caller api.Caller
	d := open(t, func(c *Config) {
		c.Logs = func(w http.ResponseWriter, r *http.Request, body []byte) {
			caller = api.CallerFrom(r.Context())
			_, _ = w.Write(body)
		}
	})
	full, invoker := d.keyring.Mint(owner(auth.AccessFull)), d.keyring.Mint(owner(auth.AccessInvoke))
	post := func(creds auth.Credentials, service, target, path, signed, sent string) answer {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, d.URL+path, strings.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", target)
		return d.do(t, sign(t, r, creds, service, fmt.Sprintf("%x", sha256.Sum256([]byte(signed)))))
	}
	refused := func(a answer, status int, code, message string) {
		t.Helper()
		if a.status != status || a.header.Get("Content-Type") != "application/x-amz-json-1.1" ||
			!strings.HasPrefix(a.body, `{"__type":"`+code+`","message":"`) || !strings.Contains(a.body, message) {
			t.Errorf("answer is %d %s %s, want %d %s: %s", a.status, a.header.Get("Content-Type"), a.body, status, code, message)
		}
	}
	const target = "Logs_20140328.GetLogEvents"
	if a := post(someone, "logs", target, "/", "{}", "{}"); a.status != 200 || a.body != "{}" {
		t.Errorf("answer is %d %s", a.status, a.body)
	}
	if caller.Account != "000000000000" || caller.Region != "eu-west-1" || caller.RequestID == "" {
		t.Errorf("caller is %+v", caller)
	}
	if a := post(full, "logs", target, "/", "{}", "{}"); a.status != 200 || caller.Account != "111122223333" {
		t.Errorf("a function that may do everything: %d %s, caller %+v", a.status, a.body, caller)
	}
	refused(post(full, "logs", target, "/", "{}", `{"a":1}`), 403, "InvalidSignatureException", "does not match")
	refused(post(invoker, "logs", target, "/", "{}", "{}"), 403, "AccessDeniedException", "--function-access invoke")
	refused(post(someone, "lambda", target, "/", "{}", "{}"), 403, "InvalidSignatureException", "correct service: 'logs'")
	post(someone, "logs", "DynamoDB_20120810.GetItem", "/", "{}", "{}").wantError(t, 403, "InvalidSignatureException", "correct service: 'lambda'")
	post(someone, "logs", target, "/2015-03-31/functions", "{}", "{}").wantError(t, 403, "InvalidSignatureException", "correct service: 'lambda'")
	large := strings.Repeat("x", maxLogsBody+1)
	refused(post(someone, "logs", target, "/", large, large), 413, "RequestEntityTooLargeException", "65537 bytes")
	if a := post(someone, "logs", target, "/", large[1:], large[1:]); a.status != 200 || a.body != large[1:] {
		t.Errorf("the largest request: %d, %d bytes", a.status, len(a.body))
	}
}
