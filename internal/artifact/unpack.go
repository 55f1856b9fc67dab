package artifact

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

const copyBuffer = 64 << 10 // bytes

// check inflates every file, and returns how many bytes they have. What the
// headers say of sizes is not believed.
func (a *archive) check(ctx context.Context) (unzipped int64, err error) {
	buf := make([]byte, copyBuffer)
	for _, f := range a.files {
		n, err := a.inflate(ctx, onlyWriter{io.Discard}, f, a.limits.Unzipped-unzipped, buf)
		if err != nil {
			return 0, err
		}
		unzipped += n
	}
	return unzipped, nil
}

// onlyWriter hides Discard's ReadFrom, so that the buffer given is used.
type onlyWriter struct{ io.Writer }

// inflate copies the content of f, at most limit bytes, to w.
func (a *archive) inflate(ctx context.Context, w io.Writer, f *zip.File, limit int64, buf []byte) (int64, error) {
	r, err := f.Open()
	if err != nil {
		return 0, zipError(f.Name, err)
	}
	in := &faultReader{r: &contextReader{ctx, r}}
	n, err := io.CopyBuffer(w, io.LimitReader(in, limit+1), buf)
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case n > limit:
		err = fmt.Errorf("%w: more than %d bytes", ErrUnzippedTooLarge, a.limits.Unzipped)
	case in.err != nil:
		err = zipError(f.Name, in.err)
	}
	return n, errors.Join(err, r.Close())
}

// faultReader keeps the error of reading apart from one of writing.
type faultReader struct {
	r   io.Reader
	err error
}

func (r *faultReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// unpacker writes an archive's tree into a folder.
type unpacker struct {
	*archive
	root *os.Root // a second wall: nothing outside it can be reached
	left int64    // bytes that may still be written
	buf  []byte
}

// unpack writes the tree into root, read-only and readable by everybody: the
// function may run as another user than lamb. Files that anybody may execute
// in the archive may be executed by everybody.
func (a *archive) unpack(ctx context.Context, root *os.Root) error {
	u := &unpacker{archive: a, root: root, left: a.limits.Unzipped, buf: make([]byte, copyBuffer)}
	return u.fill(ctx, a.root, ".")
}

// fill writes the content of a folder that exists, then makes it read-only.
func (u *unpacker) fill(ctx context.Context, dir *node, at string) error {
	for name, n := range dir.children {
		name = path.Join(at, name)
		var err error
		switch {
		case n.isDir():
			if err = u.root.Mkdir(name, 0o700); err == nil {
				err = u.fill(ctx, n, name)
			}
		case n.link:
			err = u.root.Symlink(n.target, name)
		default:
			err = u.write(ctx, n.file, name)
		}
		if err != nil {
			return err
		}
	}
	return u.root.Chmod(at, 0o555)
}

func (u *unpacker) write(ctx context.Context, f *zip.File, name string) error {
	out, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n, err := u.inflate(ctx, out, f, u.left, u.buf)
	u.left -= n
	if err == nil {
		err = out.Chmod(fileMode(f.Mode()))
	}
	return errors.Join(err, out.Close())
}

// fileMode is the mode of an unpacked file. A zip made on Windows has no
// executable bits, and its files get none, as on AWS.
func fileMode(mode fs.FileMode) fs.FileMode {
	if mode&0o111 != 0 {
		return 0o555
	}
	return 0o444
}
