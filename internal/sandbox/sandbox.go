// Package sandbox is where functions run: it defines what a sandbox is, what
// a host can offer (Fingerprint), and one conformance suite that every
// implementation passes (sandboxtest). Implementations are subpackages:
// native (Linux, isolated) and process (every platform, no isolation).
//
// A sandbox holds several processes: extensions start before the runtime and
// outlive it, a reset replaces the runtime, wrappers leave children behind.
//
//	Create ──▶ ready ──Start…Start──▶ running ──Freeze/Thaw──▶ running
//	             ▲                       │
//	             └────────Kill───────────┘        Close from anywhere ──▶ closed
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrClosed: the sandbox or its provider has been closed.
	ErrClosed = errors.New("sandbox is closed")
	// ErrNotFound: the program to start does not exist inside the sandbox.
	ErrNotFound = errors.New("program not found")
	// ErrNotExecutable: it exists and cannot be executed (mode, format, architecture).
	ErrNotExecutable = errors.New("program cannot be executed")
	// ErrNoFolder: the folder to start it in does not exist inside the sandbox,
	// or cannot be entered.
	ErrNoFolder = errors.New("working folder cannot be entered")
	// ErrUnsupported: this sandbox cannot do what was asked (see Fingerprint).
	ErrUnsupported = errors.New("not supported by this sandbox")
)

// Provider makes sandboxes of one kind. Its methods may be called from
// several goroutines.
type Provider interface {
	// Fingerprint says what this provider isolates and limits on this host.
	Fingerprint() Fingerprint
	// Create makes an empty sandbox; nothing runs in it until Start.
	Create(ctx context.Context, spec Spec) (Sandbox, error)
	// Close kills every sandbox that is left and releases what the provider
	// holds. No process that it ever started is alive when Close returns.
	Close() error
}

// Fingerprint is what a provider really enforces here, for start-up messages
// and for decisions such as refusing to listen off loopback.
type Fingerprint struct {
	Name      string // "process", "native"
	Isolation bool   // functions cannot reach the host, lamb, or each other
	Memory    bool   // the memory limit is enforced
	CPU       bool   // the CPU share is enforced
	Processes bool   // the number of processes is limited
	Tmp       bool   // the size of /tmp is limited
	Freeze    bool   // Freeze stops every process of the sandbox
	Mounts    bool   // specs may have mounts
	Network   string // "host" when the function shares the host's network, else "private" or "none"
	// Missing explains each thing that is not enforced and what would change
	// that, one sentence each, for a person to read.
	Missing []string
}

// Spec describes a sandbox. Paths are on the host; the sandbox decides where
// they appear inside (see Paths).
type Spec struct {
	// ID is unique among live sandboxes; [a-z0-9-]+.
	ID string
	// Task is the folder with the function's code, read-only inside.
	Task string
	// Opt is the folder with the merged layers, read-only inside; empty for none.
	Opt string
	// Runtime is the folder with the runtime program that lamb brings
	// (LAMBDA_RUNTIME_DIR), read-only inside; empty for none.
	Runtime string
	// Lang is the interpreter's prefix (/usr, ~/.pyenv/versions/3.12.1),
	// read-only inside; empty for none.
	Lang string
	// Mounts are further folders; MaxMounts at most. Create fails with
	// ErrUnsupported where the fingerprint has none.
	Mounts []Mount
	// MemoryMB, TmpMB, MaxProcesses, MaxFiles are limits; zero means none.
	MemoryMB, TmpMB, MaxProcesses, MaxFiles int
}

// Mount is a folder of the host that a sandbox has besides its own, as
// functions on AWS have file systems.
type Mount struct {
	// From is a folder on the host. Who may write to it, and read it, the
	// host's own permissions say.
	From string
	// To is where it is inside: /mnt/ and a name of letters, digits, hyphens,
	// underscores and dots, as on AWS.
	To string
	// Writable mounts can be changed from inside; others are read-only.
	Writable bool
}

// Paths says where things are inside a sandbox, as its processes see them.
// On AWS these are /var/task, /opt, /var/runtime, /var/lang and /tmp. What the
// spec leaves out is empty, but that Opt may be an empty folder instead.
type Paths struct {
	Task, Opt, Runtime, Lang, Tmp string
}

// Sandbox is one isolated place. Its methods may be called from several
// goroutines.
type Sandbox interface {
	// Paths are where the spec's folders appear inside.
	Paths() Paths
	// Listener is where processes inside reach the Runtime API: lamb serves
	// it. It is opened by Create and closed by Close. Address is what they
	// dial ("169.254.100.1:9001", "127.0.0.1:41234").
	Listener() net.Listener
	Address() string
	// Start runs a program. It fails with ErrNotFound, ErrNotExecutable or
	// ErrNoFolder when the program cannot be executed.
	Start(ctx context.Context, p Process) (Proc, error)
	// Flush returns when everything that the processes had written to their
	// outputs before the call has been handed to the outputs' writers.
	Flush()
	// Freeze stops every process and Thaw lets them go on. ErrUnsupported
	// where the fingerprint says so.
	Freeze(ctx context.Context) error
	Thaw(ctx context.Context) error
	// Kill ends every process in the sandbox, also those that left their
	// process group, and returns when they are gone. The sandbox, its /tmp and
	// its listener stay usable: that is how an environment is reset.
	Kill(ctx context.Context) error
	// Usage tells what the sandbox uses now.
	Usage() (Usage, error)
	// Close kills everything and removes the sandbox with its /tmp. It is
	// idempotent.
	Close() error
}

// CPULimiter is a sandbox that can bound how much of the CPU its processes
// use. A new one is not bound.
type CPULimiter interface {
	// LimitCPU bounds the sandbox to the share that belongs to its memory, one
	// CPU at 1,769 MB, or lifts the bound.
	LimitCPU(ctx context.Context, limited bool) error
}

// Dialer is a sandbox into which lamb can connect: an extension may be a server
// that wants to be told things.
type Dialer interface {
	// Dial connects to a server that runs inside. The network is "tcp", the
	// address an IPv4 loopback address with a port, as seen inside
	// ("127.0.0.1:4243"); others are refused. The context bounds the
	// connecting alone; in a frozen sandbox that may need a Thaw, so it should
	// end. ErrClosed after Close. The caller closes the connection; Close and
	// Kill end the server, not this end.
	Dial(ctx context.Context, network, address string) (net.Conn, error)
}

// Process is a program to start inside a sandbox.
type Process struct {
	// Path is the program, as seen inside; Args are its arguments without
	// the program itself (argv[0] is Path).
	Path string
	Args []string
	// Env is the whole environment, "K=V"; nothing is inherited from lamb.
	Env []string
	// Dir is the working folder as seen inside; empty means Paths().Task.
	Dir string
	// Stdout and Stderr receive what the program and its children write. The
	// sandbox never writes to them from two goroutines at once for one stream
	// and never buffers more than 64 KiB per stream: a writer that blocks
	// makes the program block, as a full pipe does. They may be the same
	// writer, which then must be safe for concurrent use. Nil discards.
	Stdout, Stderr io.Writer
	// LogDescriptor is a further descriptor of the program that leads to where
	// its standard output does, in one order with it; 0 for none.
	LogDescriptor int
	// ExtraFiles are further open files of the program: entry i becomes its
	// descriptor 3+i, as in os/exec; MaxExtraFiles at most. They stay the
	// caller's, which may close them when Start has returned.
	ExtraFiles []*os.File
}

// Proc is a started program.
type Proc interface {
	// Done is closed when the program itself has ended and its exit is known
	// (its children may go on).
	Done() <-chan struct{}
	// Exit is valid after Done is closed.
	Exit() Exit
	// Signal sends a signal to the program's process group; nil when the
	// program has ended already.
	Signal(sig syscall.Signal) error
}

// Exit says how a program ended.
type Exit struct {
	Code   int            // exit status; -1 when a signal ended it
	Signal syscall.Signal // zero when it exited by itself
	OOM    bool           // the memory limit ended it
}

// String is Go's and AWS's wording: "exit status 7", "signal: killed"; empty
// for status 0.
func (e Exit) String() string {
	switch {
	case e.Signal != 0:
		return "signal: " + e.Signal.String()
	case e.Code != 0:
		return fmt.Sprintf("exit status %d", e.Code)
	}
	return ""
}

// Usage is what a sandbox has used.
type Usage struct {
	// MemoryPeakBytes is the high-water mark of the sandbox's memory since it
	// was created.
	MemoryPeakBytes int64
	// Processes is the number of live processes.
	Processes int
}
