// Command firstlight is what `make run` shows: it starts lamb with an empty
// store, creates three functions through the AWS API, calls them, prints what
// came back and how long it took, and then says how to go on with the AWS CLI.
//
// It speaks to lamb as any program speaks to AWS: with the AWS SDK, given
// another endpoint. Read show.go for that; server.go starts and stops lamb, and
// functions.go packs the functions.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(start(os.Args[1:], os.Stdout, os.Stderr))
}

// options are what the command line says.
type options struct {
	lamb     string // the lamb program to start
	examples string // the folder with the functions
	listen   string // the address to try first
	exit     bool   // stop after the show
}

// errInterrupted means that a signal came before the show was over.
var errInterrupted = errors.New("interrupted")

// start reads the command line, runs the show and gives the exit code: 0 when
// all went well, 1 when something did not, 2 for a wrong command line and 130,
// as is usual, for an interrupted show.
func start(args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("firstlight", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.lamb, "lamb", "bin/lamb", "the lamb `program` to start")
	flags.StringVar(&o.examples, "examples", "examples", "the `folder` with the example functions")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:3001", "the `address` to serve on, or the next free port after it")
	flags.BoolVar(&o.exit, "exit", os.Getenv("FIRSTLIGHT_EXIT") == "1", "stop after the show; also by FIRSTLIGHT_EXIT=1")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}

	// A closed terminal or pipe ends the show as Ctrl-C does: lamb must not be
	// left behind.
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer cancel()
	switch err := run(ctx, o, stdout, stderr); {
	case errors.Is(err, errInterrupted):
		fmt.Fprintln(stderr, "firstlight: interrupted")
		return 130
	case err != nil:
		fmt.Fprintln(stderr, "firstlight:", err)
		return 1
	}
	return 0
}

// run is the whole story: lamb up, functions deployed and called, lamb down.
// It returns when lamb has ended.
func run(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	fmt.Fprintln(stdout, "First light: three functions on lamb, called through the AWS API.")
	fmt.Fprintln(stdout)

	address, err := freeAddress(o.listen)
	if err != nil {
		return err
	}
	if address != o.listen {
		fmt.Fprintf(stdout, "  %s is taken, so this time it is %s\n", o.listen, address)
	}
	lamb, err := startServer(ctx, o.lamb, address)
	if err != nil {
		return interruptedOr(ctx, err)
	}
	defer func() { err = errors.Join(err, lamb.stop()) }()
	fmt.Fprintf(stdout, "  lamb serves %s, ready after %s, with an empty store that goes when it stops\n", lamb.url, milliseconds(lamb.ready))

	functions, err := show(ctx, stdout, o.examples, lamb.url)
	if err != nil {
		return interruptedOr(ctx, lamb.explain(err))
	}
	if o.exit {
		return nil
	}
	printNextSteps(stdout, o.examples, lamb.url, functions)
	lamb.log.follow(stderr)
	select {
	case <-ctx.Done():
		fmt.Fprintln(stdout, "\nStopping lamb.")
		return nil
	case <-lamb.done:
		return lamb.explain(errors.New("lamb ended by itself"))
	}
}

// interruptedOr tells a failure from what merely failed because a signal came.
func interruptedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	return err
}
