package execenv

import (
	"bytes"
	"testing"

	"github.com/lambhq/lamb/internal/envapi"
)

// TestBuffered writes responses of sizes around every buffer's, by Write and in
// place, with lengths that are known, wrong and unknown.
func TestBuffered(t *testing.T) {
	all := bytes.Repeat([]byte("0123456789abcdef"), envapi.MaxPayload/16+1)
	sizes := []int{0, 1}
	for _, s := range bufferSizes {
		sizes = append(sizes, s-1, s)
	}
	for _, size := range sizes {
		for _, length := range []int64{-1, 1, int64(size), envapi.MaxPayload + 1} {
			for _, inPlace := range []bool{false, true} {
				b := Buffered{}.Begin(envapi.Header{ContentLength: length})
				for rest := all[:size]; len(rest) > 0; {
					n := copy(b.(envapi.Roomy).Room(), rest[:min(len(rest), 100_000)])
					if inPlace && n > 0 {
						b.(envapi.Roomy).Filled(n)
					} else {
						n = min(len(rest), 100_000)
						if err := b.Write(rest[:n]); err != nil {
							t.Fatalf("size %d, length %d: %v", size, length, err)
						}
					}
					rest = rest[n:]
				}
				o := b.Commit(envapi.Trailer{})
				if !bytes.Equal(o.Payload, all[:size]) {
					t.Errorf("size %d, length %d, in place %v: payload has %d bytes or others", size, length, inPlace, len(o.Payload))
				}
				if cap(o.Payload) > envapi.MaxPayload {
					t.Errorf("size %d, length %d: buffer of %d bytes", size, length, cap(o.Payload))
				}
				o.Release()
			}
		}
	}
}

// TestBufferedTooLarge: there is never room for more than a response may have.
func TestBufferedTooLarge(t *testing.T) {
	b := Buffered{}.Begin(envapi.Header{ContentLength: envapi.MaxPayload})
	room := b.(envapi.Roomy).Room()
	if len(room) != envapi.MaxPayload {
		t.Fatalf("room for %d bytes, want %d", len(room), envapi.MaxPayload)
	}
	b.(envapi.Roomy).Filled(len(room))
	if n := len(b.(envapi.Roomy).Room()); n != 0 {
		t.Errorf("room for %d bytes more", n)
	}
	if err := b.Write([]byte("x")); err != envapi.ErrPayloadTooLarge {
		t.Errorf("Write over the limit = %v", err)
	}
	b.Discard()
}
