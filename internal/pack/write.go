package pack

import (
	"archive/zip"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// epoch is the time of every entry: the first one that a zip can tell.
var epoch = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

// Write writes a package of files, which must be in the order of their names.
// progress, which may be nil, is told how many bytes of content were packed so
// far; its error ends the packing.
func Write(w io.Writer, files []File, progress func(done int64) error) error {
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.DefaultCompression)
	})
	p := packer{zip: z, method: zip.Deflate, progress: progress, buf: make([]byte, 256<<10)}
	return p.all(files)
}

type packer struct {
	zip      *zip.Writer
	method   uint16
	progress func(int64) error
	done     int64
	buf      []byte
}

func (p *packer) all(files []File) error {
	for i := range files {
		if i > 0 && files[i].Name <= files[i-1].Name {
			return fmt.Errorf("pack: %q is not after %q", files[i].Name, files[i-1].Name)
		}
		if err := p.add(&files[i]); err != nil {
			return fmt.Errorf("pack %s: %w", files[i].Name, err)
		}
	}
	return p.zip.Close()
}

func (p *packer) add(f *File) error {
	h := &zip.FileHeader{Name: f.Name, Method: p.method, Modified: epoch}
	switch {
	case f.Link != "":
		h.SetMode(fs.ModeSymlink | 0o777)
	case f.Executable:
		h.SetMode(0o755)
	default:
		h.SetMode(0o644)
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := p.zip.CreateHeader(h)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(onlyWriter{out}, counted{in, p}, p.buf)
	return err
}

// onlyWriter hides other methods, so that the copy uses the packer's buffer.
type onlyWriter struct{ io.Writer }

// counted tells the packer's progress of what is read.
type counted struct {
	io.Reader
	p *packer
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.p.done += int64(n)
	if c.p.progress != nil && n > 0 {
		if err := c.p.progress(c.p.done); err != nil {
			return n, err
		}
	}
	return n, err
}

// WriteFile writes a package to a file that is there whole or not at all, and
// returns its size in bytes.
func WriteFile(name string, files []File, progress func(done int64) error) (size int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".lamb-pack-*")
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err // of a name that nobody has given
	}
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			_ = f.Close() // the first error counts
			_ = os.Remove(f.Name())
		}
	}()
	if err = Write(f, files, progress); err != nil {
		return 0, err
	}
	if size, err = f.Seek(0, io.SeekEnd); err != nil {
		return 0, err
	}
	if err = f.Chmod(0o644); err != nil {
		return 0, err
	}
	if err = f.Close(); err != nil {
		return 0, err
	}
	return size, os.Rename(f.Name(), name)
}

// Copy puts files into the folder dir, as unpacking a package would, readable
// for everybody and writable for nobody but its owner.
func Copy(dir string, files []File) error {
	for i := range files {
		f := &files[i]
		to := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := copyFile(to, f); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(to string, f *File) error {
	if f.Link != "" {
		return os.Symlink(f.Link, to)
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	mode := fs.FileMode(0o644)
	if f.Executable {
		mode = 0o755
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close() // the first error counts
		return err
	}
	// The umask must not decide who can read it: a sandbox has another user.
	if err := out.Chmod(mode); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}

// Store is Write without compression, for packages that go no further than to
// a lamb on the same machine.
func Store(w io.Writer, files []File) error {
	p := packer{zip: zip.NewWriter(w), method: zip.Store, buf: make([]byte, 256<<10)}
	return p.all(files)
}
