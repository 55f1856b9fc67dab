package native

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
)

// pool keeps shells that are ready to become sandboxes. It is refilled in the
// background, one at a time; who finds it empty makes a shell for itself.
type pool struct {
	provider *Provider
	stores   []string
	size     int
	tmpMB    int           // that the shells have
	wake     chan struct{} // has an element when there may be something to do
	stop     chan struct{} // closed by close
	filling  sync.WaitGroup

	mu     sync.Mutex // guards what follows
	shells []*shell
	added  sync.Cond // a shell was; its lock is mu
	closed bool
}

// refillAfter is how long a pool that is still half full waits before it makes
// another shell.
const refillAfter = 20 * time.Millisecond

// retryAfter is how long the pool waits after a shell could not be made.
const retryAfter = time.Second

func newPool(p *Provider, size, tmpMB int) *pool {
	created := &pool{provider: p, size: size, tmpMB: tmpMB, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	created.added.L = &created.mu
	return created
}

// setStores says in which folders the folders of specs lie.
func (p *pool) setStores(stores []string) error {
	if len(stores) > maxStores {
		return fmt.Errorf("%d stores, the most is %d", len(stores), maxStores)
	}
	for _, store := range stores {
		real, err := filepath.EvalSymlinks(store)
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		if !filepath.IsAbs(real) {
			return fmt.Errorf("store %s: not an absolute path", store)
		}
		p.stores = append(p.stores, real)
	}
	return nil
}

// start begins to fill the pool.
func (p *pool) start() {
	if p.size > 0 {
		p.filling.Go(p.fill)
		p.poke()
	}
}

func (p *pool) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *pool) fill() {
	for {
		select {
		case <-p.stop:
			return
		case <-p.wake:
		}
		// Not while the function starts for which a shell was taken, unless
		// many are wanted at once: making one costs as much as that start.
		if p.ready() > p.size/2 {
			select {
			case <-p.stop:
				return
			case <-time.After(refillAfter):
			}
		}
		for p.short() {
			sh, err := p.provider.newShell(p.stores, p.tmpMB)
			if err != nil {
				p.provider.log.Warn("a sandbox could not be prepared ahead", "error", err)
				select {
				case <-p.stop:
					return
				case <-time.After(retryAfter):
				}
				continue
			}
			p.put(sh)
		}
	}
}

// short tells whether shells are missing.
func (p *pool) short() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.closed && len(p.shells) < p.size
}

func (p *pool) put(sh *shell) {
	p.mu.Lock()
	p.shells = append(p.shells, sh)
	p.added.Broadcast()
	p.mu.Unlock()
}

// take returns a shell for a spec, with the mounts that configure it.
func (p *pool) take(spec sandbox.Spec) (*shell, []bind, error) {
	wanted, err := folders(spec)
	if err != nil {
		return nil, nil, err
	}
	mounts, stored := mountsFrom(p.stores, wanted)
	if stored && spec.TmpMB == p.tmpMB && len(spec.Mounts) == 0 {
		for {
			sh := p.pop()
			if sh == nil {
				break
			}
			p.poke()
			if sh.alive() {
				return sh, mounts, nil
			}
			if err := sh.end(); err != nil {
				p.provider.log.Warn("a prepared sandbox has ended", "error", err)
			}
		}
	}
	if stored && p.provider.rooted(spec.TmpMB, spec.Mounts) {
		sh, err := p.provider.newShell(p.stores, spec.TmpMB)
		return sh, mounts, err
	}
	// A shell for this spec alone sees nothing but the spec's folders.
	var stores []string
	for _, f := range wanted {
		if !slices.Contains(stores, f.from) {
			stores = append(stores, f.from)
		}
	}
	mounts, ok := mountsFrom(stores, wanted)
	if !ok {
		return nil, nil, errors.New("its folders cannot be found again")
	}
	sh, err := p.provider.newShell(stores, spec.TmpMB, spec.Mounts...)
	return sh, mounts, err
}

// pop takes the shell that has waited longest; nil when there is none.
func (p *pool) pop() *shell {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.shells) == 0 {
		return nil
	}
	sh := p.shells[0]
	p.shells = slices.Delete(p.shells, 0, 1)
	return sh
}

// ready is how many shells wait.
func (p *pool) ready() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.shells)
}

// close ends the filling and every shell that waits.
func (p *pool) close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	close(p.stop)
	p.filling.Wait()
	p.mu.Lock()
	shells := p.shells
	p.shells = nil
	p.mu.Unlock()
	errs := make([]error, len(shells))
	var wg sync.WaitGroup
	for i, sh := range shells {
		wg.Go(func() { errs[i] = sh.end() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// mountsFrom says how folders are reached through a shell's stores;
// ok is false when one of them is in none.
func mountsFrom(stores []string, wanted []bind) (mounts []bind, ok bool) {
	for _, f := range wanted {
		from := ""
		for i, store := range stores {
			rel, err := filepath.Rel(store, f.from)
			if err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
				from = "/" + filepath.Join(storeName(i), rel)
				break
			}
		}
		if from == "" {
			return nil, false
		}
		mounts = append(mounts, bind{from, "/" + f.to})
	}
	return mounts, true
}
