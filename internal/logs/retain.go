package logs

import (
	"cmp"
	"context"
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
	for _, g := range o.s.groups {
		limit := now.Add(-o.s.maxAge(g.id)).UnixMilli()
		for len(g.segments) > 0 && o.s.endsBefore(g, limit) {
			o.deleteOldest(g)
		}
	}
}

// SetMaxAge has the lines of a group kept for a time of their own, if that is
// shorter than Options.MaxAge; with zero it is that again.
func (s *Store) SetMaxAge(g Group, age time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if age <= 0 {
		delete(s.maxAges, g.id())
		return
	}
	s.maxAges[g.id()] = age
}

// maxAge is how long the lines of a group are kept.
func (s *Store) maxAge(id groupID) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if age, ok := s.maxAges[id]; ok {
		return min(age, s.opts.MaxAge)
	}
	return s.opts.MaxAge
}

// deletion asks the owner to delete a group's segments.
type deletion struct {
	id   groupID
	done chan struct{} // closed when they are
}

// Delete deletes the lines of a group that were appended before. The error
// wraps ErrName or ErrClosed, or is ctx's.
func (s *Store) Delete(ctx context.Context, g Group) error {
	if err := g.check(); err != nil {
		return err
	}
	d := deletion{g.id(), make(chan struct{})}
	select {
	case s.deletes <- d:
	case <-s.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-d.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (o *owner) deleteGroup(id groupID) {
	g := o.s.groups[id] // only the owner changes the index
	for g != nil && len(g.segments) > 0 {
		o.deleteOldest(g)
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
