package envapi

import "sync"

// Buffer sizes. A connection holds a small buffer while it lives; the large
// one is borrowed while a body or a long head is read.
const (
	smallBuffer = 4 << 10
	largeBuffer = 64 << 10
)

// poisonByte fills a returned buffer in tests, so that a slice which outlives
// its request shows.
const poisonByte = 0xDB

// Buffers is a set of pooled buffers. Share one between the servers of a
// process: an environment's own pool would be empty most of the time.
type Buffers struct {
	small, large sync.Pool
	poison       bool // tests only
}

// NewBuffers returns an empty set.
func NewBuffers() *Buffers {
	return &Buffers{
		small: sync.Pool{New: func() any { return &buffer{b: make([]byte, smallBuffer)} }},
		large: sync.Pool{New: func() any { return &buffer{b: make([]byte, largeBuffer)} }},
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
		b.b[0] = poisonByte
		for n := 1; n < len(b.b); n *= 2 {
			copy(b.b[n:], b.b[:n])
		}
	}
	switch len(b.b) {
	case smallBuffer:
		p.small.Put(b)
	case largeBuffer:
		p.large.Put(b)
	}
}
