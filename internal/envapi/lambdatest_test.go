package envapi_test

import (
	"os"
	"strings"
	"testing"

	"github.com/lambhq/lamb/lambdatest"
)

// TestLambdaGo runs functions on the unmodified aws-lambda-go (see TestMain),
// in a process of their own.
func TestLambdaGo(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env := lambdatest.New(t, lambdatest.Config{
		Runtime: lambdatest.Exec(self), RecordCalls: true,
		Env: map[string]string{"HOME": t.TempDir(), "GOCOVERDIR": t.TempDir()},
	})
	large := `"` + strings.Repeat("x", 5<<20) + `"`
	for _, tt := range []struct{ event, call, payload, errorType string }{
		{`{"a":[1,2]}`, "response", `{"a":[1,2]}`, ""},
		{large, "response", large, ""},
		{`"fail"`, "error", `{"errorMessage":"as asked","errorType":"errorString"}`, "Runtime.Unknown"},
		{`"after"`, "response", `"after"`, ""},
	} {
		inv := env.Invoke(lambdatest.Request{Payload: []byte(tt.event)})
		res := inv.Wait()
		if strings.TrimSpace(string(res.Payload)) != tt.payload || res.ErrorType != tt.errorType {
			t.Errorf("%.40s: got %.80q, error type %q", tt.event, res.Payload, res.ErrorType)
		}
		if got := res.Record.RuntimeRelease; !strings.HasPrefix(got, "aws-lambda-go/") {
			t.Errorf("%.40s: runtime release %q", tt.event, got)
		}
		calls := env.Calls()
		call := calls[len(calls)-2] // the last asks for another event
		if !strings.HasSuffix(call.Path, inv.RequestID()+"/"+tt.call) || call.Header.Get("Content-Length") != "" {
			t.Errorf("%.40s: call %s, header %v", tt.event, call.Path, call.Header)
		}
	}
	res := env.Do(lambdatest.Request{Payload: []byte(`"stream-fail"`), Stream: true})
	if len(res.Chunks) != 1 || string(res.Chunks[0].Data) != "some" || !strings.Contains(string(res.Payload), "mid-stream") {
		t.Errorf("a stream that fails: %q, then %s", res.Chunks, res.Payload)
	}
}
