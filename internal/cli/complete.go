package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/awsclient"
	"github.com/lambhq/lamb/internal/project"
)

// completionTime is how long a shell waits for the names of functions.
const completionTime = 2 * time.Second

// choices has shells complete a flag of cmd with fixed values.
func choices(cmd *cobra.Command, flag string, values ...string) {
	// Fails for a flag that is not there, and TestCompletion finds that.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// folders has shells complete flags of cmd with folders.
func folders(cmd *cobra.Command, flags ...string) {
	for _, flag := range flags {
		_ = cmd.MarkFlagDirname(flag) // as above
	}
}

// functionNames has shells complete the names of the target's functions.
func (t *targetFlags) functionNames(_ *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	c, err := awsclient.Open(ctx, t.Options) // nobody is asked for a device's code
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	all, err := c.ListFunctions(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, f := range all {
		names = append(names, api.Value(f.FunctionName))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// The values of flags that several commands have.
var (
	architectures = []string{project.X86, project.ARM}
	networks      = []string{"private", "none", "host"}
	sandboxes     = []string{"auto", "native", "process"}
)
