package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// TestNothingSurvives: what functions start in sessions of their own ends with
// their environment, with a reset of it, and with lamb, be it by kill -9.
func TestNothingSurvives(t *testing.T) {
	t.Parallel()
	l := startLamb(t)
	value := fmt.Sprint("of-", l.PID)
	mark := "SURVIVOR=" + value
	c := l.client()
	const name = "survivors"
	l.create(t, fn{name: name, handler: "litter", code: rawFunction.zip(t), env: map[string]string{"SURVIVOR": value}})
	leave := func(payload string) {
		t.Helper()
		l.burst(t, c, name, payload, 4)
	}
	mustLive := func() {
		t.Helper()
		if n := len(markedProcesses(t, mark)); n < 2 {
			t.Fatalf("only %d processes are there: this test shows nothing", n)
		}
	}
	leave(`"litter"`)
	mustLive()
	if _, err := c.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String(name), Description: aws.String("new")}); err != nil {
		t.Fatal(err)
	}
	awaitNoProcess(t, mark, "the end of the environments")
	waitUpdated(t, c, name)
	leave(`"crash"`)
	awaitNoProcess(t, mark, "the resets")
	leave(`"litter"`)
	mustLive()
	l.kill()
	awaitNoProcess(t, mark, "kill -9 of lamb")
}

// awaitNoProcess waits until no process has the variable.
func awaitNoProcess(t *testing.T, mark, after string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; <-time.After(10 * time.Millisecond) {
		left := markedProcesses(t, mark)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("processes %v are there after %s", left, after)
		}
	}
}
