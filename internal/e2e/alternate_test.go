package e2e

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// TestAlternating has a client call two functions in turn where only one
// invocation may be in flight: it has its answer before that counts as over,
// and is not throttled for it. It does not run beside others, for the reason
// that TestSequential has.
func TestAlternating(t *testing.T) {
	l := startLamb(t, "--concurrency", "1")
	names := []string{l.goFn(t, "alternating-a", "echo"), l.goFn(t, "alternating-b", "echo")}
	c, away := l.client(), 0
	for i := range 200 {
		out, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &names[i%2], Payload: []byte(`"mine"`)})
		if throttled := (*types.TooManyRequestsException)(nil); errors.As(err, &throttled) {
			away++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if p := (answer{out, ""}).succeeded(t); p != `"mine"` {
			t.Fatalf("payload %s", p)
		}
	}
	if away > 20 { // for a machine that was away; without the wait, nearly all
		t.Errorf("%d of 200 invocations were throttled", away)
	}
}
