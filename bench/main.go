// Command bench is the measure: it runs the lamb binary and the floors that it
// is compared with, interleaved in rounds, and prints one table of medians,
// spreads and ratios. docs/benchmarks.md says how to read it.
//
// It drives lamb from outside, over its API. Only what no API shows is
// measured inside this process: a sandbox's start up to its first request, and
// the memory of a prepared one.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/lambhq/lamb/internal/sandbox/process"
)

func main() {
	process.MaybeSupervise()
	if floorCommand(os.Args) {
		os.Exit(runFloor(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		os.Exit(2)
	}
	if err := run(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the command line's.
type options struct {
	lamb    string // binary; built from this checkout when empty
	sandbox string // auto, native or process
	network string // of native sandboxes; empty means what works
	before  string // binary, or commit, to compare the warm path with
	only    string // regular expression of contests
	rounds  int
	quick   bool
	profile bool
	out     string // folder for the result
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.lamb, "lamb", "", "`binary` to measure (default: built from this checkout)")
	f.StringVar(&o.before, "before", beforeCommit, "lamb of before: a `binary`, or a commit of this repository, which is built")
	f.StringVar(&o.sandbox, "sandbox", "auto", "native, process, or auto: native where it works")
	f.StringVar(&o.network, "network", "", "network of native sandboxes (default: what works here)")
	f.StringVar(&o.only, "rows", "", "`regular expression`: only the contests whose names match")
	f.IntVar(&o.rounds, "rounds", 7, "rounds, each of which runs every floor and every row; one more is run first and thrown away")
	f.BoolVar(&o.quick, "quick", false, "a few requests and one round: shows that everything works, measures nothing")
	f.BoolVar(&o.profile, "profile", false, "afterwards, look with perf at a lamb that answers warm invocations, and write "+profileFile)
	f.StringVar(&o.out, "out", "bin", "`folder` to write "+resultFile+" to, and the table into its "+documentFile+" if there is one; docs keeps the result in the repository")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 || o.rounds < 1 {
		fmt.Fprintln(stderr, "bench takes no arguments, and at least one round")
		return o, flag.ErrHelp
	}
	return o, nil
}
