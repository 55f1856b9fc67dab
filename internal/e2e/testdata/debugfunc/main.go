// Command debugfunc is a function to stop in a debugger. It uses our own
// package, because it is built for a debugger with all that it imports.
package main

import (
	"context"
	"time"

	"github.com/lambhq/lamb/lambda"
)

func handle(ctx context.Context, e map[string]string) (string, error) {
	end, _ := ctx.Deadline()
	return answer(e["name"], int(time.Until(end)/time.Minute)), nil
}

//go:noinline
func answer(name string, minutesLeft int) string {
	_ = minutesLeft // for the debugger
	return name + "s"
}

func main() { lambda.Start(handle) }
