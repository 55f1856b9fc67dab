package logs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lambhq/lamb/internal/clock"
	"github.com/lambhq/lamb/internal/vfs"
)

// Defaults of Options.
const (
	DefaultMaxAge       = 7 * 24 * time.Hour
	DefaultMaxBytes     = 512 << 20
	DefaultSegmentBytes = 1 << 20
	// DefaultPause is how long a line may wait for more of them.
	DefaultPause = 10 * time.Millisecond
)

const (
	// groupShare is the part of all bytes that one group may have.
	groupShare = 4
	// ageSteps is in how many segments, at least, a group's lines of the whole
	// time are, so that what is too old does not wait for what is not.
	ageSteps = 8
	// maxSegmentBytes bounds what is read of one segment into memory.
	maxSegmentBytes = 8 << 20
	// block is the least that a file takes on a disk: 10,000 small segments
	// count as what they cost.
	block = 4 << 10
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrClosed: the store has been closed.
	ErrClosed = errors.New("log store is closed")
	// ErrName: a group or stream without a name, or with one that is too long.
	ErrName = errors.New("log group or stream name is not valid")
	// ErrToken: a token that this store did not make, or for another group.
	ErrToken = errors.New("log token is not valid")
)

// Options are what a Store is made from. Zero values mean the defaults.
type Options struct {
	// Dir is the folder, made if it is missing; its parent must exist.
	Dir string
	// MaxAge is how long a line is kept. It may stay an eighth longer.
	MaxAge time.Duration
	// MaxBytes bounds all segments together; one group has a quarter of it.
	// What is being written may be over it, by a batch, until it is written.
	MaxBytes int64
	// SegmentBytes is how large a segment becomes; 8 MiB at most.
	SegmentBytes int64
	// Pause is how long a line may wait for more of them.
	Pause time.Duration
	// FS is vfs.OS when nil.
	FS vfs.FS
	// Clock is the system's when nil.
	Clock clock.Clock
	// Log is for lamb's own messages. Nil discards.
	Log *slog.Logger
}

func (o *Options) setDefaults() error {
	if o.MaxAge == 0 {
		o.MaxAge = DefaultMaxAge
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = min(DefaultSegmentBytes, max(1, o.MaxBytes/(4*groupShare)))
	}
	if o.Pause == 0 {
		o.Pause = DefaultPause
	}
	if o.FS == nil {
		o.FS = vfs.OS
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.MaxAge < 0 || o.MaxBytes < 0 || o.SegmentBytes < 0 || o.Pause < 0:
		return errors.New("limits of the log store are negative")
	case o.SegmentBytes > maxSegmentBytes:
		return fmt.Errorf("log segments of %d bytes: at most %d", o.SegmentBytes, maxSegmentBytes)
	}
	return nil
}

// Group names a log group: names are unique in an account and region.
type Group struct {
	Partition, Account, Region, Name string
}

// groupID stands for a group in file names and tokens.
type groupID [16]byte

func (g Group) id() groupID {
	h := sha256.Sum256(appendPreamble(nil, g))
	return groupID(h[:])
}

func (g Group) check() error {
	for _, name := range []string{g.Partition, g.Account, g.Region, g.Name} {
		if len(name) > MaxName {
			return fmt.Errorf("%w: group of %d characters", ErrName, len(name))
		}
	}
	if g.Name == "" {
		return fmt.Errorf("%w: group is empty", ErrName)
	}
	return nil
}

// Store is the logs of one folder, which nobody else writes.
type Store struct {
	opts    Options
	wake    chan struct{}      // has a token when there is something to write
	flushes chan chan struct{} // each is closed when all before it is written
	deletes chan deletion
	stop    chan struct{} // closed by Close
	done    chan struct{} // closed when the owner has ended
	once    sync.Once     // of Close
	dropped atomic.Uint64

	batch batch

	mu      sync.Mutex // guards all below; the owner alone changes it but for what readers learn
	groups  map[groupID]*group
	bytes   int64                     // of all groups
	maxAges map[groupID]time.Duration // of groups that have one of their own
	changed chan struct{}             // if not nil: closed when lines have been written
}

// group is one log group that has segments.
type group struct {
	id       groupID
	key      Group      // empty until it is known: see Groups
	segments []*segment // by start
	bytes    int64
}

// segment is one file.
type segment struct {
	start int64 // ms since 1970
	size  int64 // of the file, but for a part of a record at its end
	// known says that min and max are the bounds of the timestamps in it: it
	// was written, or read to its end, since the store was opened.
	known    bool
	min, max int64
	broken   bool // its end is torn: takes no more
}

// cost is what the segment takes on the disk.
func (s *segment) cost() int64 { return (s.size + block - 1) / block * block }

// Open opens the folder. It reads the names in it but no content; a segment
// that a crash cut short is found when it is read or written again.
func Open(opts Options) (*Store, error) {
	if err := opts.setDefaults(); err != nil {
		return nil, err
	}
	s := &Store{
		opts: opts, groups: map[groupID]*group{}, maxAges: map[groupID]time.Duration{},
		wake: make(chan struct{}, 1), flushes: make(chan chan struct{}), deletes: make(chan deletion),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	s.batch.store = s
	if err := s.list(); err != nil {
		return nil, fmt.Errorf("open logs: %w", err)
	}
	o := newOwner(s)
	go o.run()
	return s, nil
}

// list finds the segments.
func (s *Store) list() error {
	if err := s.opts.FS.Mkdir(s.opts.Dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	entries, err := s.opts.FS.ReadDir(s.opts.Dir) // by name: a group's segments by start
	if err != nil {
		return err
	}
	for _, e := range entries {
		id, start, ok := parseName(e.Name())
		if !ok || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && info.Size() == 0 { // a crash came before the first write
			err = s.opts.FS.Remove(filepath.Join(s.opts.Dir, e.Name()))
			if err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		s.addLocked(id, Group{}, &segment{start: start, size: min(info.Size(), maxSegmentBytes)})
	}
	return nil
}

// addLocked puts a segment, the newest of its group, into the index.
func (s *Store) addLocked(id groupID, key Group, seg *segment) {
	g := s.groups[id]
	if g == nil {
		g = &group{id: id}
		s.groups[id] = g
	}
	if key.Name != "" {
		g.key = key
	}
	g.segments = append(g.segments, seg)
	g.bytes += seg.cost()
	s.bytes += seg.cost()
}

const suffix = ".log"

// path is a segment's file.
func (s *Store) path(id groupID, start int64) string {
	return filepath.Join(s.opts.Dir, fmt.Sprintf("%x-%016x%s", id, uint64(start), suffix))
}

func parseName(name string) (id groupID, start int64, ok bool) {
	hash, rest, ok := strings.Cut(name, "-")
	when, isLog := strings.CutSuffix(rest, suffix)
	if !ok || !isLog || len(hash) != 2*len(id) || len(when) != 16 {
		return id, 0, false
	}
	if _, err := hex.Decode(id[:], []byte(hash)); err != nil {
		return id, 0, false
	}
	start, err := strconv.ParseInt(when, 16, 64)
	return id, start, err == nil
}

// Flush returns when all lines that were appended before are written, or lost.
// The error is ctx's or ErrClosed.
func (s *Store) Flush(ctx context.Context) error {
	written := make(chan struct{})
	select {
	case s.flushes <- written:
	case <-s.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-written:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stats are figures for an operator.
type Stats struct {
	Bytes   int64  // what all segments take on the disk
	Groups  int    // that have lines
	Dropped uint64 // lines that were lost: the disk was slow, or failed
}

// Stats returns the present figures.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{Bytes: s.bytes, Groups: len(s.groups), Dropped: s.dropped.Load()}
}

// Close writes what is left and closes the files. It waits for the disk.
// Lines that are appended later are dropped.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.batch.close()
		close(s.stop)
	})
	<-s.done
	return nil
}
