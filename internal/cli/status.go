package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lambhq/lamb/internal/awsclient"
)

func newStatus(stdout io.Writer) *cobra.Command {
	var (
		target targetFlags
		output outputFlag
		all    bool
	)
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show a lamb's execution environments",
		Long:  "Show how many execution environments each function of a lamb has, and what they\nare doing; with --all, each of them.",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := output.check(); err != nil {
				return err
			}
			c, err := target.open(cmd.Context())
			if err != nil {
				return err
			}
			environments, raw, err := c.Environments(cmd.Context())
			if err != nil {
				return err
			}
			if output.json() {
				return writeJSON(stdout, raw)
			}
			limit, err := c.ConcurrencyLimit(cmd.Context())
			if err != nil {
				return err
			}
			fmt.Fprintf(stdout, "lamb %s at %s: %d of %d invocations at once\n", c.LambVersion, c.URL(), busy(environments), limit)
			if all {
				return showEnvironments(stdout, environments)
			}
			return showCounts(stdout, environments)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "show every environment")
	target.add(cmd)
	output.add(cmd)
	return cmd
}

// functionOf is the name and version in an ARN, the version only when it is a
// published one.
func functionOf(arn string) string {
	if i := strings.Index(arn, ":function:"); i >= 0 {
		arn = arn[i+len(":function:"):]
	}
	return strings.TrimSuffix(arn, ":$LATEST")
}

// busy counts the environments that serve an invocation.
func busy(all []awsclient.Environment) int {
	var total counts
	for _, e := range all {
		total.add(e)
	}
	return total.busy
}

// counts are a function's environments.
type counts struct{ busy, idle, frozen, other, invocations int }

func (c *counts) add(e awsclient.Environment) {
	c.invocations += e.Invocations
	switch {
	case e.Phase == "Invoking":
		c.busy++
	case e.Phase == "Ready" && e.Frozen:
		c.frozen++
	case e.Phase == "Ready":
		c.idle++
	default:
		c.other++
	}
}

func showCounts(w io.Writer, all []awsclient.Environment) error {
	by := make(map[string]*counts)
	var total counts
	for _, e := range all {
		name := functionOf(e.FunctionARN)
		if by[name] == nil {
			by[name] = &counts{}
		}
		by[name].add(e)
		total.add(e)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "no execution environments: nothing has been called for a while")
		return err
	}
	rows := [][]string{{"FUNCTION", "BUSY", "IDLE", "FROZEN", "OTHER", "INVOCATIONS"}}
	row := func(name string, c *counts) {
		rows = append(rows, []string{name, strconv.Itoa(c.busy), strconv.Itoa(c.idle), strconv.Itoa(c.frozen), strconv.Itoa(c.other), strconv.Itoa(c.invocations)})
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		row(name, by[name])
	}
	if len(by) > 1 {
		row("(all)", &total)
	}
	return table(w, rows)
}

func showEnvironments(w io.Writer, all []awsclient.Environment) error {
	rows := [][]string{{"ENVIRONMENT", "FUNCTION", "PHASE", "INIT", "USED", "INVOCATIONS"}}
	for _, e := range all {
		phase := e.Phase
		if e.Frozen {
			phase = "Frozen"
		}
		rows = append(rows, []string{
			e.ID[:min(len(e.ID), 12)], functionOf(e.FunctionARN), phase, fmt.Sprintf("%.1f ms", e.InitMs),
			fmt.Sprintf("%d/%d MB", (e.MaxMemory+1<<20-1)>>20, e.MemoryMB), strconv.Itoa(e.Invocations),
		})
	}
	return table(w, rows)
}
