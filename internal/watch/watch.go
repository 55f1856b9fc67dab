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
	for {
		if changed, err := w.event(ctx, nil); err != nil {
			return err
		} else if changed {
			break
		}
	}
	deadline := time.Now().Add(settleLimit)
	rest := time.NewTimer(settle)
	defer rest.Stop()
	for {
		changed, err := w.event(ctx, rest.C)
		switch {
		case errors.Is(err, errRest), err == nil && time.Now().After(deadline):
			return w.awaitRoot(ctx)
		case err != nil:
			return err
		case changed:
			rest.Reset(settle)
		}
	}
}

// errRest: nothing has happened until a timer fired.
var errRest = errors.New("rest")

// event waits for one event, and reports whether it is a change.
func (w *Watcher) event(ctx context.Context, rest <-chan time.Time) (bool, error) {
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-rest:
		return false, errRest
	case ev, ok := <-w.notify.Events:
		if !ok {
			return false, fsnotify.ErrClosed
		}
		return w.counts(ev), nil
	case err, ok := <-w.notify.Errors:
		if !ok {
			return false, fsnotify.ErrClosed
		}
		// So many events that some were lost, or a folder that has gone while it
		// was looked at: something has changed, and what is watched is not known.
		if !errors.Is(err, fsnotify.ErrEventOverflow) {
			w.lost = true
		}
		return true, nil
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

// awaitRoot returns when the root is there and watched. When it has gone it is
// waited for: a checkout or a generator may have taken it away for a moment.
func (w *Watcher) awaitRoot(ctx context.Context) error {
	if !w.lost {
		return nil
	}
	if err := w.renew(); err != nil {
		return err
	}
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

// renew forgets all that was watched: under its old name the root may be
// somewhere else.
func (w *Watcher) renew() error {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", w.root, err)
	}
	err = w.notify.Close()
	w.notify = n
	return err
}
