package logs

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"time"
)

// makeRoom deletes what a group has too much for another segment, and returns
// the start of that.
func (o *owner) makeRoom(id groupID, now int64) int64 {
	start := max(now, o.floor+1)
	if g := o.s.groups[id]; g != nil {
		start = max(start, g.segments[len(g.segments)-1].start+1)
		for len(g.segments) > 0 && g.bytes+o.s.opts.SegmentBytes > o.s.opts.MaxBytes/groupShare {
			o.deleteOldest(g)
		}
	}
	return start
}

// trim deletes the oldest segments of all groups when they are too much. It
// deletes a little more, so as not to be back with the next batch.
func (o *owner) trim() {
	if o.s.bytes <= o.s.opts.MaxBytes {
		return
	}
	type candidate struct {
		start int64
		g     *group
	}
	var all []candidate
	for _, g := range o.s.groups {
		for _, seg := range g.segments {
			all = append(all, candidate{seg.start, g})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Compare(a.start, b.start) })
	for _, c := range all {
		if o.s.bytes <= o.s.opts.MaxBytes-o.s.opts.MaxBytes/16 {
			return
		}
		o.deleteOldest(c.g) // of this group, the one with this start
	}
}

// sweep deletes the segments whose lines are all too old.
func (o *owner) sweep(now time.Time) {
	o.sweepAt = now.Add(max(o.s.span()/2, time.Second))
	limit := now.Add(-o.s.opts.MaxAge).UnixMilli()
	for _, g := range o.s.groups {
		for len(g.segments) > 0 && o.s.endsBefore(g, limit) {
			o.deleteOldest(g)
		}
	}
}

// endsBefore reports whether all lines of a group's oldest segment were
// written before a time: those of the next begin later than they end, and a
// segment takes lines only for a span.
func (s *Store) endsBefore(g *group, limit int64) bool {
	end := g.segments[0].start + s.span().Milliseconds()
	if len(g.segments) > 1 {
		end = min(end, g.segments[1].start)
	}
	return end < limit
}

// deleteOldest deletes the oldest segment of a group. One that cannot be
// deleted is forgotten until the next start: to try for ever helps nobody.
func (o *owner) deleteOldest(g *group) {
	seg := g.segments[0]
	o.floor = max(o.floor, seg.start)
	if f := o.open[g.id]; f != nil && f.seg == seg {
		o.shut(g.id)
	}
	if err := o.s.opts.FS.Remove(o.s.path(g.id, seg.start)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		o.s.opts.Log.Warn("log segment could not be deleted", "err", err)
	}
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	g.segments = slices.Delete(g.segments, 0, 1)
	g.bytes -= seg.cost()
	o.s.bytes -= seg.cost()
	if len(g.segments) == 0 {
		delete(o.s.groups, g.id)
	}
}
