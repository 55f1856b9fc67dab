package telemetry

import (
	"context"
	"time"
)

// subscriber is one destination of one extension: a bounded queue of batches
// and, in deliver.go, the goroutine that owns their delivery.
type subscriber struct {
	hub         *Hub
	extension   string
	destination Destination
	kick        chan struct{} // holds one when the owner should look again

	// The Hub's lock guards what follows.
	settings Subscription
	queue    []*batch // the last one may be open
	queued   int      // bytes in queue
	spare    []byte   // a buffer to use again
	lost     [reasons]loss
	added    int64         // records ever queued
	done     int64         // records delivered or given up
	progress chan struct{} // closed when done grows, then made anew
}

// batch is the body of a request: for HTTP an array, without its closing
// bracket while open; for TCP lines.
type batch struct {
	data   []byte
	items  int
	since  time.Time // when the first event was queued
	sealed bool      // full, or to be sent now
}

// The reasons for drops.
const (
	tooSlow        = iota // no room in the queue
	unacknowledged        // sent in vain too often
	reasons
)

var reasonTexts = [reasons]string{
	tooSlow:        "Some logs were dropped because the downstream consumer is slower than the logs production rate",
	unacknowledged: "Consumer seems to have fallen behind as it has not acknowledged receipt of logs.",
}

// QueueFactor times its maxBytes is what a subscriber's queue takes. The batch
// that is under way comes on top, with at most twice maxBytes.
const QueueFactor = 4

// spareBytes bounds the buffer that a subscriber keeps while it is not busy.
const spareBytes = 64 << 10

func newSubscriber(h *Hub, extension string, d Destination) *subscriber {
	return &subscriber{
		hub: h, extension: extension, destination: d,
		kick: make(chan struct{}, 1), progress: make(chan struct{}),
	}
}

// offer queues the event if the subscriber wants it and there is room. The
// Hub's lock is held.
func (s *subscriber) offer(at time.Time, e Event) {
	if s.settings.Types&e.category() == 0 {
		return
	}
	h := s.hub
	record, ok := Append(h.scratch[:0], s.settings.Schema, at, e)
	if !ok {
		return
	}
	h.scratch = record
	if cap(h.scratch) > spareBytes {
		h.scratch = nil
	}
	limit := s.settings.Buffering.MaxBytes
	room := min(2*limit, QueueFactor*limit-s.queued, h.cfg.MaxBytes-h.held)
	if len(record) > room {
		s.lost[tooSlow].add(loss{1, int64(len(record))})
		h.total.Dropped++
		return
	}
	s.confess(at, tooSlow)
	s.confess(at, unacknowledged)
	s.put(record)
}

// confess queues a platform.logsDropped for what was dropped for the reason
// since the last one. It needs no room: there is at most one of each reason per
// accepted event, batch or flush.
func (s *subscriber) confess(at time.Time, reason int) {
	lost := s.lost[reason]
	if lost.records == 0 {
		return
	}
	s.lost[reason] = loss{}
	record, _ := Append(nil, s.settings.Schema, at, LogsDropped{
		Reason: reasonTexts[reason], DroppedRecords: lost.records, DroppedBytes: lost.bytes,
	})
	s.put(record)
}

// put queues an encoded event.
func (s *subscriber) put(record []byte) {
	limits := s.settings.Buffering
	b := s.openBatch()
	if b != nil && len(b.data)+len(record) > 2*limits.MaxBytes {
		b.sealed = true // AWS sends at most twice maxBytes in a request
		b = nil
	}
	if b == nil {
		b = &batch{data: s.spare, since: s.hub.cfg.Clock.Now()}
		s.spare = nil
		s.queue = append(s.queue, b)
		s.wake() // the owner waits for its timeout
	}
	before := len(b.data)
	b.add(s.destination.Protocol, record)
	s.queued += len(b.data) - before
	s.hub.held += len(b.data) - before
	s.added++
	if b.items >= limits.MaxItems || len(b.data) >= limits.MaxBytes {
		b.sealed = true
		s.wake()
	}
}

// openBatch is the batch that takes more events, or nil.
func (s *subscriber) openBatch() *batch {
	if n := len(s.queue); n > 0 && !s.queue[n-1].sealed {
		return s.queue[n-1]
	}
	return nil
}

func (b *batch) add(p Protocol, record []byte) {
	switch {
	case p == TCP:
		b.data = append(append(b.data, record...), '\n')
	case b.items == 0:
		b.data = append(append(b.data, '['), record...)
	default:
		b.data = append(append(b.data, ','), record...)
	}
	b.items++
}

// wake makes the owner look again. The Hub's lock is held.
func (s *subscriber) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// flushLocked makes everything that is queued due, losses included.
func (s *subscriber) flushLocked() {
	now := s.hub.cfg.Clock.Now()
	s.confess(now, tooSlow)
	s.confess(now, unacknowledged)
	if b := s.openBatch(); b != nil {
		b.sealed = true
	}
	s.wake()
}

// discardLocked forgets the queue.
func (s *subscriber) discardLocked() {
	s.hub.held -= s.queued
	s.queue, s.queued = nil, 0
}

// await waits until the first target records are done with.
func (s *subscriber) await(ctx, life context.Context, target int64) error {
	for {
		s.hub.mu.Lock()
		reached, progress := s.done >= target, s.progress
		s.hub.mu.Unlock()
		if reached {
			return nil
		}
		select {
		case <-progress:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-life.Done():
			return ErrClosed
		}
	}
}

// take returns the first batch if it is due, or else how long until it will
// be; zero when only a kick can change anything.
func (s *subscriber) take() (b *batch, wait time.Duration) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	select {
	case <-s.kick: // what it tells of is seen now
	default:
	}
	if s.hub.paused || len(s.queue) == 0 {
		return nil, 0
	}
	b = s.queue[0]
	if !b.sealed {
		now := s.hub.cfg.Clock.Now()
		if wait = b.since.Add(s.settings.Buffering.Timeout).Sub(now); wait > 0 {
			return nil, wait
		}
		b.sealed = true
	}
	s.queue[0] = nil
	s.queue = s.queue[1:]
	s.queued -= len(b.data) // still held
	// Not for what was sent in vain: to a subscriber that is gone, telling of a
	// loss is the next loss, without end.
	s.confess(s.hub.cfg.Clock.Now(), tooSlow)
	return b, 0
}

// finish accounts for a batch that was taken with so many bytes; left of its
// records were given up.
func (s *subscriber) finish(b *batch, bytes int, lost loss) {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held -= bytes
	h.total.Delivered += int64(b.items) - lost.records
	h.total.Dropped += lost.records
	s.lost[unacknowledged].add(lost)
	s.done += int64(b.items)
	close(s.progress)
	s.progress = make(chan struct{})
	if s.spare == nil && (cap(b.data) <= spareBytes || s.queued > 0) {
		s.spare = b.data[:0]
	}
}
