// Package conform has the rules of AWS's documentation that runtimes and
// extensions have to keep, as checks that run a program in an execution
// environment of package lambdatest. lamb conform shows them on a terminal,
// lambdatest/conform makes Go tests of them.
//
//	Check ──Run──▶ trial (a lambdatest.TB) ──▶ lambdatest.Environment ──▶ Verdict
package conform

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/lambhq/lamb/lambdatest"
)

// The pages that the rules are from.
const (
	pageRuntimeAPI  = "https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html"
	pageCustom      = "https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html"
	pageExtensions  = "https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html"
	pageEnvironment = "https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html"
	pageTelemetry   = "https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html"
	pageQuotas      = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
)

// generous is how long invocations may take, since no rule is about speed.
const generous = 30 * time.Second

// Check is one rule, which a program keeps or breaks.
type Check struct {
	// Name names the rule: the call and what is asked of it.
	Name string
	// Rule is the rule in a sentence, and Page where AWS says it.
	Rule, Page string

	run func(t *trial)
}

// Subject is what is checked.
type Subject struct {
	// Config is the environment. Its Runtime is the subject, or else Extension
	// is, which needs no Runtime.
	Config lambdatest.Config
	// Extension is the extension under test; the zero value means the runtime.
	Extension lambdatest.Extension
}

// Verdict is what came of a check. It has passed when both lists are empty.
type Verdict struct {
	// Broken says how the rule was broken.
	Broken []string
	// Skipped says why the rule could not be checked.
	Skipped string
	// Log is the environment's, and more that may help.
	Log []string
}

// Run runs one check.
func (c Check) Run(ctx context.Context, s Subject) Verdict {
	t := &trial{ctx: ctx, name: c.Name, subject: s}
	done := make(chan struct{})
	go func() { // Fatalf and skip end this goroutine
		defer close(done)
		defer t.finish()
		c.run(t)
	}()
	<-done
	return t.verdict
}

// trial is a check that runs. It is the TB of its environments.
type trial struct {
	ctx     context.Context
	name    string
	subject Subject

	mu       sync.Mutex
	verdict  Verdict
	cleanups []func()
}

var _ lambdatest.TB = (*trial)(nil)

func (t *trial) Helper() {}

func (t *trial) Name() string { return t.name }

func (t *trial) Context() context.Context { return t.ctx }

func (t *trial) Cleanup(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cleanups = append(t.cleanups, f)
}

func (t *trial) TempDir() string {
	dir, err := os.MkdirTemp("", "lamb-conform-")
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Logf("%v", err)
		}
	})
	return dir
}

func (t *trial) Failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.verdict.Broken) > 0
}

func (t *trial) Logf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.verdict.Log = append(t.verdict.Log, fmt.Sprintf(format, args...))
}

func (t *trial) Errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.verdict.Broken = append(t.verdict.Broken, fmt.Sprintf(format, args...))
}

func (t *trial) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	runtime.Goexit()
}

// skip ends a check that cannot be made.
func (t *trial) skip(format string, args ...any) {
	t.mu.Lock()
	t.verdict.Skipped = fmt.Sprintf(format, args...)
	t.mu.Unlock()
	runtime.Goexit()
}

func (t *trial) finish() {
	for _, f := range slices.Backward(t.cleanups) {
		f()
	}
}

// environment makes an environment for the subject, which change may change.
func (t *trial) environment(change func(cfg *lambdatest.Config)) *lambdatest.Environment {
	cfg := t.subject.Config
	cfg.RecordCalls = true
	if cfg.Timeout == 0 {
		cfg.Timeout, cfg.Patience = generous, 2*generous
	}
	if x := t.subject.Extension; x.Name != "" {
		cfg.Extensions = append(slices.Clone(cfg.Extensions), x)
		cfg.Runtime = lambdatest.Handler(func(event any) (any, error) { return event, nil })
	}
	if change != nil {
		change(&cfg)
	}
	return lambdatest.New(t, cfg)
}
