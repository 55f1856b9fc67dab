// Package cli is the lamb command: one file per subcommand, flags with their
// LAMB_* variables, and what is printed for people.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// version is set by the build (-ldflags -X).
var version = ""

// Version is lamb's version: set by the build, or the module's, or "dev".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

// Main runs the command and returns the process's exit status: 0, 1 for a
// failure, 2 for a mistake in the command line, 130 after Ctrl-C.
func Main(args []string, stdout, stderr io.Writer) int {
	var ctx context.Context // of the command; nil before it runs
	end := func() {}        // of noticing signals
	defer func() { end() }()
	root := &cobra.Command{
		Use:           "lamb",
		Short:         "AWS Lambda on your own machine",
		Long:          "Lamb runs AWS Lambda functions on your own machine: the AWS API, a faithful\nexecution environment, no AWS account and no container daemon.",
		Version:       fmt.Sprintf("%s %s/%s", Version(), runtime.GOOS, runtime.GOARCH),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			ctx, end = interruptible(stderr)
			cmd.SetContext(ctx)
		},
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetArgs(args)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	for _, c := range meant(commands(root, os.Stdin, stdout, stderr), args) {
		root.AddCommand(c.make())
	}
	err := root.Execute()
	if err == nil {
		return 0
	}
	if errors.As(err, new(usageError)) {
		fmt.Fprintf(stderr, "lamb: %v\nSee '%s --help'.\n", err, commandPath(root, args))
		return 2
	}
	if errors.Is(err, errFunction) {
		return 1 // it has been shown
	}
	if strings.HasPrefix(err.Error(), "unknown command") {
		fmt.Fprintf(stderr, "lamb: %v\nSee 'lamb --help'.\n", err)
		return 2
	}
	return fail(stderr, ctx, err)
}

// command is a subcommand that may be made.
type command struct {
	name string
	make func() *cobra.Command
}

// commands are all subcommands of root.
func commands(root *cobra.Command, stdin io.Reader, stdout, stderr io.Writer) []command {
	return []command{
		{"serve", func() *cobra.Command { return newServe(stdout, stderr) }},
		{"doctor", func() *cobra.Command { return newDoctor(stdout) }},
		{"new", func() *cobra.Command { return newNew(stdout) }},
		{"run", func() *cobra.Command { return newRun(stdin, stdout, stderr) }},
		{"dev", func() *cobra.Command { return newDev(stdout, stderr) }},
		{"package", func() *cobra.Command { return newPackage(stdout, stderr) }},
		{"iam", func() *cobra.Command { return newIAM(stdout) }},
		{"deploy", func() *cobra.Command { return newDeploy(stdout, stderr) }},
		{"invoke", func() *cobra.Command { return newInvoke(stdin, stdout, stderr) }},
		{"logs", func() *cobra.Command { return newLogs(stdout) }},
		{"ls", func() *cobra.Command { return newList(stdout) }},
		{"rm", func() *cobra.Command { return newRemove(stdout) }},
		{"status", func() *cobra.Command { return newStatus(stdout) }},
		{"conform", func() *cobra.Command { return newConform(stdout) }},
		{manCommand, func() *cobra.Command { return newMan(func() *cobra.Command { return root }, stdout) }},
	}
}

// meant are those that a command line needs: the one that it names, none to
// tell the version, all for anything else, such as help and manual pages. To make
// them all, with their flags, would take a tenth of the shortest command's time.
func meant(all []command, args []string) []command {
	if len(args) == 0 {
		return all
	}
	if args[0] == "--version" {
		return nil
	}
	for _, c := range all {
		if c.name == args[0] && c.name != manCommand {
			return []command{c}
		}
	}
	return all
}

// interruptible begins to notice signals, for a command that runs: its context
// ends with the first one. What only prints and ends, such as help, goes without,
// which would take a seventh of its time.
func interruptible(stderr io.Writer) (ctx context.Context, end func()) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	undo := context.AfterFunc(ctx, func() {
		stop() // a second Ctrl-C has its default effect, or a command's
		if terminal(stderr) {
			fmt.Fprintln(stderr) // what is said now does not stand behind ^C
		}
	})
	// Whoever reads our output may go away (lamb serve | head): a server goes
	// on. Notify and not Ignore, because programs inherit what is ignored.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return ctx, func() { undo(); stop() }
}

// commandPath names the command that args mean, as far as they mean one.
func commandPath(root *cobra.Command, args []string) string {
	cmd, _, err := root.Find(args)
	if err != nil {
		return root.Name()
	}
	return cmd.CommandPath()
}

// usageError is a mistake in the command line.
type usageError struct{ error }

// fromEnvironment sets each flag that was not given from LAMB_<NAME>, dashes
// as underscores: --data-dir from LAMB_DATA_DIR.
func fromEnvironment(flags *pflag.FlagSet, getenv func(string) string) error {
	var first error
	flags.VisitAll(func(f *pflag.Flag) {
		name := variable(f.Name)
		value := getenv(name)
		if f.Changed || value == "" || first != nil {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			first = usageError{fmt.Errorf("%s: %w", name, err)}
		}
	})
	return first
}

func variable(flag string) string {
	return "LAMB_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
