// Package artifact owns code: the zips that were uploaded, as content-addressed
// files that are durable before they are acknowledged and verified before they
// are read, and the read-only folder trees that functions run from. It imports
// vfs and nothing else of ours.
//
//	Add ─▶ inspect ─▶ inflate (counted) ─▶ temp ─▶ sync ─▶ rename ─▶ sync folder ─▶ Pinned
//	                                                                    │
//	Collect keeps what is pinned or referenced ◀──── Release after the record commits
//
//	Tree ──┬▶ verify the zips ─▶ merge ─▶ unpack into a temp folder ─▶ rename ─▶ Tree (counted)
//	Layers ┘
//
// Archives are hostile until shown otherwise; inspect.go says what is refused.
package artifact

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/vfs"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrZippedTooLarge: the zip is larger than Limits.Zipped.
	ErrZippedTooLarge = errors.New("zipped size is over the limit")
	// ErrUnzippedTooLarge: the files in the zip are larger than Limits.Unzipped.
	ErrUnzippedTooLarge = errors.New("unzipped size is over the limit")
	// ErrBadZip: not a zip, broken, or hostile. The text of the wrapping error
	// says what is wrong with which file in it.
	ErrBadZip = errors.New("unacceptable zip archive")
	// ErrNotFound: no code with that digest is stored.
	ErrNotFound = errors.New("code not found")
	// ErrCorrupt: what is stored is not what was added.
	ErrCorrupt = errors.New("stored code is corrupt")
	// ErrClosed: the store has been closed.
	ErrClosed = errors.New("code store is closed")
)

// AWS's limits for a zip that is uploaded directly, and our own for what AWS
// does not state.
const (
	DefaultZipped   = 52428800  // bytes
	DefaultUnzipped = 262144000 // bytes
	DefaultEntries  = 100_000   // files, links and folders, those implied by paths included
	DefaultDepth    = 128       // folders in one path
)

// Limits bounds what Add accepts. A field that is 0 has its Default.
type Limits struct {
	Zipped   int64
	Unzipped int64
	Entries  int
	Depth    int
}

func (l Limits) withDefaults() Limits {
	if l.Zipped == 0 {
		l.Zipped = DefaultZipped
	}
	if l.Unzipped == 0 {
		l.Unzipped = DefaultUnzipped
	}
	if l.Entries == 0 {
		l.Entries = DefaultEntries
	}
	if l.Depth == 0 {
		l.Depth = DefaultDepth
	}
	return l
}

// Options says where code is kept.
type Options struct {
	// Dir is an existing folder for the zips; nothing else writes in it.
	Dir string
	// CacheDir is an existing folder, empty at every start, for trees. It is
	// always on the machine's own file system.
	CacheDir string
	// FS carries Dir. Nil: vfs.OS.
	FS vfs.FS
	// Log gets what an operator should know. Nil: nothing is said.
	Log    *slog.Logger
	Limits Limits
}

// Store is an open code store. Its methods may be called from several
// goroutines.
type Store struct {
	dir    string
	trees  string // folder of the trees
	fs     vfs.FS
	log    *slog.Logger
	limits Limits

	// ctx ends builds of trees; cancel is called by Close with ErrClosed.
	ctx    context.Context
	cancel context.CancelCauseFunc
	builds sync.WaitGroup

	// collecting is held for the length of a Collect.
	collecting sync.Mutex

	mu       sync.Mutex // guards what follows
	closed   bool
	pins     map[string]int      // by digest: how many Pinned are not released
	touched  map[string]bool     // nil unless collecting: pinned since that began
	verified map[string]identity // by digest: the file that had this digest
	built    map[string]*build   // by digest
	trash    int                 // number of the next tree to remove
}

// identity is how a file that was verified is known again.
type identity struct {
	size     int64
	modified time.Time
}

const (
	zipSuffix  = ".zip"
	tempPrefix = "add-"
)

// Open opens the store, and removes what Adds that a crash cut short have left.
func Open(opts Options) (*Store, error) {
	s := &Store{
		dir:      opts.Dir,
		trees:    filepath.Join(opts.CacheDir, "trees"),
		fs:       opts.FS,
		log:      opts.Log,
		limits:   opts.Limits.withDefaults(),
		pins:     make(map[string]int),
		verified: make(map[string]identity),
		built:    make(map[string]*build),
	}
	if s.fs == nil {
		s.fs = vfs.OS
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := errors.Join(s.clearTrees(), s.clearTemps()); err != nil {
		return nil, fmt.Errorf("open the code store: %w", err)
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s, nil
}

// clearTrees makes an empty folder for trees: one that an earlier run has left
// may be half written, for nothing in it was synced.
func (s *Store) clearTrees() error {
	if err := vfs.RemoveTree(s.trees); err != nil {
		return err
	}
	return os.Mkdir(s.trees, 0o755)
}

// clearTemps removes what an Add that was cut short has left.
func (s *Store) clearTemps() error {
	entries, err := s.fs.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			if err := s.fs.Remove(filepath.Join(s.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close ends and waits for the builds of trees. Zips and trees stay where they
// are; Pinned and Tree values may still be released.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel(ErrClosed)
	s.builds.Wait()
	return nil
}

// path is where the zip of a digest is.
func (s *Store) path(digest string) string { return filepath.Join(s.dir, digest+zipSuffix) }

// isDigest keeps anything that is not a digest out of paths.
func isDigest(text string) bool {
	if len(text) != 64 {
		return false
	}
	for _, c := range []byte(text) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
