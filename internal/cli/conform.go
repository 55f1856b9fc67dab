package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lambhq/lamb/internal/conform"
	"github.com/lambhq/lamb/lambdatest"
)

// errConform is returned when a rule was broken, which has been shown.
var errConform = fmt.Errorf("%w: it breaks rules", errFunction)

// conformOptions are the flags of lamb conform.
type conformOptions struct {
	runtime, handler, code, name string
	env                          []string
	only                         []string
	verbose                      bool
	output                       outputFlag
}

func newConform(stdout io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "conform",
		Short: "Check a runtime or an extension against AWS's rules",
		Long: `Check a runtime or an extension against the rules of AWS's documentation. Every
check runs the program anew, in an execution environment of lamb's engine, as a
process of this machine without isolation. docs/conformance.md has the results
of well-known ones.`,
	}
	cmd.AddCommand(newConformRuntime(stdout), newConformExtension(stdout))
	return cmd
}

func newConformRuntime(stdout io.Writer) *cobra.Command {
	var o conformOptions
	cmd := &cobra.Command{
		Use:   "runtime PROGRAM [ARGUMENT...]",
		Short: "Check a runtime, such as ./bootstrap",
		Long: `Check a runtime with a function that answers every event with the event itself,
but for these:

  {"conform": "error"}  it fails with an error
  {"conform": "trace"}  it answers with the variable _X_AMZN_TRACE_ID
  {"conform": "large"}  it answers with a string of seven million letters

Rules about those that it does not know are skipped. The exit status is 1 when a
rule is broken.`,
		Args: aProgram,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), conform.Runtime(), conform.Subject{}, args, stdout)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.runtime, "runtime", "", "Lambda's `identifier` of a managed runtime (default provided.al2023)")
	f.StringVar(&o.handler, "handler", "", "the `handler`: _HANDLER")
	f.StringVar(&o.code, "code", "", "`folder` with the function's code: LAMBDA_TASK_ROOT")
	o.add(cmd)
	return cmd
}

func newConformExtension(stdout io.Writer) *cobra.Command {
	var o conformOptions
	cmd := &cobra.Command{
		Use:   "extension PROGRAM [ARGUMENT...]",
		Short: "Check an external extension",
		Long: `Check an external extension, beside a function that answers every event with the
event itself. The exit status is 1 when a rule is broken.`,
		Args: aProgram,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := first(o.name, filepath.Base(args[0]))
			return o.run(cmd.Context(), conform.Extension(), conform.Subject{Extension: lambdatest.Extension{Name: name}}, args, stdout)
		},
	}
	cmd.Flags().StringVar(&o.name, "name", "", "the `name` of its file in /opt/extensions (default: the program's)")
	o.add(cmd)
	return cmd
}

// aProgram wants a program to check.
func aProgram(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usageError{fmt.Errorf("%s takes a program and its arguments", cmd.Name())}
	}
	return nil
}

// add adds the flags that both have.
func (o *conformOptions) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SetInterspersed(false) // what follows the program is its own
	f.StringArrayVar(&o.env, "env", nil, "`NAME=VALUE`: a variable of the function")
	f.StringSliceVar(&o.only, "only", nil, "`rules` to check, by name (default: all)")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "print the log of checks that have failed")
	o.output.add(cmd)
}

// conformResult is what is printed of one check.
type conformResult struct {
	Name    string   `json:"name"`
	Result  string   `json:"result"` // kept, broken or skipped
	Rule    string   `json:"rule"`
	Page    string   `json:"page"`
	Reasons []string `json:"reasons,omitempty"`
	Log     []string `json:"log,omitempty"`
}

// run checks the program against the rules.
func (o *conformOptions) run(ctx context.Context, checks []conform.Check, s conform.Subject, args []string, stdout io.Writer) error {
	if err := o.output.check(); err != nil {
		return err
	}
	if err := o.subject(&s, args); err != nil {
		return err
	}
	checks, err := o.chosen(checks)
	if err != nil {
		return err
	}
	results, broken := make([]conformResult, 0, len(checks)), 0
	for _, c := range checks {
		v := c.Run(ctx, s)
		if err := ctx.Err(); err != nil {
			return err
		}
		r := conformResult{Name: c.Name, Result: "kept", Rule: c.Rule, Page: c.Page, Reasons: v.Broken}
		switch {
		case v.Skipped != "":
			r.Result, r.Reasons = "skipped", []string{v.Skipped}
		case len(v.Broken) > 0:
			broken++
			r.Result = "broken"
			if o.verbose {
				r.Log = v.Log
			}
		}
		results = append(results, r)
		if !o.output.json() {
			r.print(stdout)
		}
	}
	if o.output.json() {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(results); err != nil {
			return err
		}
	}
	if broken > 0 {
		return errConform
	}
	return nil
}

// subject completes what is checked.
func (o *conformOptions) subject(s *conform.Subject, args []string) error {
	// What the programs find does not depend on where they are started.
	path := args[0]
	if strings.ContainsRune(path, filepath.Separator) {
		abs, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		if _, err := os.Stat(abs); err != nil {
			return usageError{err}
		}
		path = abs
	}
	program := lambdatest.Exec(path, args[1:]...)
	env := make(map[string]string)
	for _, v := range o.env {
		name, value, ok := strings.Cut(v, "=")
		if !ok {
			return usageError{fmt.Errorf("--env %q: want NAME=VALUE", v)}
		}
		env[name] = value
	}
	code := o.code
	if code != "" {
		var err error
		if code, err = filepath.Abs(code); err != nil {
			return err
		}
	}
	s.Config = lambdatest.Config{Managed: o.runtime, HandlerName: o.handler, Code: code, Env: env}
	if s.Extension.Name == "" {
		s.Config.Runtime = program
	}
	s.Extension.Program = program
	return nil
}

// chosen are the checks that --only names.
func (o *conformOptions) chosen(checks []conform.Check) ([]conform.Check, error) {
	if len(o.only) == 0 {
		return checks, nil
	}
	var chosen []conform.Check
	for _, name := range o.only {
		found := false
		for _, c := range checks {
			if c.Name == name {
				chosen, found = append(chosen, c), true
			}
		}
		if !found {
			return nil, usageError{fmt.Errorf("--only %s: there is no such rule", name)}
		}
	}
	return chosen, nil
}

func (r conformResult) print(w io.Writer) {
	fmt.Fprintf(w, "%-7s  %s\n", r.Result, r.Name)
	if r.Result == "broken" {
		fmt.Fprintf(w, "         %s\n         %s\n", r.Rule, r.Page)
	}
	for _, text := range append(r.Reasons, r.Log...) {
		fmt.Fprintf(w, "         - %s\n", strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n           "))
	}
}
