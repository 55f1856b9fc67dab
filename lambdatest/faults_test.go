package lambdatest_test

import (
	"testing"
	"time"

	"github.com/lambhq/lamb/lambdatest"
)

// TestFaults: each is what AWS calls it, and the environment goes on.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		program   lambdatest.Program
		errorType string
		payload   string // of an answer that came before the fault
		initFails bool
	}{
		"crash in init":        {program: lambdatest.Crash(lambdatest.DuringInit, 3), errorType: "Runtime.ExitError", initFails: true},
		"crash":                {program: lambdatest.Crash(lambdatest.DuringInvocation, 3), errorType: "Runtime.ExitError"},
		"crash after response": {program: lambdatest.Crash(lambdatest.AfterResponse, 0), payload: `"event"`},
		"hang in init":         {program: lambdatest.Hang(lambdatest.DuringInit), errorType: "Sandbox.Timedout", initFails: true},
		"hang":                 {program: lambdatest.Hang(lambdatest.DuringInvocation), errorType: "Sandbox.Timedout"},
		"hang after response":  {program: lambdatest.Hang(lambdatest.AfterResponse), payload: `"event"`},
		"half a response":      {program: lambdatest.HalfResponse(), errorType: "Runtime.TruncatedResponse"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			turns := lambdatest.InTurn(tt.program, lambdatest.Handler(greet))
			if tt.initFails { // it is run again in the invocation
				turns = lambdatest.InTurn(tt.program, tt.program, lambdatest.Handler(greet))
			}
			env := lambdatest.New(t, lambdatest.Config{Runtime: turns, InitTimeout: 500 * time.Millisecond})
			if r := env.Init(); (r.Err != nil) != tt.initFails {
				t.Errorf("init: %v", r.Err)
			}
			res := env.Do(lambdatest.Request{Payload: []byte(`"event"`), Timeout: 500 * time.Millisecond})
			if res.Status == lambdatest.Success {
				t.Errorf("the invocation's status is %s", res.Status)
			}
			if tt.payload != "" && res.FunctionError != "" {
				t.Errorf("a caller who has an answer has the error %s", res.FunctionError)
			}
			if res.ErrorType != tt.errorType || tt.payload != "" && string(res.Payload) != tt.payload {
				t.Errorf("%+v %s", res, res.Payload)
			}
			if res := env.Call(request{"x"}); string(res.Payload) != `"hello x"` {
				t.Errorf("after it: %s", res.Payload)
			}
		})
	}
}
