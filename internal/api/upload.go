package api

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// An Upload is a member of a request that was too large to be kept in memory:
// a temporary file. It is safe for concurrent reads; whoever decoded the
// request closes it.
type Upload struct {
	file  *os.File
	size  int64
	close sync.Once
}

// NewUpload spools all of r to a file in dir (empty: the system's folder for
// temporary files). The file's name is removed at once, so that it does not
// outlive the process however that ends.
func NewUpload(dir string, r io.Reader) (*Upload, error) {
	u, err := createUpload(dir)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy((*uploadWriter)(u), r); err != nil {
		return nil, errors.Join(fmt.Errorf("spool upload: %w", err), u.Close())
	}
	return u, nil
}

func createUpload(dir string) (*Upload, error) {
	f, err := os.CreateTemp(dir, "upload-*")
	if err != nil {
		return nil, fmt.Errorf("spool upload: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("spool upload: %w", err), f.Close())
	}
	return &Upload{file: f}, nil
}

// An uploadWriter appends to an upload while it is made.
type uploadWriter Upload

func (w *uploadWriter) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	w.size += int64(n)
	return n, err
}

// Size is the number of bytes.
func (u *Upload) Size() int64 { return u.size }

// ReadAt reads from the content.
func (u *Upload) ReadAt(p []byte, off int64) (int, error) { return u.file.ReadAt(p, off) }

// Close gives the space back. Closing twice, or a nil Upload, does nothing.
func (u *Upload) Close() error {
	if u == nil {
		return nil
	}
	var err error
	u.close.Do(func() { err = u.file.Close() })
	return err
}
