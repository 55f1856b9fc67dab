package telemetry

import "time"

// eventBytes is about what an event takes beside its variable parts.
const eventBytes = 256

// backlog is what has happened before a subscription. The Hub's lock guards it.
type backlog struct {
	events []stamped
	bytes  int
	// lost counts what found no room, for the subscribers that would have
	// wanted it: by category, whose bit is the index.
	lost [allCategories + 1]loss
}

type stamped struct {
	at time.Time
	e  Event
}

// loss is what was dropped and not yet told.
type loss struct{ records, bytes int64 }

func (l *loss) add(m loss) {
	l.records += m.records
	l.bytes += m.bytes
}

func (b *backlog) add(at time.Time, e Event, room int) {
	size := eventBytes + e.size()
	if b.bytes+size > room {
		b.lost[e.category()].add(loss{1, int64(e.size())})
		return
	}
	b.bytes += size
	b.events = append(b.events, stamped{at, e.keep()})
}

// replay offers a subscriber what it has missed of the categories.
func (b *backlog) replay(s *subscriber, missed Category) {
	for _, one := range b.events {
		if one.e.category()&missed != 0 {
			s.offer(one.at, one.e)
		}
	}
	for _, c := range categories {
		if c.bit&missed != 0 {
			s.lost[tooSlow].add(b.lost[c.bit])
		}
	}
}
