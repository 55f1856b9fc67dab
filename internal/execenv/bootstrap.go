package execenv

// Bootstrap is the runtime that an environment starts, as seen inside its
// sandbox.
//
// It carries what sandboxes can give to a process: a command line and a working
// folder. Mounts are the sandbox's own (sandbox.Spec has the folders of the
// code, the layers, the runtime and the interpreter); further ones, and files
// that are open already when the program starts, are beyond the sandbox
// interface.
type Bootstrap struct {
	Path string
	Args []string
	// Dir is the working folder; the sandbox's task folder when empty.
	Dir string
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
