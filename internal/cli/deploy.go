package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lambhq/lamb/internal/artifact"
	"github.com/lambhq/lamb/internal/awsclient"
	"github.com/lambhq/lamb/internal/deploy"
	"github.com/lambhq/lamb/internal/pack"
	"github.com/lambhq/lamb/internal/project"
)

// deployOptions are the flags of lamb deploy.
type deployOptions struct {
	target           targetFlags
	output           outputFlag
	role, arch, name string
	env              []string
	envFile          string
	include          []string
	principals       []string
	alias            string
	publish, dryRun  bool
	debug            bool
}

func newDeploy(stdout, stderr io.Writer) *cobra.Command {
	var o deployOptions
	cmd := &cobra.Command{
		Use:   "deploy PATH",
		Short: "Create or update a function",
		Long: `Build and pack a function, and create it or change what differs: its code, then
its configuration, tags and permissions, waiting for each. What neither the
flags nor lamb.toml say is left as it is. A second time nothing happens.
--dry-run prints what would change. What was deployed is written down in
.lamb/deployed.json.

lamb.toml may have, all of it optional:
  name, description, runtime, handler, architecture, role
  timeout (seconds), memory and ephemeral_storage (MB)
  principals = ["s3.amazonaws.com"], layers = ["arn:..."], include = ["static"]
  kms_key, dead_letters (an ARN), tracing ("Active")
  [environment]  [tags]
  [vpc]          subnets, security_groups, ipv6
  [logging]      format, application_level, system_level, group`,
		Args: oneArgument("a path"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.output.check(); err != nil {
				return err
			}
			return deployPath(cmd.Context(), args[0], o, stdout, stderr)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.name, "name", "", "function's `name` (default: lamb.toml's, else the folder's)")
	f.StringVar(&o.role, "role", "", "role's `name` or ARN (default: lamb.toml's, else what lamb iam would take)")
	f.StringVar(&o.arch, "arch", "", "`architecture`: x86_64 or arm64 (default: lamb.toml's, else this machine's)")
	f.StringArrayVar(&o.env, "env", nil, "`NAME=VALUE`: a variable of the function")
	f.StringVar(&o.envFile, "env-file", "", "`file` of variables (default: .env in the function's folder)")
	f.StringArrayVar(&o.include, "include", nil, "`FROM[:NAME]`: also pack this file or folder")
	f.StringArrayVar(&o.principals, "allow-principal", nil, "`service` or account that may invoke it")
	f.BoolVar(&o.publish, "publish", false, "make a version of it")
	f.StringVar(&o.alias, "alias", "", "make a version, and have this `alias` lead to it")
	f.BoolVar(&o.dryRun, "dry-run", false, "only print what would change")
	f.BoolVar(&o.debug, "debug", false, "keep symbols for a debugger")
	choices(cmd, "arch", architectures...)
	o.target.add(cmd)
	o.output.add(cmd)
	return cmd
}

func deployPath(ctx context.Context, path string, o deployOptions, stdout, stderr io.Writer) error {
	p, err := openProject(path, o.arch)
	if err != nil {
		return err
	}
	p.Name = first(o.name, p.Name)
	env, err := readVariables(p, o.envFile, o.env)
	if err != nil {
		return err
	}
	req := deploy.Request{
		Function:   p.Create(roleToCheck(first(o.role, p.Settings.Role)), env),
		Principals: unique(p.Settings.Principals, o.principals), Publish: o.publish, Alias: o.alias,
	}
	if err := checkRequest(req); err != nil {
		return err
	}
	c, err := o.target.open(ctx)
	if err != nil {
		return err
	}
	if req.Zip, err = zipOf(ctx, p, o, stderr); err != nil {
		return err
	}
	var roleARN string
	if o.dryRun {
		roleARN, err = plannedRole(ctx, c, p, o.role)
	} else {
		roleARN, _, err = projectRole(ctx, c, p, o.role)
	}
	if err != nil {
		return err
	}
	req.Function.Role = &roleARN
	plan, err := deploy.NewPlan(ctx, c, req)
	if err != nil {
		return err
	}
	if o.dryRun {
		return showPlan(stdout, p.Name, plan, o)
	}
	return applyPlan(ctx, c, p, plan, o, stdout, stderr)
}

func unique(lists ...[]string) []string {
	var all []string
	for _, list := range lists {
		for _, s := range list {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}

// zipOf is a project's package.
func zipOf(ctx context.Context, p *project.Project, o deployOptions, stderr io.Writer) ([]byte, error) {
	if p.Language == project.Zipped {
		return readPackage(p.File)
	}
	scratch, err := os.MkdirTemp("", "lamb-build-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	files, err := buildFiles(ctx, p, project.BuildOptions{Scratch: scratch, Debug: o.debug}, o.include)
	if err != nil {
		return nil, err
	}
	if n := pack.Unzipped(files); n > artifact.DefaultUnzipped {
		return nil, fmt.Errorf("the files are %s together, and Lambda takes %s: leave files out by %s", bytesText(n), bytesText(artifact.DefaultUnzipped), pack.IgnoreFile)
	}
	show := newProgress(stderr, "packing", pack.Unzipped(files))
	defer show.end()
	var zip bytes.Buffer
	if err := pack.Write(&zip, files, show.until(ctx)); err != nil {
		return nil, err
	}
	return zip.Bytes(), checkZipped("the package", int64(zip.Len()))
}

// readPackage is a package that was made before.
func readPackage(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if err := checkZipped(name, info.Size()); err != nil {
		return nil, err
	}
	return os.ReadFile(name)
}

// checkZipped refuses a package that no request can carry.
func checkZipped(what string, size int64) error {
	if size <= artifact.DefaultZipped {
		return nil
	}
	return fmt.Errorf("%s is %s, and Lambda takes %s by direct upload: leave files out by %s, or move them to a layer",
		what, bytesText(size), bytesText(artifact.DefaultZipped), pack.IgnoreFile)
}

// showPlan prints what would change, as a diff.
func showPlan(w io.Writer, name string, plan *deploy.Plan, o deployOptions) error {
	if o.output.json() {
		type change struct {
			Member string `json:"member"`
			Old    string `json:"old,omitempty"`
			New    string `json:"new,omitempty"`
		}
		changes := []change{}
		for _, ch := range plan.Changes {
			changes = append(changes, change(ch))
		}
		return writeJSON(w, struct {
			Function   string   `json:"function"`
			Create     bool     `json:"create"`
			Changes    []change `json:"changes"`
			Principals []string `json:"principals,omitempty"`
			Publish    bool     `json:"publish"`
			Alias      string   `json:"alias,omitempty"`
			AliasIs    string   `json:"aliasVersion,omitempty"` // now
		}{name, plan.Create, changes, plan.Principals, plan.Publishes(), o.alias, plan.AliasVersion})
	}
	colour := coloursFor(w)
	switch {
	case plan.Create:
		fmt.Fprintf(w, "%s would be created:\n", name)
	case plan.Empty() && !plan.Publishes():
		fmt.Fprintf(w, "%s is up to date\n", name)
		return nil
	default:
		fmt.Fprintf(w, "%s would be changed:\n", name)
	}
	for _, ch := range plan.Changes {
		if ch.Old != "" {
			fmt.Fprintln(w, colour.paint(red, "- "+ch.Member+": "+ch.Old))
		}
		if ch.New != "" {
			fmt.Fprintln(w, colour.paint(green, "+ "+ch.Member+": "+ch.New))
		}
	}
	for _, principal := range plan.Principals {
		fmt.Fprintln(w, colour.paint(green, "+ may be invoked by "+principal))
	}
	if plan.Publishes() {
		fmt.Fprintln(w, colour.paint(green, "+ Version: a new one, unless nothing has changed since the last"))
	}
	if o.alias != "" && plan.Publishes() {
		if plan.AliasVersion != "" {
			fmt.Fprintln(w, colour.paint(red, "- Alias "+o.alias+": version "+plan.AliasVersion))
		}
		fmt.Fprintln(w, colour.paint(green, "+ Alias "+o.alias+": that version"))
	}
	return nil
}

func applyPlan(ctx context.Context, c *awsclient.Client, p *project.Project, plan *deploy.Plan, o deployOptions, stdout, stderr io.Writer) error {
	rec, err := plan.Apply(ctx, c, func(step string) { fmt.Fprintln(stderr, step) })
	if err != nil {
		if isCode(err, "NotImplementedException") {
			return fmt.Errorf("%w (this lamb, %s, does not have it)", err, c.LambVersion)
		}
		return err
	}
	if err := remember(p.Dir, deployedFile, rec); err != nil {
		return err
	}
	if o.output.json() {
		return writeJSON(stdout, rec)
	}
	what := "is up to date"
	switch {
	case plan.Create:
		what = "is deployed"
	case !plan.Empty():
		what = "is updated"
	}
	where := []string{rec.ARN}
	if rec.Version != "$LATEST" {
		where = append(where, "version "+rec.Version)
	}
	if rec.Alias != "" {
		where = append(where, "alias "+rec.Alias)
	}
	fmt.Fprintf(stdout, "%s %s: %s\n", rec.Function, what, strings.Join(where, ", "))
	if plan.Create {
		try := "lamb invoke " + rec.Function
		if t := o.target.Target; t != "" && t != "lamb" {
			try += " --target " + t
		}
		fmt.Fprintf(stdout, "try it: %s\n", try)
	}
	return nil
}
