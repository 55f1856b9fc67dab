package execenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/lambhq/lamb/internal/sandbox"
)

// TestBootstrapFailures: a runtime that cannot be started is the function's
// error, in AWS's words.
func TestBootstrapFailures(t *testing.T) {
	fails := func(err error) func(int) error { return func(int) error { return err } }
	for name, tt := range map[string]struct {
		boot    Bootstrap
		onStart func(int) error
		errType string
		cause   string
		starts  int
	}{
		"no bootstrap": {Bootstrap{Failure: InvalidEntrypoint()}, nil,
			"Runtime.InvalidEntrypoint", "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]", 0},
		"cached": {Bootstrap{Path: "/b", Failure: &BootstrapFailure{Type: "Runtime.InvalidTaskConfig", Cause: "no such user"}}, nil,
			"Runtime.InvalidTaskConfig", "no such user", 0},
		"not executable": {Bootstrap{Path: "/b"}, fails(fmt.Errorf("start: %w: %w (a hint)", sandbox.ErrNotExecutable, syscall.EACCES)),
			"Runtime.InvalidEntrypoint", "fork/exec /b: permission denied", 2},
		"missing": {Bootstrap{Path: "/b"}, fails(fmt.Errorf("start: %w: %w", sandbox.ErrNotFound, syscall.ENOENT)),
			"Runtime.InvalidEntrypoint", "fork/exec /b: no such file or directory", 2},
		"missing folder": {Bootstrap{Path: "/b", Dir: "/nowhere"}, fails(fmt.Errorf("start: %w: %w", sandbox.ErrNoFolder, syscall.ENOENT)),
			"Runtime.InvalidWorkingDir", "the working directory doesn't exist: /nowhere", 2},
		"relative folder": {Bootstrap{Path: "/b", Dir: "src"}, nil,
			"Runtime.InvalidWorkingDir", "the working directory 'src' is invalid, it needs to be an absolute path", 0},
		"missing task folder": {Bootstrap{Path: "/b"}, fails(fmt.Errorf("start: %w: %w", sandbox.ErrNoFolder, syscall.ENOENT)),
			"Sandbox.Failure", "the sandbox could not start the runtime", 2},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, nil, echo)
			h.sandbox.onStart, h.cfg.Bootstrap = tt.onStart, tt.boot
			r, err := h.Environment.Init()
			var failed *FailureError
			if err != nil || !errors.As(r.Err, &failed) || failed.Type != tt.errType {
				t.Fatalf("init: %v, %v", r.Err, err)
			}
			inv := h.invoke("id-1", "1")
			want := fmt.Sprintf(`{"errorType":%q,"errorMessage":"RequestId: id-1 Error: %s"}`, tt.errType, tt.cause)
			if o := inv.Outcome(); string(o.Payload) != want || o.FunctionError != Unhandled {
				t.Errorf("got %s", o.Payload)
			}
			if n := h.sandbox.started(); n != tt.starts {
				t.Errorf("%d starts", n)
			}
		})
	}
}

// TestBootstrapGives: every life of the runtime gets what its bootstrap carries.
func TestBootstrapGives(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	boot := Bootstrap{Path: "/b", Args: []string{"one"}, Dir: "/var", ExtraFiles: []*os.File{null, null}}
	h := newHarness(t, nil, func(context.Context, *fakeRuntime) sandbox.Exit { return sandbox.Exit{Code: 7} }, echo)
	h.cfg.Bootstrap = boot
	if r, err := h.Environment.Init(); err != nil || r.Err == nil {
		t.Fatalf("the first life: %+v, %v", r, err)
	}
	h.invoke("id-1", "1").Outcome()
	if n := h.sandbox.started(); n != 2 {
		t.Errorf("%d starts", n)
	}
	got := h.sandbox.last
	if got.Path != boot.Path || got.Dir != boot.Dir || !slices.Equal(got.Args, boot.Args) || !slices.Equal(got.ExtraFiles, boot.ExtraFiles) {
		t.Errorf("the second life was given %+v", got)
	}
}
