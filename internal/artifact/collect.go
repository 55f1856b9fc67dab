package artifact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lambhq/lamb/internal/vfs"
)

// Collect removes the zips, and the unused trees, of code that is neither
// pinned nor referenced. references returns the digests that the records refer
// to; it is called once, by Collect itself, because only then is it known that
// what was pinned before that call and released after it is not missed.
// Collect goes on when something cannot be removed, and returns all errors.
func (s *Store) Collect(ctx context.Context, references func(context.Context) (map[string]bool, error)) error {
	s.collecting.Lock()
	defer s.collecting.Unlock()

	s.mu.Lock()
	s.touched = make(map[string]bool)
	for digest := range s.pins {
		s.touched[digest] = true
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.touched = nil
		s.mu.Unlock()
	}()

	referenced, err := references(ctx)
	if err != nil {
		return fmt.Errorf("collect code: %w", err)
	}
	return errors.Join(s.collectZips(ctx, referenced), s.collectTrees(ctx, referenced))
}

func (s *Store) collectZips(ctx context.Context, referenced map[string]bool) error {
	entries, err := s.fs.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("collect code: %w", err)
	}
	var errs []error
	for _, e := range entries {
		digest, isZip := strings.CutSuffix(e.Name(), zipSuffix)
		if !isZip || !isDigest(digest) || referenced[digest] {
			continue
		}
		if ctx.Err() != nil {
			return errors.Join(append(errs, context.Cause(ctx))...)
		}
		if err := s.removeZip(digest); err != nil {
			errs = append(errs, fmt.Errorf("collect code: %w", err))
		}
	}
	return errors.Join(errs...)
}

// removeZip removes a zip unless it has been pinned since the Collect began.
func (s *Store) removeZip(digest string) error {
	// Under the lock, so that an Add pins either before, and is seen, or
	// after, and finds the file gone.
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.touched[digest] {
		return nil
	}
	delete(s.verified, digest)
	err := s.fs.Remove(s.path(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (s *Store) collectTrees(ctx context.Context, referenced map[string]bool) error {
	s.mu.Lock()
	var unwanted []string
	for name, b := range s.built {
		if slices.ContainsFunc(b.digests, func(d string) bool { return !referenced[d] && !s.touched[d] }) {
			unwanted = append(unwanted, name)
		}
	}
	s.mu.Unlock()
	var errs []error
	for _, name := range unwanted {
		if ctx.Err() != nil {
			return errors.Join(append(errs, context.Cause(ctx))...)
		}
		if err := s.dropTree(name); err != nil {
			errs = append(errs, fmt.Errorf("collect code: %w", err))
		}
	}
	return errors.Join(errs...)
}

// dropTree removes a tree unless somebody wants it again.
func (s *Store) dropTree(name string) error {
	trash, err := s.moveTree(name)
	if err != nil || trash == "" {
		return err
	}
	return vfs.RemoveTree(trash)
}

// moveTree takes an unused tree out of the way of the next one with its name,
// and returns where it is then: to remove it takes long, to rename it does not.
// It returns "" for a tree that is used.
func (s *Store) moveTree(name string) (trash string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.built[name]
	if b == nil || b.refs > 0 {
		return "", nil
	}
	select {
	case <-b.done:
	default:
		return "", nil // still being made; its caller gave up
	}
	from := filepath.Join(s.trees, name)
	trash = filepath.Join(s.trees, fmt.Sprintf("old-%d", s.trash))
	s.trash++
	if err := errors.Join(os.Chmod(from, 0o755), os.Rename(from, trash)); err != nil {
		return "", err
	}
	delete(s.built, name)
	return trash, nil
}
