package logs

import (
	"errors"
	"fmt"
	"time"

	"github.com/lambhq/lamb/internal/clock"
	"github.com/lambhq/lamb/internal/vfs"
)

// maxOpen bounds the files that are open for writing.
const maxOpen = 64

// complaintPause is how often lost lines are told at most.
const complaintPause = time.Minute

// owner writes the segments; all of it belongs to the goroutine in run.
type owner struct {
	s     *Store
	bytes []byte
	all   []entry
	lots  []lot           // of one batch
	index map[groupID]int // of lots
	buf   []byte          // records on their way

	open map[groupID]*openSegment
	uses uint64 // counts uses of open segments
	// floor is the last start that must not be taken again: there are tokens
	// of what was deleted, or a file of that name, with a torn beginning.
	floor int64

	sweepAt time.Time // when to look for segments that are too old

	told    time.Time // when lost lines were told last
	untold  uint64    // what dropped was then
	failure error     // the last that cost lines, until it is told
}

// lot is what one batch has for one group.
type lot struct {
	stream  *Stream // any of the group
	entries []entry
}

type openSegment struct {
	seg  *segment
	file vfs.File
	used uint64
}

func newOwner(s *Store) *owner {
	return &owner{s: s, index: map[groupID]int{}, open: map[groupID]*openSegment{}}
}

// span is how long a segment takes lines.
func (s *Store) span() time.Duration { return s.opts.MaxAge / ageSteps }

func (o *owner) run() {
	defer close(o.s.done)
	o.sweep(o.s.opts.Clock.Now())
	sweep := o.timer()
	defer func() { sweep.Stop() }()
	for {
		select {
		case <-o.s.wake:
			o.flush()
		case written := <-o.s.flushes:
			o.flush()
			close(written)
		case d := <-o.s.deletes:
			o.flush()
			o.deleteGroup(d.id)
			close(d.done)
		case <-sweep.C():
			o.flush()
			sweep = o.timer()
		case <-o.s.stop:
			o.flush()
			for _, f := range o.open {
				o.closeFile(f)
			}
			return
		}
	}
}

// timer fires when the next sweep is due.
func (o *owner) timer() clock.Timer {
	return o.s.opts.Clock.NewTimer(o.sweepAt.Sub(o.s.opts.Clock.Now()))
}

// flush writes what waits, and deletes what is too old or too much.
func (o *owner) flush() {
	now := o.s.opts.Clock.Now()
	o.bytes, o.all = o.s.batch.take(o.bytes, o.all)
	o.sort()
	for i := range o.lots {
		l := &o.lots[i]
		if lost, err := o.write(l, now.UnixMilli()); err != nil {
			o.s.dropped.Add(uint64(lost))
			o.failure = err
		}
		clear(l.entries) // holds streams
		if cap(l.entries) > fullBatchLines {
			l.entries = nil
		}
	}
	clear(o.all)
	if len(o.lots) > 0 {
		o.s.notify()
		o.trim()
	}
	if !now.Before(o.sweepAt) {
		o.sweep(now)
	}
	o.complain(now)
}

// sort puts the batch into lots, each in the order of writing.
func (o *owner) sort() {
	clear(o.index)
	o.lots = o.lots[:0]
	last := -1
	for _, e := range o.all {
		if last < 0 || o.lots[last].stream.id != e.stream.id {
			i, ok := o.index[e.stream.id]
			if !ok {
				i = len(o.lots)
				o.index[e.stream.id] = i
				o.addLot(e.stream)
			}
			last = i
		}
		o.lots[last].entries = append(o.lots[last].entries, e)
	}
}

// addLot adds an empty lot; it takes the storage of one from before.
func (o *owner) addLot(of *Stream) {
	if len(o.lots) < cap(o.lots) {
		o.lots = o.lots[:len(o.lots)+1]
		l := &o.lots[len(o.lots)-1]
		l.stream, l.entries = of, l.entries[:0]
		return
	}
	o.lots = append(o.lots, lot{stream: of})
}

// write writes a lot. With an error, lost is how many messages were not
// written.
func (o *owner) write(l *lot, now int64) (lost int, err error) {
	rest := l.entries
	for len(rest) > 0 {
		out, err := o.target(l.stream, recordSize(&rest[0]), now)
		if err != nil {
			return len(rest), err
		}
		o.buf = o.buf[:0]
		if out.seg.size == 0 {
			o.buf = appendPreamble(o.buf, l.stream.group)
		}
		n, low, high := 0, rest[0].timestamp, rest[0].timestamp
		for ; n < len(rest); n++ {
			e := &rest[n]
			if n > 0 && out.seg.size+int64(len(o.buf)+recordSize(e)) > o.s.opts.SegmentBytes {
				break
			}
			o.buf = appendEvent(o.buf, e.timestamp, now, e.stream.name, o.bytes[e.start:e.end])
			low, high = min(low, e.timestamp), max(high, e.timestamp)
		}
		if _, err := out.file.Write(o.buf); err != nil {
			return len(rest), errors.Join(err, o.abandon(l.stream.id, out))
		}
		o.s.grow(l.stream, out.seg, int64(len(o.buf)), low, high)
		rest = rest[n:]
	}
	return 0, nil
}

func recordSize(e *entry) int {
	return frameSize + eventSize + len(e.stream.name) + e.end - e.start
}

// target is the segment, open, for a group's next records: the one that is
// open, or the group's newest, or a new one.
func (o *owner) target(st *Stream, need int, now int64) (*openSegment, error) {
	o.uses++
	f := o.open[st.id]
	if f != nil && o.takes(f.seg, need, now) {
		f.used = o.uses
		return f, nil
	}
	o.shut(st.id)
	seg := o.newest(st.id, need, now)
	if seg == nil {
		seg = &segment{start: o.makeRoom(st.id, now), known: true}
	}
	if len(o.open) >= maxOpen {
		o.shutOldest()
	}
	file, err := o.s.opts.FS.Append(o.s.path(st.id, seg.start))
	if err != nil {
		return nil, fmt.Errorf("write logs: %w", err)
	}
	f = &openSegment{seg: seg, file: file, used: o.uses}
	o.open[st.id] = f
	return f, nil
}

// takes reports whether a segment takes another record.
func (o *owner) takes(seg *segment, need int, now int64) bool {
	return !seg.broken && seg.size+int64(need) <= o.s.opts.SegmentBytes && now-seg.start < o.s.span().Milliseconds()
}

// newest is the newest segment of a group if it takes another record, else
// nil. One from an earlier run is read first: its end may be torn.
func (o *owner) newest(id groupID, need int, now int64) *segment {
	g := o.s.groups[id] // only the owner changes the index
	if g == nil {
		return nil
	}
	seg := g.segments[len(g.segments)-1]
	o.s.mu.Lock() // readers learn, too
	takes, copied := o.takes(seg, need, now), *seg
	o.s.mu.Unlock()
	if takes && !copied.known {
		_, end, err := o.s.readAll(id, copied)
		o.s.mu.Lock()
		defer o.s.mu.Unlock()
		seg.broken = seg.broken || err != nil || end == 0 // not there
		takes = !seg.broken
	}
	if !takes {
		return nil
	}
	return seg
}

// grow notes what has been written to a segment.
func (s *Store) grow(st *Stream, seg *segment, n, low, high int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seg.size == 0 {
		seg.size, seg.min, seg.max = n, low, high
		s.addLocked(st.id, st.group, seg)
		return
	}
	before := seg.cost()
	seg.size += n
	seg.min, seg.max = min(seg.min, low), max(seg.max, high)
	g := s.groups[st.id]
	g.key = st.group
	g.bytes += seg.cost() - before
	s.bytes += seg.cost() - before
}

// abandon gives up a segment that may have a part of a record at its end.
func (o *owner) abandon(id groupID, f *openSegment) error {
	o.floor = max(o.floor, f.seg.start)
	o.shut(id)
	if f.seg.size == 0 {
		return o.s.opts.FS.Remove(o.s.path(id, f.seg.start))
	}
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	f.seg.broken = true
	return nil
}

// shut closes the open segment of a group, if there is one.
func (o *owner) shut(id groupID) {
	if f := o.open[id]; f != nil {
		o.closeFile(f)
		delete(o.open, id)
	}
}

// shutOldest closes the open segment that was not used for the longest time.
func (o *owner) shutOldest() {
	var oldest groupID
	least := o.uses
	for id, f := range o.open {
		if f.used < least {
			oldest, least = id, f.used
		}
	}
	o.shut(oldest)
}

// closeFile closes a file. All has been written, so an error has lost nothing
// that can be told; the next write will fail, too.
func (o *owner) closeFile(f *openSegment) {
	if err := f.file.Close(); err != nil {
		o.s.opts.Log.Warn("log segment could not be closed", "err", err)
	}
}

// complain tells of lost lines, not too often.
func (o *owner) complain(now time.Time) {
	lost := o.s.dropped.Load()
	if lost == o.untold || !o.told.IsZero() && now.Sub(o.told) < complaintPause {
		return
	}
	o.s.opts.Log.Warn("functions' log lines were lost", "lines", lost-o.untold, "err", o.failure)
	o.told, o.untold, o.failure = now, lost, nil
}
