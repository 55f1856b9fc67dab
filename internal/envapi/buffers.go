package envapi

import (
	"sync"

	"github.com/lambhq/lamb/internal/poison"
)

// Buffer sizes. A connection holds a small buffer while it lives; the large
// one is borrowed while a body or a long head is read.
const (
	smallBuffer = 4 << 10
	largeBuffer = 64 << 10
)

// Buffers is a set of pooled buffers. Share one between the servers of a
// process: an environment's own pool would be empty most of the time.
type Buffers struct {
	small, large sync.Pool
	poison       bool // overwrite what comes back, for tests
}

// NewBuffers returns an empty set.
func NewBuffers() *Buffers {
	return &Buffers{
		poison: poison.Always,
		small:  sync.Pool{New: func() any { return &buffer{b: make([]byte, smallBuffer)} }},
		large:  sync.Pool{New: func() any { return &buffer{b: make([]byte, largeBuffer)} }},
	}
}

// buffer is a pooled slice; the pointer travels through the pool so that
// returning it allocates nothing.
type buffer struct{ b []byte }

func (p *Buffers) get(size int) *buffer {
	switch {
	case size <= smallBuffer:
		return p.small.Get().(*buffer)
	case size <= largeBuffer:
		return p.large.Get().(*buffer)
	}
	return &buffer{b: make([]byte, size)}
}

// put takes b back. Sizes other than the two are left to the collector: they
// belong to rare requests and would keep megabytes alive.
func (p *Buffers) put(b *buffer) {
	if p.poison {
		poison.Fill(b.b)
	}
	switch len(b.b) {
	case smallBuffer:
		p.small.Put(b)
	case largeBuffer:
		p.large.Put(b)
	}
}
