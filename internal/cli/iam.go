package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/lambhq/lamb/internal/awsclient"
	"github.com/lambhq/lamb/internal/deploy"
	"github.com/lambhq/lamb/internal/project"
)

func newIAM(stdout io.Writer) *cobra.Command {
	var (
		target     targetFlags
		output     outputFlag
		role       string
		principals []string
	)
	cmd := &cobra.Command{
		Use:   "iam PATH",
		Short: "Find or make a function's execution role",
		Long: `Look an execution role up by its name, make it with AWS's basic execution policy
if there is none, and remember it for lamb deploy. With --allow-principal, let
others invoke the function, which must exist. A lamb has no roles: there is
nothing to do there, and it says so.`,
		Args: oneArgument("a path"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := output.check(); err != nil {
				return err
			}
			p, err := project.Open(args[0])
			if err != nil {
				return err
			}
			if err := checkPrincipals(p.Name, principals); err != nil {
				return err
			}
			c, err := target.open(cmd.Context())
			if err != nil {
				return err
			}
			return iam(cmd.Context(), c, p, role, principals, stdout, output.json())
		},
	}
	f := cmd.Flags()
	f.StringVar(&role, "role", "", "role's `name` or ARN (default: lamb.toml's, else "+deploy.DefaultRole+")")
	f.StringArrayVar(&principals, "allow-principal", nil, "`service` or account that may invoke the function: s3.amazonaws.com")
	target.add(cmd)
	output.add(cmd)
	return cmd
}

func iam(ctx context.Context, c *awsclient.Client, p *project.Project, role string, principals []string, w io.Writer, asJSON bool) error {
	arn, made, err := projectRole(ctx, c, p, role)
	if err != nil {
		return err
	}
	allowed, err := deploy.Allow(ctx, c, p.Name, principals)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(w, struct {
			Role    string   `json:"role"`
			Created bool     `json:"created"`
			Allowed []string `json:"allowed,omitempty"`
		}{arn, made, allowed})
	}
	switch {
	case c.Lamb:
		fmt.Fprintf(w, "%s is a lamb, which has no roles: nothing to do. Functions there get %s.\n", c.URL(), arn)
	case made:
		fmt.Fprintf(w, "made the role %s\n", arn)
	default:
		fmt.Fprintf(w, "functions get the role %s\n", arn)
	}
	for _, a := range allowed {
		fmt.Fprintf(w, "%s may invoke %s\n", a, p.Name)
	}
	return nil
}

// projectRole is the ARN of a project's role at a target, made if need be: the
// one that was given, or lamb.toml's, or the one that was remembered, or the
// default.
func projectRole(ctx context.Context, c *awsclient.Client, p *project.Project, given string) (arn string, made bool, err error) {
	roles, err := rolesOf(p)
	if err != nil {
		return "", false, err
	}
	at := c.URL()
	if arn, made, err = deploy.Role(ctx, c, first(given, p.Settings.Role, roles[at])); err != nil || c.Lamb {
		return arn, made, err
	}
	if roles[at] != arn {
		roles[at] = arn
		err = remember(p.Dir, rolesFile, roles)
	}
	return arn, made, err
}

// rolesOf are the roles that were remembered for a project, by target.
func rolesOf(p *project.Project) (map[string]string, error) {
	roles := make(map[string]string)
	return roles, recall(p.Dir, rolesFile, &roles)
}

// plannedRole is projectRole for a dry run: it makes nothing.
func plannedRole(ctx context.Context, c *awsclient.Client, p *project.Project, given string) (string, error) {
	roles, err := rolesOf(p)
	if err != nil {
		return "", err
	}
	return deploy.PlannedRole(ctx, c, first(given, p.Settings.Role, roles[c.URL()]))
}
