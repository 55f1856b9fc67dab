package e2e

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// TestExtension has an extension in a layer that watches a function: it is told
// of every invocation, gets all telemetry, and has time to say what it saw when
// the environment ends.
func TestExtension(t *testing.T) {
	t.Parallel()
	l := startLamb(t)
	agent, err := os.ReadFile(agentExtension.build(t))
	if err != nil {
		t.Fatal(err)
	}
	layer := l.publishLayer(t, "agent", zipOf(t, file{"extensions/agent", 0o755, string(agent)}))
	name := l.goFn(t, "watched", "echo", func(f *fn) { f.layers = []string{layer} })
	for range 3 {
		// With its log, the answer waits until the extension is done too, and no
		// second environment comes.
		if p := l.invoke(t, name, `"seen"`, withTail).succeeded(t); p != `"seen"` {
			t.Errorf("payload %s", p)
		}
	}
	// Its environment ends with the function.
	if _, err := l.client().DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: &name}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	line := l.stdout.line("agent ends by", ctx.Done())
	_, saw, ok := strings.Cut(line, "agent ends by spindown, saw ")
	if !ok {
		t.Fatalf("the extension's last line is %q in\n%s", line, tail(l.stdout.String()))
	}
	var count map[string]int
	if err := json.Unmarshal([]byte(saw), &count); err != nil {
		t.Fatal(err)
	}
	for kind, n := range map[string]int{
		"platform.initStart": 1, "platform.initRuntimeDone": 1, "platform.initReport": 1, "platform.extension": 1,
		"platform.telemetrySubscription": 1, "platform.start": 3, "platform.runtimeDone": 3, "platform.report": 3,
		"extension": 3, // its own line for each invocation
	} {
		if count[kind] != n {
			t.Errorf("%d events %s, want %d: %v", count[kind], kind, n, count)
		}
	}
	for _, said := range []string{
		"TELEMETRY\tName: agent\tState: Subscribed\tTypes: [Platform, Function, Extension]",
		"EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE, SHUTDOWN]",
		"agent: INVOKE ",
	} {
		if err := l.says(name, said); err != nil {
			t.Error(err)
		}
	}
}

// TestSIGTERM: aws-lambda-go's option registers an extension inside the runtime,
// so that the function is told of its end.
func TestSIGTERM(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	name := l.goFn(t, "terminated", "echo", func(f *fn) { f.env = map[string]string{"AT_SIGTERM": "cleaned up"} })
	l.invoke(t, name, `1`).succeeded(t)
	if _, err := l.client().DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: &name}); err != nil {
		t.Fatal(err)
	}
	if err := l.says(name, "EXTENSION\tName: GoLangEnableSIGTERM\tState: Ready\tEvents: []", "START", "REPORT", "cleaned up"); err != nil {
		t.Errorf("%v:\n%s", err, strings.Join(l.logOf(name), "\n"))
	}
}
