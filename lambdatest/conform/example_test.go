package conform_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/lambhq/lamb/lambdatest"
	"github.com/lambhq/lamb/lambdatest/conform"
)

func ExampleRuntime() {
	// func TestRuntime(t *testing.T)
	_ = func(t *testing.T) {
		echo := func(_ context.Context, event json.RawMessage) (any, error) { return event, nil }
		conform.Runtime(t, lambdatest.Config{Runtime: lambdatest.Handler(echo)},
			"trace/propagates") // which it is known to break: variables belong to the whole process
	}
}

func ExampleExtension() {
	// func TestExtension(t *testing.T)
	_ = func(t *testing.T) {
		conform.Extension(t, lambdatest.Extension{Name: "agent", Program: lambdatest.Exec("./agent")}, lambdatest.Config{})
	}
}
