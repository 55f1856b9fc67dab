package vfstest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/lambhq/lamb/internal/vfs"
)

// file is an open file.
type file struct {
	fs       *FS
	node     *node
	name     string
	boot     int // when it was opened: it does not outlive a power loss
	writable bool
	closed   bool
	offset   int64
}

var _ vfs.File = (*file)(nil)

// call begins a call on the file. The caller holds fs.mu.
func (f *file) call(op string) error {
	if err := f.fs.call(op, f.name); err != nil {
		return err
	}
	switch {
	case f.closed:
		return &fs.PathError{Op: op, Path: f.name, Err: fs.ErrClosed}
	case f.boot != f.fs.boot:
		return &fs.PathError{Op: op, Path: f.name, Err: ErrPower}
	}
	return nil
}

func (f *file) Name() string { return f.name }

func (f *file) Read(p []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.call("read"); err != nil {
		return 0, err
	}
	n, err := bytes.NewReader(f.node.data).ReadAt(p, f.offset)
	f.offset += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.call("read"); err != nil {
		return 0, err
	}
	return bytes.NewReader(f.node.data).ReadAt(p, off)
}

// Write writes at the offset. One that fails has written the first half.
func (f *file) Write(p []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	failed := f.call("write")
	if !f.writable {
		return 0, &fs.PathError{Op: "write", Path: f.name, Err: fs.ErrPermission}
	}
	if f.closed || f.boot != f.fs.boot {
		return 0, failed
	}
	if failed != nil {
		p = p[:len(p)/2]
	}
	end := f.offset + int64(len(p))
	if grow := end - int64(len(f.node.data)); grow > 0 {
		f.node.data = append(f.node.data, make([]byte, grow)...)
	}
	copy(f.node.data[f.offset:], p)
	f.offset = end
	f.node.modified = f.fs.now()
	return len(p), failed
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.call("seek"); err != nil {
		return 0, err
	}
	switch whence {
	case io.SeekCurrent:
		offset += f.offset
	case io.SeekEnd:
		offset += int64(len(f.node.data))
	}
	if offset < 0 {
		return 0, &fs.PathError{Op: "seek", Path: f.name, Err: errors.New("negative position")}
	}
	f.offset = offset
	return offset, nil
}

func (f *file) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.call("sync"); err != nil {
		return err
	}
	f.node.synced = slices.Clone(f.node.data)
	return nil
}

// Close closes the file also when it fails, as the system's close does.
func (f *file) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	err := f.call("close")
	f.closed = true
	return err
}

func (f *file) Stat() (fs.FileInfo, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.call("stat"); err != nil {
		return nil, err
	}
	return infoOf(f.name, f.node), nil
}

// info is what a node was when it was asked.
type info struct {
	name     string
	size     int64
	mode     fs.FileMode
	modified time.Time
}

func infoOf(name string, n *node) info {
	return info{name: name, size: int64(len(n.data)), mode: n.mode, modified: n.modified}
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return i.modified }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }
