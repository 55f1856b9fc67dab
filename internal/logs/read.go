package logs

import (
	"context"
	"fmt"
	"iter"
	"slices"
)

// Bounds of one page.
const (
	// MaxEvents is how many events a page has at most, and by default.
	MaxEvents = 10_000
	// MaxPage bounds a page's messages in bytes, as CloudWatch counts: with
	// eventOverhead for each.
	MaxPage       = 1 << 20
	eventOverhead = 26
)

// Query says what to read.
type Query struct {
	Group Group
	// Streams, if there are any, are the names of the streams wanted;
	// StreamPrefix is what their names begin with.
	Streams      []string
	StreamPrefix string
	// Start and End bound the events' timestamps, in ms since 1970: from Start
	// on, before End. Zero is no bound.
	Start, End int64
	// Token is where to begin: a page's Forward or Backward token, or an
	// event's. Empty: at the beginning, or with Descending at the end.
	Token string
	// Descending goes back from there: the newest event comes first.
	Descending bool
	// Limit bounds the events of the page; MaxEvents when it is zero or more.
	Limit int

	id groupID // of Group
}

// Event is one message.
type Event struct {
	// Token is the event's place: reading on from it begins with the event,
	// reading back with the one before it. It is unique in the group.
	Token                string
	Stream, Message      string
	Timestamp, Ingestion int64 // ms since 1970
}

// Page is a part of what a query asks for.
type Page struct {
	Events []Event
	// Forward and Backward are where to read on and back from here. Where
	// nothing follows, the token is that of the query's own beginning, or
	// leads to nothing until more is written.
	Forward, Backward string
	// More says that the page is full and more may follow.
	More bool
}

// prepare checks a query and returns where it begins.
func (q *Query) prepare() (from place, err error) {
	if err := q.Group.check(); err != nil {
		return place{}, err
	}
	q.id = q.Group.id()
	if q.Limit < 0 {
		return place{}, fmt.Errorf("read logs: limit %d is negative", q.Limit)
	}
	if q.Limit == 0 || q.Limit > MaxEvents {
		q.Limit = MaxEvents
	}
	if q.Token != "" {
		return parseToken(q.Token, q.id)
	}
	return place{}, nil
}

// builder fills a page.
type builder struct {
	q      *Query
	events []Event
	bytes  int
	last   place // of the last event
}

// add reports whether the event found room.
func (b *builder) add(start int64, r record) bool {
	size := len(r.message) + eventOverhead
	if len(b.events) >= b.q.Limit || len(b.events) > 0 && b.bytes+size > MaxPage {
		return false
	}
	b.bytes += size
	stream := ""
	if n := len(b.events); n > 0 && b.events[n-1].Stream == string(r.stream) {
		stream = b.events[n-1].Stream // most are of one
	} else {
		stream = string(r.stream)
	}
	b.last = place{start, r.offset}
	b.events = append(b.events, Event{
		Token: b.last.token(b.q.id), Stream: stream, Message: string(r.message),
		Timestamp: r.timestamp, Ingestion: r.ingestion,
	})
	return true
}

// Read returns a page of a group's events, in the order of writing or against
// it; a group that does not exist has none. What was appended before is among
// them. The error wraps ErrToken, ErrName or ErrClosed, or is ctx's or the
// file system's.
func (s *Store) Read(ctx context.Context, q Query) (Page, error) {
	from, err := q.prepare()
	if err != nil {
		return Page{}, err
	}
	if err := s.Flush(ctx); err != nil {
		return Page{}, err
	}
	if q.Descending {
		return s.readBack(ctx, &q, from)
	}
	b := &builder{q: &q}
	page := Page{}
	at, err := s.walk(ctx, &q, from, false, func(start int64, r record) bool {
		page.More = !b.add(start, r)
		return !page.More
	})
	if err != nil {
		return Page{}, err
	}
	// A page without events leaves the caller where it was: programs know the
	// end by a token that comes again.
	if len(b.events) == 0 {
		at = from
	}
	page.Events, page.Forward, page.Backward = b.events, at.token(q.id), from.token(q.id)
	if len(b.events) > 0 {
		page.Backward = b.events[0].Token
	}
	return page, nil
}

// readBack reads a page from a place, or the end, back.
func (s *Store) readBack(ctx context.Context, q *Query, from place) (Page, error) {
	segs := s.segments(q.id)
	if n := len(segs); q.Token == "" && n > 0 {
		from = place{segs[n-1].start, segs[n-1].size}
	}
	b := &builder{q: q, last: from}
	page := Page{Forward: from.token(q.id)}
	for _, seg := range slices.Backward(segs) {
		if err := ctx.Err(); err != nil {
			return Page{}, err
		}
		if seg.start > from.start || q.outside(seg) {
			continue
		}
		events, _, err := s.readAll(q.id, seg)
		if err != nil && !isDamage(err) {
			return Page{}, err
		}
		for _, r := range slices.Backward(events) {
			if !(place{seg.start, r.offset}).before(from) || !q.matches(r) {
				continue
			}
			if !b.add(seg.start, r) {
				page.More = true
				break
			}
		}
		if page.More {
			break
		}
	}
	page.Events, page.Backward = b.events, b.last.token(q.id)
	return page, nil
}

// Follow gives the events from the query's token on, or with no token those
// that are written from now on, and waits for more. It ends with an error:
// ctx's, ErrClosed when the store has been closed, or one as Read's. Limit and
// Descending have no meaning. A slow reader delays nobody; what is deleted
// before it gets there it does not see.
func (s *Store) Follow(ctx context.Context, q Query) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		from, err := q.prepare()
		if err == nil && q.Token == "" {
			from, err = s.end(ctx, q.id)
		}
		trusted := q.Token == ""
		for err == nil {
			changed := s.changes()
			wanted := true
			from, err = s.walk(ctx, &q, from, trusted, func(start int64, r record) bool {
				wanted = yield(Event{
					Token: place{start, r.offset}.token(q.id), Stream: string(r.stream), Message: string(r.message),
					Timestamp: r.timestamp, Ingestion: r.ingestion,
				}, nil)
				return wanted
			})
			if !wanted {
				return
			}
			trusted = true
			if err == nil {
				err = s.wait(ctx, changed)
			}
		}
		yield(Event{}, err)
	}
}

// end is the place behind what has been appended to a group.
func (s *Store) end(ctx context.Context, id groupID) (place, error) {
	if err := s.Flush(ctx); err != nil {
		return place{}, err
	}
	segs := s.segments(id)
	if len(segs) == 0 {
		return place{}, nil
	}
	last := segs[len(segs)-1]
	return place{last.start, last.size}, nil
}

// changes returns a channel that is closed when lines have been written.
func (s *Store) changes() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

// notify wakes those who wait for lines.
func (s *Store) notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// wait waits for lines. What Close has still written comes before its end.
func (s *Store) wait(ctx context.Context, changed <-chan struct{}) error {
	select {
	case <-changed:
		return nil
	default:
	}
	select {
	case <-changed:
		return nil
	case <-s.done:
		select {
		case <-changed:
			return nil
		default:
			return ErrClosed
		}
	case <-ctx.Done():
		return ctx.Err()
	}
}
