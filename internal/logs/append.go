package logs

import (
	"fmt"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/clock"
)

// Bounds of the lines that wait for the owner. A slow disk makes them wait;
// what comes then is dropped.
const (
	maxBatchBytes = 4 << 20
	maxBatchLines = 64 << 10
	// Of these the owner is told before the pause is over.
	fullBatchBytes = 128 << 10
	fullBatchLines = 4 << 10
)

// Stream writes one stream of a group.
type Stream struct {
	store *Store
	group Group
	id    groupID
	name  string
}

// Stream returns a writer for a stream of a group; it costs nothing on the
// disk until a line is written, and needs no closing. The error wraps ErrName.
func (s *Store) Stream(g Group, name string) (*Stream, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	if name == "" || len(name) > MaxName {
		return nil, fmt.Errorf("%w: stream of %d characters", ErrName, len(name))
	}
	return &Stream{store: s, group: g, id: g.id(), name: name}, nil
}

// Append writes one message, which may have several lines and which it does
// not keep. It never waits for the disk: a message that comes faster than the
// disk takes them is dropped and counted. What is longer than MaxMessage is cut.
func (st *Stream) Append(at time.Time, message []byte) {
	st.store.batch.add(entry{stream: st, timestamp: at.UnixMilli()}, message[:min(len(message), MaxMessage)])
}

// entry is one message that waits; its bytes are those up to end.
type entry struct {
	stream     *Stream
	timestamp  int64
	start, end int
}

// batch is what waits for the owner.
type batch struct {
	store *Store

	mu      sync.Mutex
	bytes   []byte
	entries []entry
	timer   clock.Timer // tells the owner when the pause is over
	closed  bool
}

func (b *batch) add(e entry, message []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(b.bytes)+len(message) > maxBatchBytes || len(b.entries) >= maxBatchLines {
		b.store.dropped.Add(1)
		return
	}
	e.start = len(b.bytes)
	b.bytes = append(b.bytes, message...)
	e.end = len(b.bytes)
	b.entries = append(b.entries, e)
	switch {
	case len(b.entries) == 1:
		b.timer = b.store.opts.Clock.AfterFunc(b.store.opts.Pause, b.kick)
	case len(b.bytes) > fullBatchBytes || len(b.entries) > fullBatchLines:
		b.kick()
	}
}

// kick has what waits written.
func (b *batch) kick() {
	select {
	case b.store.wake <- struct{}{}:
	default:
	}
}

// take exchanges what waits for empty storage.
func (b *batch) take(bytes []byte, entries []entry) ([]byte, []entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
	bytes, b.bytes = b.bytes, bytes[:0]
	entries, b.entries = b.entries, entries[:0]
	return bytes, entries
}

// close lets nothing more in.
func (b *batch) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
}
