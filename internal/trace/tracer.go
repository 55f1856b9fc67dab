package trace

import (
	"hash/maphash"
	"math/rand/v2"
	"sync/atomic"

	"github.com/lambhq/lamb/internal/clock"
)

// Tracer gives invocations their trace headers. It may be used from several
// goroutines.
type Tracer struct {
	clock clock.Clock
	// chance is a random number from 0 to 1; tests replace it.
	chance func() float64
	seed   maphash.Seed
	// sampled has the second, in Unix time, in which a function had its sample
	// of that second. Functions share places where their hashes meet: the table
	// must not grow with the names that have ever been used.
	sampled [1024]atomic.Int64
}

// sampleRate is how many invocations are sampled beyond the first of a second.
const sampleRate = 0.05

// NewTracer makes a Tracer; a nil clock is the system's.
func NewTracer(c clock.Clock) *Tracer {
	if c == nil {
		c = clock.System
	}
	return &Tracer{clock: c, chance: rand.Float64, seed: maphash.MakeSeed()}
}

// Context is the place of an invocation in a trace.
type Context struct {
	// Header is the trace header that the function gets.
	Header string
	// Segment is the id of the invocation's own segment, which is Header's parent;
	// empty with tracing mode PassThrough, which makes none.
	Segment string
	// Caller is the id of the segment that the invocation's own is part of: the
	// client's or, where that named none, one that stands for the service's. Empty
	// without Segment.
	Caller string
}

// PassThrough is for an invocation of a function with tracing mode PassThrough:
// the header is the client's, with what it lacks. Without a client's header, or
// with one that Parse refuses, it begins a trace that is not sampled.
func (t *Tracer) PassThrough(client string) Context {
	h := t.from(client)
	if h.Sampling == Undecided {
		h.Sampling = NotSampled
	}
	return Context{Header: h.String()}
}

// Active is for an invocation of a function with tracing mode Active: the
// header's parent is the invocation's own segment, and where the client did not
// decide, the first invocation of a second is sampled and a twentieth of the
// others. function is any name that differs between functions.
func (t *Tracer) Active(client, function string) Context {
	h := t.from(client)
	if h.Sampling == Undecided {
		h.Sampling = t.decide(function)
	}
	caller := h.Parent
	h.Parent = newSegment()
	return Context{Header: h.String(), Segment: h.Parent, Caller: caller}
}

// from is the client's header with a parent, or a new one.
func (t *Tracer) from(client string) Header {
	if client != "" {
		if h, ok := Parse(client); ok {
			if h.Parent == "" {
				h.Parent = newSegment()
			}
			return h
		}
	}
	return newHeader(t.clock.Now())
}

func (t *Tracer) decide(function string) Sampling {
	place := &t.sampled[maphash.String(t.seed, function)%uint64(len(t.sampled))]
	now := t.clock.Now().Unix()
	if last := place.Load(); last != now && place.CompareAndSwap(last, now) || t.chance() < sampleRate {
		return Sampled
	}
	return NotSampled
}
