package artifact

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/lambhq/lamb/internal/vfs"
)

// Tree is an unpacked, read-only zip. Nothing removes it before Release.
type Tree struct {
	// Path is its folder. Folders are 0555, files 0444 or 0555.
	Path string

	store   *Store
	name    string
	release sync.Once
}

// build is a tree that is there or being made.
type build struct {
	digests []string      // of the archives in it
	done    chan struct{} // closed when the build has ended
	err     error         // why it failed; set before done is closed
	refs    int           // Trees and waiting callers; guarded by Store.mu
}

// Tree returns the unpacked code of a digest. Callers who want the same one
// at the same time wait for one unpacking. The error wraps ErrNotFound or
// ErrCorrupt as OpenZip's does.
func (s *Store) Tree(ctx context.Context, digest string) (*Tree, error) {
	return s.tree(ctx, digest, []string{digest})
}

// tree returns the tree with a name that stands for these archives.
func (s *Store) tree(ctx context.Context, name string, digests []string) (*Tree, error) {
	b, err := s.wanted(name, digests)
	if err != nil {
		return nil, err
	}
	select {
	case <-b.done:
		err = b.err
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		s.unwanted(b)
		return nil, fmt.Errorf("unpack code %.80s: %w", name, err)
	}
	return &Tree{Path: filepath.Join(s.trees, name), store: s, name: name}, nil
}

// Release says that the tree is not used any more; calling it again does
// nothing. The tree stays for the next caller until a Collect.
func (t *Tree) Release() {
	t.release.Do(func() {
		s := t.store
		s.mu.Lock()
		defer s.mu.Unlock()
		s.built[t.name].refs--
	})
}

// wanted returns the build of a tree with one more reference, and starts it
// if there is none.
func (s *Store) wanted(name string, digests []string) (*build, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	b := s.built[name]
	if b == nil {
		b = &build{digests: slices.Clone(digests), done: make(chan struct{})}
		s.built[name] = b
		s.builds.Add(1)
		// Not the caller's goroutine: others wait for it who have more time.
		go func() {
			defer s.builds.Done()
			s.finish(name, b, s.makeTree(s.ctx, name, b.digests))
		}()
	}
	b.refs++
	return b, nil
}

func (s *Store) unwanted(b *build) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.refs--
}

// finish ends a build. One that failed is forgotten, so that the next caller
// tries again.
func (s *Store) finish(name string, b *build, err error) {
	s.mu.Lock()
	if err != nil {
		delete(s.built, name)
	}
	s.mu.Unlock()
	b.err = err
	close(b.done)
}

// makeTree unpacks into a folder of its own and gives that its name when it
// is whole. Nothing is synced: the cache is emptied at every start.
func (s *Store) makeTree(ctx context.Context, name string, digests []string) (err error) {
	var all []*archive
	for _, digest := range digests {
		z, err := s.OpenZip(digest)
		if err != nil {
			return err
		}
		defer func() { _ = z.Close() }() // it was only read
		a, err := inspect(z, z.Size(), s.limits)
		if err != nil {
			return err
		}
		all = append(all, a)
	}
	a, err := merge(all)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp(s.trees, "tmp-*")
	if err != nil {
		return err
	}
	if err := unpackInto(ctx, a, temp); err != nil {
		return errors.Join(err, vfs.RemoveTree(temp))
	}
	// A folder that cannot be written cannot be renamed either, on some
	// systems, because its ".." changes.
	err = errors.Join(os.Chmod(temp, 0o755), os.Rename(temp, filepath.Join(s.trees, name)))
	if err != nil {
		return errors.Join(err, vfs.RemoveTree(temp))
	}
	return os.Chmod(filepath.Join(s.trees, name), 0o555)
}

func unpackInto(ctx context.Context, a *archive, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	return errors.Join(a.unpack(ctx, root), root.Close())
}
