package process

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/lambhq/lamb/internal/sandbox"
)

// supervisable is set when this program has called MaybeSupervise: only then
// does starting it again make a supervisor, and not another run of whatever
// the program does. It is a fact about the executable, hence a variable of
// the package.
var supervisable atomic.Bool

// MaybeSupervise turns the process into a supervisor of sandboxed processes
// when it was started as one, and then does not return. A program that makes
// providers calls it first thing in main, a test in TestMain; without that,
// New makes do with process groups.
func MaybeSupervise() {
	if len(os.Args) == 1 && os.Args[0] == supervisorName {
		supervise()
	}
	supervisable.Store(true)
}

func newEngine(cfg Config, log *slog.Logger) (engine, engineNotes, error) {
	if cfg.Portable || !supervisable.Load() {
		return portable{}, portableNotes, nil
	}
	e := &supervised{log: log}
	c, err := e.client()
	if err != nil {
		return nil, engineNotes{}, err
	}
	notes := engineNotes{freeze: true, missing: []string{
		"The number of open files is limited for each process (RLIMIT_NOFILE), not for a function's processes together.",
	}}
	if !c.marks {
		notes.missing = append(notes.missing,
			"A daemon that makes its own session is ended with lamb, not with its sandbox: this kernel does not let lamb mark processes (RLIMIT_LOCKS).")
	}
	return e, notes, nil
}

// supervised has a supervisor start programs, and replaces it when it dies.
type supervised struct {
	log *slog.Logger

	mu      sync.Mutex // guards what follows
	closed  bool
	current *client // nil before the first
}

// client returns a live supervisor's client.
func (e *supervised) client() (*client, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, sandbox.ErrClosed
	}
	if e.current != nil {
		select {
		case <-e.current.dead:
		default:
			return e.current, nil
		}
	}
	c, err := startClient(e.log)
	if err != nil {
		return nil, err
	}
	e.current = c
	return c, nil
}

func (e *supervised) open() (group, error) {
	c, err := e.client()
	if err != nil {
		return nil, err
	}
	box, err := c.newBox()
	if err != nil {
		return nil, err
	}
	return &supervisedGroup{client: c, box: box}, nil
}

func (e *supervised) shutdown() error {
	e.mu.Lock()
	e.closed = true
	c := e.current
	e.mu.Unlock()
	if c == nil {
		return nil
	}
	return c.shutdown()
}

// supervisedGroup is the processes of one sandbox, at a supervisor.
type supervisedGroup struct {
	client *client
	box    uint32
}

func (g *supervisedGroup) start(p program) (*proc, error) {
	req := &request{
		op: opStart, box: g.box, maxFiles: uint32(min(p.maxFiles, 1<<30)),
		path: p.path, dir: p.dir, argv: p.argv, env: p.env, logs: uint32(p.logs),
	}
	var files []*os.File
	switch {
	case p.stdout != nil && p.stdout == p.stderr:
		req.outputs = outputBoth
		files = append(files, p.stdout)
	default:
		if p.stdout != nil {
			req.outputs |= outputStdout
			files = append(files, p.stdout)
		}
		if p.stderr != nil {
			req.outputs |= outputStderr
			files = append(files, p.stderr)
		}
	}
	files = append(files, p.extra...)
	started := &proc{done: make(chan struct{})}
	c := g.client
	// Before it is sent, because the report of the exit may follow at once.
	c.mu.Lock()
	c.lastID++
	req.id = c.lastID
	c.procs[req.id] = started
	c.mu.Unlock()
	started.signal = g.signalFunc(req.id)
	if _, err := c.ask(context.Background(), req, files...); err != nil {
		c.mu.Lock()
		delete(c.procs, req.id)
		c.mu.Unlock()
		return nil, err
	}
	return started, nil
}

func (g *supervisedGroup) kill(ctx context.Context) error {
	err := g.ask(ctx, opKill)
	if err == errSupervisor {
		// Then they are being killed already.
		select {
		case <-g.client.gone:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

func (g *supervisedGroup) ask(ctx context.Context, o op) error {
	_, err := g.client.ask(ctx, &request{op: o, box: g.box})
	return err
}

func (g *supervisedGroup) freeze(ctx context.Context) error { return g.ask(ctx, opFreeze) }
func (g *supervisedGroup) thaw(ctx context.Context) error   { return g.ask(ctx, opThaw) }

func (g *supervisedGroup) usage() (sandbox.Usage, error) {
	r, err := g.client.ask(context.Background(), &request{op: opUsage, box: g.box})
	return sandbox.Usage{MemoryPeakBytes: r.a, Processes: int(r.b)}, err
}

func (g *supervisedGroup) release() {
	// A dead supervisor has forgotten it.
	_ = g.ask(context.Background(), opRelease)
}

func (g *supervisedGroup) signalFunc(program uint64) func(syscall.Signal) error {
	return func(sig syscall.Signal) error {
		_, err := g.client.ask(context.Background(), &request{op: opSignal, box: g.box, target: program, signal: sig})
		return err
	}
}
