//go:build unix

package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/hostfs"
	"github.com/lambhq/lamb/internal/sandbox/live"
	"github.com/lambhq/lamb/internal/sandbox/loopback"
	"github.com/lambhq/lamb/internal/sandbox/output"
)

// closeTimeout bounds how long Close waits for killed processes to be gone:
// one that sleeps uninterruptibly in the kernel (a dead network file system)
// must not keep lamb from ending.
const closeTimeout = 10 * time.Second

// Config configures New.
type Config struct {
	// WorkDir holds one folder per sandbox. It belongs to this provider: New
	// creates it when it is missing and removes what an earlier run left in
	// it. Empty means a new temporary folder, removed by Close.
	WorkDir string
	// Portable makes New do without the supervisor where it could have one.
	Portable bool
	// Logger receives what nobody can be told otherwise; nil discards.
	Logger *slog.Logger
}

// Provider makes process sandboxes.
type Provider struct {
	log     *slog.Logger
	workDir string
	ownsDir bool // workDir is a temporary folder that Close removes
	peers   loopback.Peers
	buffers *output.Buffers
	print   sandbox.Fingerprint
	engine  engine

	// closeOnce runs the closing; closeErr is valid after it.
	closeOnce sync.Once
	closeErr  error

	boxes live.Set[*box]
}

var _ sandbox.Provider = (*Provider)(nil)

// engine starts and ends processes; it is the part that differs by platform.
type engine interface {
	// open makes an empty group of processes.
	open() (group, error)
	// shutdown ends every process that is left.
	shutdown() error
}

// group is the processes of one sandbox. The box calls start, kill, freeze,
// thaw and release one at a time; usage at any time.
type group interface {
	start(p program) (*proc, error)
	kill(ctx context.Context) error
	freeze(ctx context.Context) error
	thaw(ctx context.Context) error
	usage() (sandbox.Usage, error)
	// release forgets the group, whose processes are gone.
	release()
}

// program is what a group starts: everything is as the system call wants it.
type program struct {
	path           string
	argv, env      []string
	dir            string
	maxFiles       int
	stdout, stderr *os.File   // nil means /dev/null; the caller closes them
	logs           int        // another descriptor for stdout; 0 for none
	extra          []*os.File // from descriptor 3 on
}

// New returns a provider. The caller closes it.
func New(cfg Config) (*Provider, error) {
	p := &Provider{
		log:     cfg.Logger,
		buffers: output.NewBuffers(),
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if err := p.prepareWorkDir(cfg.WorkDir); err != nil {
		return nil, fmt.Errorf("prepare the sandboxes' folder: %w", err)
	}
	p.print = sandbox.Fingerprint{Name: "process", Network: "host", Missing: []string{
		"Functions are ordinary processes of the user who runs lamb: they can read and change what this user can, see each other, and reach lamb.",
		"Memory, CPU, the number of processes and the size of /tmp are not limited.",
	}}
	peers, note := loopback.NewPeers()
	p.peers = peers
	p.note(note)
	e, notes, err := newEngine(cfg, p.log)
	if err != nil {
		p.releaseHost()
		return nil, fmt.Errorf("start the supervisor of processes: %w", err)
	}
	p.engine = e
	p.print.Freeze = notes.freeze
	for _, m := range notes.missing {
		p.note(m)
	}
	return p, nil
}

// engineNotes is what an engine adds to the fingerprint.
type engineNotes struct {
	freeze  bool
	missing []string
}

func (p *Provider) note(missing string) {
	if missing != "" {
		p.print.Missing = append(p.print.Missing, missing)
	}
}

// Fingerprint implements sandbox.Provider.
func (p *Provider) Fingerprint() sandbox.Fingerprint { return p.print }

// Create implements sandbox.Provider.
func (p *Provider) Create(ctx context.Context, spec sandbox.Spec) (sandbox.Sandbox, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("create sandbox: %w", err)
	}
	if err := spec.Check(); err != nil {
		return nil, fmt.Errorf("create sandbox: %w", err)
	}
	if len(spec.Mounts) > 0 {
		return nil, fmt.Errorf("create sandbox: a mount at %s: %w", spec.Mounts[0].To, sandbox.ErrUnsupported)
	}
	b := newBox(p, spec)
	err := p.boxes.Open(b.life, b, b.open, func(err error) {
		p.log.Warn("a sandbox that could not be created was not removed whole", "sandbox", spec.ID, "error", err)
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Close implements sandbox.Provider.
func (p *Provider) Close() error {
	p.closeOnce.Do(func() { p.closeErr = p.close() })
	return p.closeErr
}

func (p *Provider) close() error {
	return errors.Join(p.boxes.Close(), p.engine.shutdown(), p.releaseHost())
}

// releaseHost gives back what the provider holds apart from processes.
func (p *Provider) releaseHost() error {
	err := p.peers.Close()
	if p.ownsDir {
		err = errors.Join(err, hostfs.RemoveTree(p.workDir))
	}
	return err
}

func (p *Provider) prepareWorkDir(dir string) error {
	if dir == "" {
		tmp, err := os.MkdirTemp("", "lamb-sandboxes-")
		p.workDir, p.ownsDir = tmp, true
		return err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	p.workDir = abs
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(abs)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() && sandbox.ValidID(e.Name()) {
			err = errors.Join(err, hostfs.RemoveTree(filepath.Join(abs, e.Name())))
		}
	}
	return err
}
