package native

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/hostfs"
	"github.com/lambhq/lamb/internal/sandbox/live"
	"github.com/lambhq/lamb/internal/sandbox/loopback"
	"github.com/lambhq/lamb/internal/sandbox/output"
	"github.com/lambhq/lamb/internal/sandbox/relay"
)

// Provider makes native sandboxes.
type Provider struct {
	log      *slog.Logger
	workDir  string
	ownsDir  bool // workDir is a temporary folder that Close removes
	rootless bool
	claim    claim // of users; none rootless
	users    *users
	shared   error // why others on this host may have the same users
	groups   *groups
	root     *rootPlan
	image    *image
	null     *os.File
	spawner  *spawner
	disks    *disks // nil where /tmp has no limit
	noDisks  error  // why not, unless rootless
	pool     *pool
	buffers  *output.Buffers
	print    sandbox.Fingerprint

	net       string         // NetworkPrivate, NetworkNone or NetworkHost
	peers     loopback.Peers // of sandboxes in the host's network
	openPeers string         // why others may connect to their listeners
	relay     *relay.Relay   // nil without
	noNetwork error          // why they have none although it was wanted
	lambdaAPI func(context.Context, string) (net.Conn, error)

	lastShell atomic.Uint64
	endings   chan struct{} // holds an element for each shell that is being ended

	// closeOnce runs the closing; closeErr is valid after it.
	closeOnce sync.Once
	closeErr  error

	boxes  live.Set[*Box]
	trials sync.WaitGroup // that are being removed
	single bool           // Config.Single
}

var _ sandbox.Provider = (*Provider)(nil)

// maxEndings bounds how many shells end at once: the kernel destroys network
// namespaces one by one, and keeps new ones waiting meanwhile.
const maxEndings = 32

// providers numbers the providers of this process, for the names of control
// groups.
var providers atomic.Uint64

// New returns a provider, after a sandbox was made and removed for a trial.
// Where this host has no isolation to offer, the error is an *Unavailable. The
// caller closes the provider.
func New(cfg Config) (*Provider, error) {
	p := &Provider{
		log: cfg.Logger, rootless: os.Geteuid() != 0, single: cfg.Single,
		buffers: output.NewBuffers(),
		endings: make(chan struct{}, maxEndings), lambdaAPI: cfg.LambdaAPI,
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if err := p.open(cfg); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	if p.disks != nil && !p.single {
		p.disks.fill(p.log)
	}
	p.pool.start()
	return p, nil
}

func (p *Provider) open(cfg Config) error {
	p.users = &users{}
	if !p.rootless {
		p.claim, p.shared = claimUsers(claimsDir)
	}
	p.pool = newPool(p, cfg.Ready, cfg.TmpMB)
	if err := p.pool.setStores(cfg.Stores); err != nil {
		return err
	}
	if err := p.prepareWorkDir(cfg.WorkDir); err != nil {
		return fmt.Errorf("prepare the sandboxes' folder: %w", err)
	}
	name, err := groupName(providers.Add(1))
	if err != nil {
		return err
	}
	if p.root, err = makeRoot(filepath.Join(p.workDir, "root"), p.identity(0), !p.rootless); err != nil {
		return fmt.Errorf("make the sandboxes' root: %w", err)
	}
	if p.image, err = newImage(Filters()); err != nil {
		return err
	}
	if p.null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
		return err
	}
	p.groups = openGroups(name)
	p.spawner = newSpawner(min(4, runtime.NumCPU()), p.image, p.null, func() *script {
		return p.image.template(p.root, p.pool.stores)
	})
	if !p.rootless {
		p.disks, p.noDisks = openDisks(p.shellDir(), cfg.TmpMB)
	}
	if err := p.openNetwork(cfg); err != nil {
		return err
	}
	p.fingerprint()
	return nil
}

// prepareWorkDir empties the folder of what an earlier run left.
func (p *Provider) prepareWorkDir(dir string) error {
	if dir == "" {
		tmp, err := os.MkdirTemp("", "lamb-sandboxes-")
		if err != nil {
			return err
		}
		dir, p.ownsDir = tmp, true
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	p.workDir = abs
	for _, name := range []string{"root", "shells"} {
		if err := hostfs.RemoveTree(filepath.Join(abs, name)); err != nil {
			return err
		}
	}
	return os.MkdirAll(p.shellDir(), 0o700)
}

func (p *Provider) shellDir() string { return filepath.Join(p.workDir, "shells") }

// Fingerprint implements sandbox.Provider.
func (p *Provider) Fingerprint() sandbox.Fingerprint { return p.print }

// Ready is how many sandboxes are prepared and wait to be used.
func (p *Provider) Ready() int { return p.pool.ready() }

// Create implements sandbox.Provider.
func (p *Provider) Create(ctx context.Context, spec sandbox.Spec) (sandbox.Sandbox, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("create sandbox: %w", err)
	}
	if err := spec.Check(); err != nil {
		return nil, fmt.Errorf("create sandbox: %w", err)
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
	errs := []error{p.boxes.Close(), p.pool.close()}
	p.trials.Wait()
	if p.relay != nil {
		errs = append(errs, p.relay.Close())
	}
	if p.spawner != nil {
		p.spawner.close()
	}
	if p.groups != nil {
		errs = append(errs, p.groups.remove())
	}
	if p.image != nil {
		errs = append(errs, p.image.close())
	}
	if p.null != nil {
		p.null.Close()
	}
	if p.disks != nil {
		errs = append(errs, p.disks.close())
	}
	errs = append(errs, p.claim.close(), p.peers.Close())
	if p.ownsDir {
		errs = append(errs, hostfs.RemoveTree(p.workDir))
	}
	return errors.Join(errs...)
}
