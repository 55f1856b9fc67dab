package cli

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/lambhq/lamb/internal/scaffold"
)

func newNew(stdout io.Writer) *cobra.Command {
	var (
		language string
		output   outputFlag
	)
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Start a new function",
		Long:  "Make a folder with a small function, its test and its settings. Nothing in it\nhas to be edited before lamb run.",
		Args:  oneArgument("a name"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := output.check(); err != nil {
				return err
			}
			if language == "" {
				return usageError{errors.New("--lang is missing: go, python, node or bash")}
			}
			dir := filepath.Clean(args[0])
			if err := scaffold.New(dir, language); err != nil {
				return err
			}
			if output.json() {
				return writeJSON(stdout, struct {
					Folder   string `json:"folder"`
					Language string `json:"language"`
					Test     string `json:"test"` // a command
				}{dir, language, scaffold.TestCommand(language)})
			}
			fmt.Fprintf(stdout, "%s is ready:\n  cd %s\n  %-36s# its test\n  %-36s# one event, no server\n  %-36s# serve it, and again after each edit\n",
				dir, dir, scaffold.TestCommand(language), "lamb run . -e @event.json", "lamb dev .")
			return nil
		},
	}
	cmd.Flags().StringVar(&language, "lang", "", "`language`: go, python, node or bash")
	choices(cmd, "lang", scaffold.Languages()...)
	output.add(cmd)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	return cmd
}

// oneArgument refuses all but one argument as a mistake in the command line.
func oneArgument(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{fmt.Errorf("%s takes %s, but was given %d arguments", cmd.Name(), what, len(args))}
		}
		return nil
	}
}
