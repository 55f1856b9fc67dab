// Package vfstest is a file system in memory that can lose power: after Crash
// it has what was synced, and not what was only written. It can also fail at
// any call. It imports vfs and nothing else of ours.
package vfstest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/vfs"
)

// ErrPower is the error of every call between the moment that CrashAt set and
// Crash, and of calls on files that were open when the power was lost.
var ErrPower = errors.New("power lost")

// Loss says what a power loss takes. Which it is depends on the file system
// and on luck, so a test should try each.
type Loss int

// The losses.
const (
	// Unsynced takes every name that is not synced in its folder, and every
	// content that is not synced.
	Unsynced Loss = iota
	// Contents takes contents that are not synced, and leaves the names: a
	// file system may write a rename before the data of the file.
	Contents
	// Torn is as Contents, but leaves the first half of what was written.
	Torn
)

// Losses are all of them.
var Losses = []Loss{Unsynced, Contents, Torn}

func (l Loss) String() string {
	return [...]string{"unsynced lost", "unsynced contents lost", "unsynced contents torn"}[l]
}

// FS is the file system. It begins with an empty, durable root folder "/".
type FS struct {
	mu    sync.Mutex // guards all below, and all nodes
	root  *node
	temps int
	ticks int // stands for the time: every change is a second after the last
	boot  int // how many times the power was lost
	trace []string

	failAt  int // the call that fails, counted down; 0: none
	failErr error
	crashed bool // failErr is ErrPower, and all calls fail
}

var _ vfs.FS = (*FS)(nil)

// node is a file or a folder.
type node struct {
	mode     fs.FileMode
	modified time.Time

	data, synced []byte // of a file

	entries, durable map[string]*node // of a folder
}

// New makes an empty file system.
func New() *FS { return &FS{root: newDir(0o755)} }

func newDir(perm fs.FileMode) *node {
	return &node{mode: fs.ModeDir | perm, entries: map[string]*node{}, durable: map[string]*node{}}
}

// FailAt makes the n-th call from now (1 is the next) fail with err, without
// effect, except that a write may have written a part.
func (f *FS) FailAt(n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failAt, f.failErr = n, err
}

// CrashAt has the power lost at the n-th call from now: it and all after it
// fail with ErrPower until Crash is called.
func (f *FS) CrashAt(n int) { f.FailAt(n, ErrPower) }

// Crash loses the power, if CrashAt has not, and turns it on again.
func (f *FS) Crash(loss Loss) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failAt, f.failErr, f.crashed = 0, nil, false
	f.boot++
	f.root.lose(loss)
}

func (n *node) lose(loss Loss) {
	if !n.mode.IsDir() {
		kept := n.synced
		if loss == Torn && !slices.Equal(n.data, n.synced) {
			kept = n.data[:len(n.data)/2]
		}
		n.data, n.synced = slices.Clone(kept), slices.Clone(kept)
		return
	}
	if loss == Unsynced {
		n.entries = maps.Clone(n.durable)
	}
	n.durable = maps.Clone(n.entries)
	for _, child := range n.entries {
		child.lose(loss)
	}
}

// Trace returns the calls so far, as "rename /a /b".
func (f *FS) Trace() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.trace)
}

// call notes a call, and fails it when its turn has come.
func (f *FS) call(op string, names ...string) error {
	f.trace = append(f.trace, strings.Join(append([]string{op}, names...), " "))
	if f.crashed {
		return &fs.PathError{Op: op, Path: names[0], Err: ErrPower}
	}
	if f.failAt == 0 {
		return nil
	}
	if f.failAt--; f.failAt > 0 {
		return nil
	}
	f.crashed = errors.Is(f.failErr, ErrPower)
	return &fs.PathError{Op: op, Path: names[0], Err: f.failErr}
}

func (f *FS) now() time.Time {
	f.ticks++
	return time.Unix(int64(f.ticks), 0)
}

// lookup finds a node; nil if it is missing.
func (f *FS) lookup(name string) *node {
	n := f.root
	for part := range strings.SplitSeq(path.Clean("/"+name), "/") {
		if part == "" {
			continue
		}
		if n = n.entries[part]; n == nil {
			return nil
		}
	}
	return n
}

// folder finds the folder of a name, and the name's last part.
func (f *FS) folder(op, name string) (*node, string, error) {
	name = path.Clean("/" + name)
	dir := f.lookup(path.Dir(name))
	if dir == nil || !dir.mode.IsDir() {
		return nil, "", &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return dir, path.Base(name), nil
}

// CreateTemp numbers the files, so that a test does the same every time.
func (f *FS) CreateTemp(dir, pattern string) (vfs.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("createtemp", dir); err != nil {
		return nil, err
	}
	f.temps++
	before, after, _ := strings.Cut(pattern, "*")
	name := path.Join(dir, fmt.Sprintf("%s%d%s", before, f.temps, after))
	parent, base, err := f.folder("createtemp", name)
	if err != nil {
		return nil, err
	}
	n := &node{mode: 0o600, modified: f.now()}
	parent.entries[base] = n
	return &file{fs: f, node: n, name: name, boot: f.boot, writable: true}, nil
}

// Open opens a file for reading.
func (f *FS) Open(name string) (vfs.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("open", name); err != nil {
		return nil, err
	}
	n := f.lookup(name)
	if n == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &file{fs: f, node: n, name: name, boot: f.boot}, nil
}

// Append opens a file for writing at its end.
func (f *FS) Append(name string) (vfs.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("append", name); err != nil {
		return nil, err
	}
	parent, base, err := f.folder("append", name)
	if err != nil {
		return nil, err
	}
	n := parent.entries[base]
	if n == nil {
		n = &node{mode: 0o600, modified: f.now()}
		parent.entries[base] = n
	}
	return &file{fs: f, node: n, name: name, boot: f.boot, writable: true, offset: int64(len(n.data))}, nil
}

// Rename moves a file over what is there.
func (f *FS) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("rename", from, to); err != nil {
		return err
	}
	source, old, err := f.folder("rename", from)
	if err != nil {
		return err
	}
	target, base, err := f.folder("rename", to)
	if err != nil {
		return err
	}
	n := source.entries[old]
	if n == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	delete(source.entries, old)
	target.entries[base] = n
	return nil
}

// Remove removes a file or an empty folder.
func (f *FS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("remove", name); err != nil {
		return err
	}
	dir, base, err := f.folder("remove", name)
	if err != nil {
		return err
	}
	switch n := dir.entries[base]; {
	case n == nil:
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	case len(n.entries) > 0:
		return &fs.PathError{Op: "remove", Path: name, Err: errors.New("folder is not empty")}
	}
	delete(dir.entries, base)
	return nil
}

// Mkdir makes a folder.
func (f *FS) Mkdir(name string, perm fs.FileMode) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("mkdir", name); err != nil {
		return err
	}
	dir, base, err := f.folder("mkdir", name)
	if err != nil {
		return err
	}
	if dir.entries[base] != nil {
		return &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrExist}
	}
	dir.entries[base] = newDir(perm)
	return nil
}

// ReadDir lists a folder by name.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("readdir", name); err != nil {
		return nil, err
	}
	dir := f.lookup(name)
	if dir == nil || !dir.mode.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	var list []fs.DirEntry
	for _, base := range slices.Sorted(maps.Keys(dir.entries)) {
		list = append(list, fs.FileInfoToDirEntry(infoOf(base, dir.entries[base])))
	}
	return list, nil
}

// SyncDir makes the names in a folder durable.
func (f *FS) SyncDir(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("syncdir", name); err != nil {
		return err
	}
	dir := f.lookup(name)
	if dir == nil || !dir.mode.IsDir() {
		return &fs.PathError{Op: "syncdir", Path: name, Err: fs.ErrNotExist}
	}
	dir.durable = maps.Clone(dir.entries)
	return nil
}
