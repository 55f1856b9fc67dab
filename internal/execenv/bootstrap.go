package execenv

import (
	"errors"
	"fmt"
	"os"
	"path"
	"syscall"

	"github.com/lambhq/lamb/internal/sandbox"
)

// Bootstrap is the runtime that an environment starts, as seen inside its
// sandbox.
//
// What it finds mounted is said where its sandbox is made (sandbox.Spec: the
// folders of the code, the layers, the runtime and the interpreter, and Mounts).
type Bootstrap struct {
	Path string
	Args []string
	// Dir is the working folder, an absolute path; the sandbox's task folder when
	// empty.
	Dir string
	// ExtraFiles are further open files of the runtime, from descriptor 3 on, in
	// every life of the environment; see sandbox.Process. Whoever made the
	// environment closes them after it.
	ExtraFiles []*os.File
	// Failure makes every init fail with this error, without a try: the
	// runtime is known not to be startable (no bootstrap, no interpreter).
	Failure *BootstrapFailure
}

// BootstrapFailure is an error type of the platform with its text, for example
// Runtime.InvalidEntrypoint.
type BootstrapFailure struct {
	Type, Cause string
}

// InvalidEntrypoint is the failure of a custom runtime without a bootstrap.
func InvalidEntrypoint() *BootstrapFailure {
	return &BootstrapFailure{Type: errTypeEntrypoint,
		Cause: "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"}
}

// check tells of a runtime that cannot be started, without trying it. The words
// are those of AWS's emulator, as seen in production.
func (b *Bootstrap) check() failure {
	switch {
	case b.Failure != nil:
		return failure{errType: b.Failure.Type, cause: b.Failure.Cause}
	case b.Dir != "" && !path.IsAbs(b.Dir):
		return failure{errType: errTypeWorkingDir, cause: fmt.Sprintf("the working directory '%s' is invalid, it needs to be an absolute path", b.Dir)}
	}
	return failure{}
}

// startFailure words why the sandbox did not start the runtime, as AWS does:
// what else is known is in lamb's log.
func (b *Bootstrap) startFailure(err error) failure {
	switch {
	case errors.Is(err, sandbox.ErrNoFolder) && b.Dir != "":
		return failure{errType: errTypeWorkingDir, cause: "the working directory doesn't exist: " + b.Dir}
	case errors.Is(err, sandbox.ErrNotFound) || errors.Is(err, sandbox.ErrNotExecutable):
		reason := err
		if errno := syscall.Errno(0); errors.As(err, &errno) {
			reason = errno
		}
		return failure{errType: errTypeEntrypoint, cause: "fork/exec " + b.Path + ": " + reason.Error()}
	}
	return failure{errType: errTypeSandboxFailure, cause: "the sandbox could not start the runtime",
		sandboxGone: errors.Is(err, sandbox.ErrClosed), host: hostFull(err)}
}
