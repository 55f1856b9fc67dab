package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/lambhq/lamb/internal/vfs"
)

// Pinned is code that was added and is kept until Release at least. Release
// it after the record that refers to it has been committed (or given up).
type Pinned struct {
	SHA256   string // of the zip, lower-case hex
	Size     int64  // of the zip, bytes
	Unzipped int64  // of the files in it, bytes

	store   *Store
	release sync.Once
}

// Release ends the pin; calling it again does nothing.
func (p *Pinned) Release() {
	p.release.Do(func() {
		p.store.mu.Lock()
		defer p.store.mu.Unlock()
		if p.store.pins[p.SHA256]--; p.store.pins[p.SHA256] == 0 {
			delete(p.store.pins, p.SHA256)
		}
	})
}

// Add checks the zip in the first size bytes of src, which must not change
// meanwhile, and stores it. When it returns without error the zip survives
// power loss. The error wraps ErrZippedTooLarge, ErrUnzippedTooLarge or
// ErrBadZip when the archive is at fault.
func (s *Store) Add(ctx context.Context, src io.ReaderAt, size int64) (*Pinned, error) {
	if size > s.limits.Zipped {
		return nil, fmt.Errorf("%w: %d of at most %d bytes", ErrZippedTooLarge, size, s.limits.Zipped)
	}
	a, err := inspect(src, size, s.limits)
	if err != nil {
		return nil, err
	}
	unzipped, err := a.check(ctx)
	if err != nil {
		return nil, err
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, readerOf(ctx, io.NewSectionReader(src, 0, size))); err != nil {
		return nil, fmt.Errorf("read the zip: %w", err)
	}
	digest := hex.EncodeToString(hash.Sum(nil))

	// Pinned before the look at what is there: a Collect must not remove it
	// between that look and our answer.
	p, err := s.pin(digest, size, unzipped)
	if err != nil {
		return nil, err
	}
	if err := s.put(ctx, src, size, digest); err != nil {
		p.Release()
		return nil, fmt.Errorf("store code %s: %w", digest, err)
	}
	return p, nil
}

func (s *Store) pin(digest string, size, unzipped int64) (*Pinned, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	s.pins[digest]++
	if s.touched != nil {
		s.touched[digest] = true
	}
	return &Pinned{SHA256: digest, Size: size, Unzipped: unzipped, store: s}, nil
}

// put makes sure that the zip is in its place, whole and durable.
func (s *Store) put(ctx context.Context, src io.ReaderAt, size int64, digest string) error {
	z, err := s.OpenZip(digest)
	if err == nil {
		// It is there and whole. Its name may not be durable yet: the lamb
		// that put it there may have been killed before it synced the folder.
		return errors.Join(z.Close(), s.fs.SyncDir(s.dir))
	}
	if !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrCorrupt) {
		return err
	}
	f, err := s.fs.CreateTemp(s.dir, tempPrefix+"*")
	if err != nil {
		return err
	}
	if err := s.fill(ctx, f, src, size, digest); err != nil {
		return errors.Join(err, s.fs.Remove(f.Name()))
	}
	if err := s.fs.Rename(f.Name(), s.path(digest)); err != nil {
		return errors.Join(err, s.fs.Remove(f.Name()))
	}
	return s.fs.SyncDir(s.dir)
}

// fill writes the zip to f, syncs it, and closes f in any case. It takes the
// digest of what it writes once more: src is a file that others could reach.
func (s *Store) fill(ctx context.Context, f vfs.File, src io.ReaderAt, size int64, digest string) error {
	hash := sha256.New()
	_, err := io.Copy(io.MultiWriter(f, hash), readerOf(ctx, io.NewSectionReader(src, 0, size)))
	if err == nil && hex.EncodeToString(hash.Sum(nil)) != digest {
		err = errors.New("the zip changed while it was read")
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Zip is the verified zip of a digest, open for reading.
type Zip struct {
	vfs.File
	size int64
}

// Size is the size of the zip in bytes.
func (z *Zip) Size() int64 { return z.size }

// OpenZip opens the zip of a digest, which is exactly the bytes that were
// added: ErrCorrupt if they are not, ErrNotFound if there are none. The digest
// is taken when the file is opened for the first time, and again whenever its
// size or time have changed.
func (s *Store) OpenZip(digest string) (*Zip, error) {
	if !isDigest(digest) {
		return nil, fmt.Errorf("%w: %.80q is not a digest", ErrNotFound, digest)
	}
	f, err := s.fs.Open(s.path(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, digest)
	}
	if err != nil {
		return nil, fmt.Errorf("open code: %w", err)
	}
	size, err := s.verify(f, digest)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Zip{File: f, size: size}, nil
}

// verify takes the digest of f, unless it is known, and returns f's size.
func (s *Store) verify(f vfs.File, digest string) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("open code: %w", err)
	}
	now := identity{size: info.Size(), modified: info.ModTime()}
	s.mu.Lock()
	known, ok := s.verified[digest]
	s.mu.Unlock()
	if ok && known.size == now.size && known.modified.Equal(now.modified) {
		return now.size, nil
	}
	hash := sha256.New()
	n, err := io.Copy(hash, io.NewSectionReader(f, 0, info.Size()))
	if err != nil {
		return 0, fmt.Errorf("read code %s: %w", digest, err)
	}
	if n != info.Size() || hex.EncodeToString(hash.Sum(nil)) != digest {
		s.log.Error("stored code is corrupt and is not used; upload it again", "sha256", digest)
		return 0, fmt.Errorf("%w: %s", ErrCorrupt, digest)
	}
	s.mu.Lock()
	s.verified[digest] = now
	s.mu.Unlock()
	return now.size, nil
}

// readerOf makes reads from r end when ctx does.
func readerOf(ctx context.Context, r io.Reader) io.Reader { return &contextReader{ctx, r} }

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}
