// Package watch tells when something below a folder has changed. It looks at
// folders, not at files, and so survives editors that write a new file and
// rename it; folders that come are watched, ones that go are forgotten, and
// when the root itself goes, it is waited for.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settle is how long nothing may happen before a change is told: an editor
	// writes, renames and removes within some milliseconds.
	settle = 20 * time.Millisecond
	// settleLimit is how long it is waited for that at most.
	settleLimit = 500 * time.Millisecond
	// missingEvery is how often it is looked for a root that has gone.
	missingEvery = 200 * time.Millisecond
)

// Watcher watches one folder with all below it.
type Watcher struct {
	root   string
	ignore func(name string, folder bool) bool
	notify *fsnotify.Watcher
	lost   bool // the root has gone
}

// New watches a folder. What ignore says, of paths from the folder with
// slashes, makes no change; it may be nil. The caller closes the Watcher.
func New(root string, ignore func(name string, folder bool) bool) (*Watcher, error) {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", root, err)
	}
	if ignore == nil {
		ignore = func(string, bool) bool { return false }
	}
	w := &Watcher{root: root, ignore: ignore, notify: n}
	if err := w.add(root); err != nil {
		return nil, errors.Join(fmt.Errorf("watch %s: %w", root, err), n.Close())
	}
	return w, nil
}

// Close ends the watch.
func (w *Watcher) Close() error { return w.notify.Close() }

// add watches a folder and all below it that is not ignored.
func (w *Watcher) add(dir string) error {
	return filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && p != w.root && errors.Is(err, fs.ErrNotExist):
			return nil // it has gone again
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		case p != w.root && w.ignored(p, true):
			return fs.SkipDir
		}
		if err := w.notify.Add(p); err != nil && (p == w.root || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
		return nil
	})
}

func (w *Watcher) ignored(p string, folder bool) bool {
	rel, err := filepath.Rel(w.root, p)
	return err == nil && rel != "." && w.ignore(filepath.ToSlash(rel), folder)
}

// Next returns after the next change, when things have come to rest; changes
// since the last Next count. It returns the context's error when that ends.
func (w *Watcher) Next(ctx context.Context) error {
	if err := w.first(ctx); err != nil {
		return err
	}
	limit := time.NewTimer(settleLimit)
	defer limit.Stop()
	rest := time.NewTimer(settle)
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return nil
		case <-rest.C:
			if !w.lost {
				return nil
			}
			return w.awaitRoot(ctx)
		case ev, ok := <-w.notify.Events:
			if !ok {
				return fsnotify.ErrClosed
			}
			if w.counts(ev) {
				rest.Reset(settle)
			}
		}
	}
}

// first returns with the first event that counts.
func (w *Watcher) first(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case ev, ok := <-w.notify.Events:
			if !ok {
				return fsnotify.ErrClosed
			}
			if w.counts(ev) {
				return nil
			}
		case err, ok := <-w.notify.Errors:
			if !ok {
				return fsnotify.ErrClosed
			}
			if errors.Is(err, fsnotify.ErrEventOverflow) {
				return nil // so many that some were lost: something has changed
			}
			return fmt.Errorf("watch %s: %w", w.root, err)
		}
	}
}

// counts reports whether an event is a change, and watches what has come.
func (w *Watcher) counts(ev fsnotify.Event) bool {
	if ev.Op == fsnotify.Chmod {
		return false
	}
	if ev.Name == w.root && ev.Op&(fsnotify.Remove|fsnotify.Rename) != 0 {
		w.lost = true
		return true
	}
	info, err := os.Lstat(ev.Name)
	folder := err == nil && info.IsDir()
	if w.ignored(ev.Name, folder) {
		return false
	}
	if folder && ev.Op&fsnotify.Create != 0 {
		_ = w.add(ev.Name) // it may have gone again, which is an event too
	}
	return true
}

// awaitRoot waits for the root to come back: a checkout or a generator may
// have taken it away for a moment.
func (w *Watcher) awaitRoot(ctx context.Context) error {
	tick := time.NewTicker(missingEvery)
	defer tick.Stop()
	for {
		if w.add(w.root) == nil {
			w.lost = false
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
