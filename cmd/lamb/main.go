// Command lamb runs AWS Lambda functions on your own machine.
package main

import (
	"os"

	"github.com/lambhq/lamb/internal/cli"
	"github.com/lambhq/lamb/internal/sandbox/process"
)

func main() {
	process.MaybeSupervise()
	os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr))
}
