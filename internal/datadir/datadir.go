// Package datadir owns the layout of lamb's data folder: where things are,
// that one lamb at a time uses it, and which version of lamb made it. It
// imports vfs and nothing else of ours.
//
//	lock        held (flock) while a lamb runs; contains its process id
//	format      the format's version: a number and a line feed
//	state.db    the records (store)
//	code/       the zips (artifact)
//	logs/       what functions have logged (logs, which makes it)
//	run/        caches and spooled requests; emptied at every start
package datadir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lambhq/lamb/internal/vfs"
)

// Format is the version of the layout that this lamb makes and understands.
// Records have a schema version of their own.
const Format = 1

// Errors that callers tell apart with errors.Is.
var (
	// ErrInUse: another lamb runs on the folder. It is wrapped by *InUseError.
	ErrInUse = errors.New("data directory is in use")
	// ErrNewer: the folder was made by a newer lamb.
	ErrNewer = errors.New("data directory was made by a newer lamb")
	// ErrNotOurs: the folder has other things in it, or it is damaged.
	ErrNotOurs = errors.New("not a lamb data directory")
)

// InUseError says who uses the folder.
type InUseError struct {
	Path string
	PID  int // of the other lamb; 0 when it is not known
}

func (e *InUseError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("data directory %s is in use by another lamb", e.Path)
	}
	return fmt.Sprintf("data directory %s is in use by another lamb (process %d)", e.Path, e.PID)
}

// Unwrap makes it ErrInUse.
func (e *InUseError) Unwrap() error { return ErrInUse }

// Options are for tests, mostly; the zero value will do.
type Options struct {
	// FS carries the files that must survive power loss. Nil: vfs.OS.
	FS vfs.FS
	// Log gets what an operator should know. Nil: nothing is said.
	Log *slog.Logger
}

// Dir is a data folder that is locked for this process.
type Dir struct {
	path      string
	lock      *os.File // closing it unlocks
	temporary bool
}

// Open locks the folder, which it makes with mode 0700 if it is missing (its
// parents too), checks the format, and empties what does not outlive a run.
// The error is an *InUseError or wraps ErrNewer or ErrNotOurs.
func Open(path string, opts Options) (*Dir, error) {
	if opts.FS == nil {
		opts.FS = vfs.OS
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	if err := makeFolder(opts.FS, abs); err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	d := &Dir{path: abs}
	if err := d.refuseForeign(opts.FS); err != nil {
		return nil, fmt.Errorf("open data directory %s: %w", abs, err)
	}
	lock, err := acquire(abs)
	if err != nil {
		return nil, err
	}
	d.lock = lock
	if err := d.prepare(opts); err != nil {
		return nil, errors.Join(fmt.Errorf("open data directory %s: %w", abs, err), lock.Close())
	}
	return d, nil
}

// Path is the folder, absolute.
func (d *Dir) Path() string { return d.path }

// State is the file of the records. Open does not make it.
func (d *Dir) State() string { return filepath.Join(d.path, "state.db") }

// Code is the folder of the zips.
func (d *Dir) Code() string { return filepath.Join(d.path, "code") }

// Logs is the folder of the functions' logs. Open does not make it.
func (d *Dir) Logs() string { return filepath.Join(d.path, "logs") }

// Cache is a folder for what can be made again; empty after Open.
func (d *Dir) Cache() string { return filepath.Join(d.path, "run", "cache") }

// Spool is a folder for request bodies on their way; empty after Open.
func (d *Dir) Spool() string { return filepath.Join(d.path, "run", "spool") }

// Sandboxes is a folder for what running environments need; empty after Open.
func (d *Dir) Sandboxes() string { return filepath.Join(d.path, "run", "sandboxes") }

// Close unlocks the folder, and removes a temporary one. Nothing may use its
// files any more.
func (d *Dir) Close() error {
	var errs []error
	if d.temporary {
		errs = append(errs, vfs.RemoveTree(d.path))
	}
	errs = append(errs, d.lock.Close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close data directory: %w", err)
	}
	return nil
}

// prepare does what needs the lock.
func (d *Dir) prepare(opts Options) error {
	if err := d.checkFormat(opts.FS); err != nil {
		return err
	}
	for _, name := range []string{d.Code(), filepath.Join(d.path, "run")} {
		if err := opts.FS.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := opts.FS.SyncDir(d.path); err != nil {
		return err
	}
	// Each is removed and made anew: nothing in them was synced, so after a
	// power loss they may have halves.
	for _, name := range []string{d.Cache(), d.Spool(), d.Sandboxes()} {
		if err := vfs.RemoveTree(name); err != nil {
			return err
		}
		if err := os.Mkdir(name, 0o700); err != nil {
			return err
		}
	}
	return nil
}

// checkFormat reads the format's version, and writes it into a new folder.
func (d *Dir) checkFormat(f vfs.FS) error {
	version, err := readFormat(f, d.format())
	if errors.Is(err, fs.ErrNotExist) {
		if err := d.checkEmpty(f); err != nil {
			return err
		}
		return d.writeFormat(f)
	}
	if err != nil {
		return err
	}
	if version > Format {
		return fmt.Errorf("%w: its format is %d, and this lamb knows up to %d", ErrNewer, version, Format)
	}
	return nil
}

func (d *Dir) format() string { return filepath.Join(d.path, "format") }

// maxFormat is how much of the format file is looked at, in bytes.
const maxFormat = 64

func readFormat(f vfs.FS, name string) (int, error) {
	file, err := f.Open(name)
	if err != nil {
		return 0, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFormat))
	if err := errors.Join(err, file.Close()); err != nil {
		return 0, err
	}
	version, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || version < 1 {
		return 0, fmt.Errorf("%w: its format file says %q", ErrNotOurs, text)
	}
	return version, nil
}

// refuseForeign refuses a folder of somebody else's, before anything is put
// into it: lamb would otherwise remove its "run". The lock is not held yet, so
// another lamb may be making the folder at this moment.
func (d *Dir) refuseForeign(f vfs.FS) error {
	_, err := readFormat(f, d.format())
	if !errors.Is(err, fs.ErrNotExist) {
		return nil // with the lock, checkFormat looks again
	}
	foreign := d.checkEmpty(f)
	if foreign == nil {
		return nil
	}
	if _, err := readFormat(f, d.format()); err == nil {
		return nil
	}
	return foreign
}

// checkEmpty refuses a folder that has anything else in it than the lock,
// what a first start that was cut short has left, and what is in the root of
// every new volume.
func (d *Dir) checkEmpty(f vfs.FS) error {
	entries, err := f.ReadDir(d.path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if name != lockName && name != "lost+found" && !strings.HasPrefix(name, formatTemp) {
			return fmt.Errorf("%w: it contains %s but no format file", ErrNotOurs, name)
		}
	}
	return nil
}

const formatTemp = "format-"

// writeFormat writes the format's version before anything else is made, so
// that a folder with anything in it has one.
func (d *Dir) writeFormat(f vfs.FS) error {
	file, err := f.CreateTemp(d.path, formatTemp+"*")
	if err != nil {
		return err
	}
	_, err = io.WriteString(file, strconv.Itoa(Format)+"\n")
	if err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = f.Rename(file.Name(), d.format())
	}
	if err != nil {
		return errors.Join(err, f.Remove(file.Name()))
	}
	return f.SyncDir(d.path)
}

// makeFolder makes a folder, and its parents, durable one after the other.
func makeFolder(f vfs.FS, path string) error {
	err := f.Mkdir(path, 0o700)
	switch parent := filepath.Dir(path); {
	case err == nil:
		return f.SyncDir(parent)
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist) && parent != path:
		if err := makeFolder(f, parent); err != nil {
			return err
		}
		return errors.Join(f.Mkdir(path, 0o700), f.SyncDir(parent))
	}
	return err
}
