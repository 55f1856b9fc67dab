package gateway

import (
	"sync"

	"github.com/lambhq/lamb/internal/poison"
)

// bufferPool is the memory of bodies that are not spooled, in a few sizes, so
// that a small request does not keep a large buffer alive.
type bufferPool struct {
	classes [6]bufferClass
	poison  bool // overwrite what comes back, for tests
}

type bufferClass struct {
	size int64
	pool sync.Pool // of *[]byte with capacity size
}

func newBufferPool() *bufferPool {
	p := &bufferPool{poison: poison.Always}
	for i, size := range [...]int64{4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 8 << 20} {
		p.classes[i].size = size
	}
	return p
}

// get returns a buffer with room for at least n bytes.
func (p *bufferPool) get(n int64) *[]byte {
	for i := range p.classes {
		c := &p.classes[i]
		if n > c.size {
			continue
		}
		if b, ok := c.pool.Get().(*[]byte); ok {
			return b
		}
		b := make([]byte, 0, c.size)
		return &b
	}
	b := make([]byte, 0, 2*n)
	return &b
}

// put takes a buffer back; nobody may use it any more.
func (p *bufferPool) put(b *[]byte) {
	if p.poison {
		poison.Fill((*b)[:cap(*b)])
	}
	for i := range p.classes {
		if c := &p.classes[i]; int64(cap(*b)) == c.size {
			c.pool.Put(b)
			return
		}
	}
}
