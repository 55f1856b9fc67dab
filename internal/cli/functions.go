package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/awsclient"
)

func newList(stdout io.Writer) *cobra.Command {
	var (
		target targetFlags
		output outputFlag
	)
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List functions",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := output.check(); err != nil {
				return err
			}
			c, err := target.open(cmd.Context())
			if err != nil {
				return err
			}
			all, err := c.ListFunctions(cmd.Context())
			if err != nil {
				return err
			}
			slices.SortFunc(all, func(a, b api.FunctionConfiguration) int {
				return strings.Compare(api.Value(a.FunctionName), api.Value(b.FunctionName))
			})
			return showFunctions(stdout, all, output.json())
		},
	}
	target.add(cmd)
	output.add(cmd)
	return cmd
}

func showFunctions(w io.Writer, all []api.FunctionConfiguration, asJSON bool) error {
	if asJSON {
		if all == nil {
			all = []api.FunctionConfiguration{} // [], not null
		}
		return writeJSON(w, all)
	}
	if len(all) == 0 {
		fmt.Fprintln(w, "There are no functions yet: lamb deploy PATH makes one.")
		return nil
	}
	rows := [][]string{{"NAME", "RUNTIME", "MEMORY", "TIMEOUT", "SIZE", "CHANGED"}}
	for _, f := range all {
		changed, _, _ := strings.Cut(api.Value(f.LastModified), ".")
		rows = append(rows, []string{
			api.Value(f.FunctionName), api.Value(f.Runtime), fmt.Sprintf("%d MB", api.Value(f.MemorySize)),
			fmt.Sprintf("%d s", api.Value(f.Timeout)), bytesText(api.Value(f.CodeSize)), strings.Replace(changed, "T", " ", 1),
		})
	}
	return table(w, rows)
}

func newRemove(stdout io.Writer) *cobra.Command {
	var (
		target    targetFlags
		output    outputFlag
		qualifier string
	)
	cmd := &cobra.Command{
		Use:   "rm NAME...",
		Short: "Delete functions",
		Long:  "Delete functions with all their versions and aliases, or one version.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{fmt.Errorf("rm takes the names of functions")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := output.check(); err != nil {
				return err
			}
			c, err := target.open(cmd.Context())
			if err != nil {
				return err
			}
			return remove(cmd.Context(), c, args, qualifier, stdout, output.json())
		},
	}
	cmd.Flags().StringVar(&qualifier, "qualifier", "", "only this `version`")
	target.add(cmd)
	output.add(cmd)
	cmd.ValidArgsFunction = target.functionNames
	return cmd
}

// remove deletes functions; one that cannot be deleted holds up no other.
func remove(ctx context.Context, c *awsclient.Client, names []string, qualifier string, w io.Writer, asJSON bool) error {
	var failed error
	deleted := []string{}
	for _, name := range names {
		if err := c.DeleteFunction(ctx, name, qualifier); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", name, err))
			continue
		}
		if qualifier != "" {
			name += ":" + qualifier
		}
		deleted = append(deleted, name)
		if !asJSON {
			fmt.Fprintf(w, "%s is deleted\n", name)
		}
	}
	if asJSON {
		failed = errors.Join(failed, writeJSON(w, struct {
			Deleted []string `json:"deleted"`
		}{deleted}))
	}
	return failed
}
