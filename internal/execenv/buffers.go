package execenv

import (
	"sync"

	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/poison"
)

// bufferSizes are those of response buffers. The steps are large because each
// costs a copy; the largest is all that a response may have.
var bufferSizes = [...]int{4 << 10, 64 << 10, 256 << 10, 1 << 20, envapi.MaxPayload}

// bufferPools hold idle response buffers by size. A buffer belongs to exactly
// one body, then to the outcome that it became, and returns here when that is
// released. Large ones are kept too: to make one for each answer means to
// clear it, and a collection after every few. The collector empties pools that
// are not used, so that a burst of large answers does not stay in memory.
var bufferPools [len(bufferSizes)]sync.Pool

// newBuffer returns an empty buffer with room for n bytes, at most
// envapi.MaxPayload.
func newBuffer(n int) *[]byte {
	class := 0
	for n > bufferSizes[class] {
		class++
	}
	if b, ok := bufferPools[class].Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, bufferSizes[class])
	return &b
}

// recycle takes a buffer back; nobody may use it any more.
func recycle(buf *[]byte) {
	if poisoned {
		poison.Fill((*buf)[:cap(*buf)])
	}
	for class, size := range bufferSizes {
		if cap(*buf) == size {
			*buf = (*buf)[:0]
			bufferPools[class].Put(buf)
			return
		}
	}
}

// poisoned: every buffer is overwritten when it is released, so that a test
// sees any use after that. Tests switch it on before they start anything.
var poisoned = poison.Always
