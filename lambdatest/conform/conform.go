// Package conform checks runtimes and extensions against the rules of AWS's
// documentation, each a subtest that is named after its rule:
//
//	func TestRuntime(t *testing.T) {
//		conform.Runtime(t, lambdatest.Config{Runtime: lambdatest.Exec("./bootstrap")})
//	}
//
// lamb conform does the same on a terminal.
package conform

import (
	"slices"
	"testing"

	"github.com/lambhq/lamb/internal/conform"
	"github.com/lambhq/lamb/lambdatest"
)

// Runtime checks the runtime of cfg. Its function answers every event with the
// event itself, but for
//
//	{"conform": "error"}  it fails with an error
//	{"conform": "trace"}  it answers with the variable _X_AMZN_TRACE_ID
//	{"conform": "large"}  it answers with a string of seven million letters
//
// Rules about those that it does not know are skipped. known are the names of
// rules that it is known to break: the test fails if it keeps one of them.
func Runtime(t *testing.T, cfg lambdatest.Config, known ...string) {
	run(t, conform.Runtime(), conform.Subject{Config: cfg}, known)
}

// Extension checks an external extension in environments as cfg has them, whose
// Runtime need not be set. known is as for Runtime.
func Extension(t *testing.T, x lambdatest.Extension, cfg lambdatest.Config, known ...string) {
	run(t, conform.Extension(), conform.Subject{Config: cfg, Extension: x}, known)
}

func run(t *testing.T, checks []conform.Check, s conform.Subject, known []string) {
	t.Helper()
	for _, name := range known {
		if !slices.ContainsFunc(checks, func(c conform.Check) bool { return c.Name == name }) {
			t.Errorf("there is no rule %s", name)
		}
	}
	for _, c := range checks {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			v := c.Run(t.Context(), s)
			broken, isKnown := len(v.Broken) > 0, slices.Contains(known, c.Name)
			switch {
			case v.Skipped != "":
				t.Skip(v.Skipped)
			case broken && isKnown:
				t.Logf("known to break it: %s", v.Broken)
			case isKnown:
				t.Error("it keeps the rule, which it is known to break")
			case broken:
				for _, log := range v.Log {
					t.Log(log)
				}
				t.Errorf("%s\n%s\n%q", c.Rule, c.Page, v.Broken)
			}
		})
	}
}
