package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// place is a position in a group: the offset of a record in the segment with
// that start, or of the next record, or its end. Zero is before everything.
type place struct{ start, offset int64 }

func (p place) before(q place) bool {
	return p.start < q.start || p.start == q.start && p.offset < q.offset
}

const tokenVersion = "1"

// token is a place as callers keep it.
func (p place) token(id groupID) string {
	return fmt.Sprintf("%s.%x.%x.%x", tokenVersion, id[:8], p.start, p.offset)
}

// parseToken reads a token. What it says of the offset may be made up: nothing
// is read from there without having come by it.
func parseToken(token string, id groupID) (place, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 4 || parts[0] != tokenVersion || parts[1] != fmt.Sprintf("%x", id[:8]) {
		return place{}, fmt.Errorf("%w: %.100q", ErrToken, token)
	}
	start, err1 := strconv.ParseInt(parts[2], 16, 64)
	offset, err2 := strconv.ParseInt(parts[3], 16, 64)
	if err1 != nil || err2 != nil || start < 0 || offset < 0 {
		return place{}, fmt.Errorf("%w: %.100q", ErrToken, token)
	}
	return place{start, offset}, nil
}

// segments is a copy of what there is of a group.
func (s *Store) segments(id groupID) []segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[id]
	if g == nil {
		return nil
	}
	list := make([]segment, len(g.segments))
	for i, seg := range g.segments {
		list[i] = *seg
	}
	return list
}

// load reads a segment from an offset on; none of it when it has been deleted.
func (s *Store) load(id groupID, seg segment, from int64) ([]byte, error) {
	if from >= seg.size {
		return nil, nil
	}
	f, err := s.opts.FS.Open(s.path(id, seg.start))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read logs: %w", err)
	}
	defer f.Close()
	b := make([]byte, seg.size-from)
	n, err := f.ReadAt(b, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read logs: %w", err)
	}
	return b[:n], nil
}

// readAll reads a segment whole, and learns its bounds. What is behind damage
// is left out. The events point into one piece of memory, which end with them.
// The error is the file system's, or errSegment for damage.
func (s *Store) readAll(id groupID, seg segment) (events []record, end int64, err error) {
	b, err := s.load(id, seg, 0)
	if err != nil || len(b) == 0 {
		return nil, 0, err
	}
	key, base, err := parsePreamble(b)
	if err == nil && key.id() != id {
		err = errSegment
	}
	if err == nil {
		end, err = parseEvents(b[base:], base, func(r record) bool {
			events = append(events, r)
			return true
		})
	}
	s.learn(id, seg, key, events, err != nil)
	return events, end, err
}

// learn notes what reading a segment from an earlier run has shown.
func (s *Store) learn(id groupID, read segment, key Group, events []record, broken bool) {
	if read.known {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[id]
	if g == nil {
		return
	}
	i := slices.IndexFunc(g.segments, func(seg *segment) bool { return seg.start == read.start })
	if i < 0 || g.segments[i].known {
		return
	}
	seg := g.segments[i]
	seg.known, seg.broken = true, seg.broken || broken
	seg.min, seg.max = 1, 0 // none
	for j, r := range events {
		if j == 0 {
			seg.min, seg.max = r.timestamp, r.timestamp
		}
		seg.min, seg.max = min(seg.min, r.timestamp), max(seg.max, r.timestamp)
	}
	if key.id() == id {
		g.key = key
	}
}

// walk calls visit with the events of a group from a place on, until it
// returns false. trusted says that the place is from an earlier walk and not
// from a token. It returns where it stopped, as parseEvents does.
func (s *Store) walk(ctx context.Context, q *Query, from place, trusted bool, visit func(start int64, r record) bool) (place, error) {
	at := from
	for _, seg := range s.segments(q.id) {
		if err := ctx.Err(); err != nil {
			return at, err
		}
		switch {
		case seg.start < from.start:
			continue
		case q.outside(seg):
			at = place{seg.start, seg.size}
			continue
		}
		offset, more, err := s.walkSegment(q, seg, from, trusted, visit)
		if err != nil {
			return at, err
		}
		at = place{seg.start, offset}
		if !more {
			return at, nil
		}
	}
	return at, nil
}

// walkSegment is walk in one segment; more says that visit wants more.
func (s *Store) walkSegment(q *Query, seg segment, from place, trusted bool, visit func(start int64, r record) bool) (at int64, more bool, err error) {
	more = true
	each := func(r record) bool {
		if q.matches(r) {
			more = visit(seg.start, r)
		}
		return more
	}
	if trusted && seg.start == from.start && from.offset > 0 {
		b, err := s.load(q.id, seg, from.offset)
		if err != nil {
			return 0, false, err
		}
		at, _ = parseEvents(b, from.offset, each) // ends where the damage begins
		return at, more, nil
	}
	events, end, err := s.readAll(q.id, seg)
	if err != nil && !isDamage(err) {
		return 0, false, err
	}
	for _, r := range events {
		if seg.start == from.start && r.offset < from.offset {
			continue
		}
		if !each(r) {
			return r.offset, false, nil
		}
	}
	return end, true, nil
}

// outside reports whether no event of a segment can be in the query's time.
func (q *Query) outside(seg segment) bool {
	return seg.known && (seg.max < q.Start || q.End > 0 && seg.min >= q.End)
}

// matches reports whether an event is what is asked for.
func (q *Query) matches(r record) bool {
	if r.timestamp < q.Start || q.End > 0 && r.timestamp >= q.End {
		return false
	}
	if len(q.Streams) > 0 && !slices.ContainsFunc(q.Streams, func(name string) bool { return string(r.stream) == name }) {
		return false
	}
	return bytes.HasPrefix(r.stream, []byte(q.StreamPrefix))
}
