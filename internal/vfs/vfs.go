// Package vfs is the file system as lamb's durable files see it: the few calls
// that make or lose durability, so that a test can put a file layer in their
// place that forgets what was not synced (vfstest). It imports none of our
// packages. Caches that a start empties anyway use package os directly.
//
// The way to make a file durable, all steps needed: CreateTemp in the final
// folder, Write, Sync, Close, Rename, SyncDir.
package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// FS is a file system. Errors are as package os gives them (*fs.PathError and
// so on) and work with errors.Is. Its methods may be called from several
// goroutines.
type FS interface {
	// CreateTemp makes a new file in dir, mode 0600, open for reading and
	// writing; see os.CreateTemp for the pattern.
	CreateTemp(dir, pattern string) (File, error)
	// Open opens a file for reading.
	Open(name string) (File, error)
	// Append opens a file for writing at its end; it makes one, mode 0600, if
	// there is none.
	Append(name string) (File, error)
	// Rename moves a file, over a file that is there.
	Rename(from, to string) error
	// Remove removes a file or an empty folder.
	Remove(name string) error
	// Mkdir makes a folder whose parent exists.
	Mkdir(name string, perm fs.FileMode) error
	// ReadDir lists a folder by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	// SyncDir makes the names in a folder durable.
	SyncDir(name string) error
}

// File is an open file.
type File interface {
	io.Reader
	io.ReaderAt
	io.Seeker
	io.Writer
	io.Closer
	// Name is the path that the file was opened with.
	Name() string
	// Stat tells the size and the time of the last change.
	Stat() (fs.FileInfo, error)
	// Sync makes the content durable, but not the name: see FS.SyncDir.
	Sync() error
}

// OS is the machine's file system.
var OS FS = osFS{}

type osFS struct{}

func (osFS) CreateTemp(dir, pattern string) (File, error) { return file(os.CreateTemp(dir, pattern)) }
func (osFS) Open(name string) (File, error)               { return file(os.Open(name)) }
func (osFS) Append(name string) (File, error) {
	return file(os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600))
}
func (osFS) Rename(from, to string) error               { return os.Rename(from, to) }
func (osFS) Remove(name string) error                   { return os.Remove(name) }
func (osFS) Mkdir(name string, perm fs.FileMode) error  { return os.Mkdir(name, perm) }
func (osFS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

func (osFS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// file keeps a nil *os.File from becoming a File that is not nil.
func file(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}
