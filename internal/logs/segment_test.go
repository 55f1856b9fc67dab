package logs

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzSegment: whatever is in a file, reading it ends, stays inside it, gives
// records that encode to the same bytes, and an event cut anywhere is none.
func FuzzSegment(f *testing.F) {
	good := appendPreamble(nil, named("/aws/lambda/f"))
	one := appendEvent(nil, 1, 2, "2026/11/22/[$LATEST]0", []byte("START\n"))
	two := appendEvent(bytes.Clone(one), -1, 1<<62, "", nil)
	for _, seed := range [][]byte{
		nil, []byte(magic), good, append(bytes.Clone(good), one...), append(bytes.Clone(good), two...),
		append(bytes.Clone(good), two[:len(two)-1]...), append(bytes.Clone(good), make([]byte, 64)...),
		append([]byte(magic), 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0),
		append(bytes.Clone(good), seal(append(make([]byte, frameSize+16), 0xff, 0xff), 0)...),
		append(bytes.Clone(good), seal(make([]byte, frameSize), 0)...),
		seal(append([]byte(magic), make([]byte, frameSize)...), len(magic)),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		key, base, err := parsePreamble(b)
		if err != nil {
			if !errors.Is(err, errSegment) {
				t.Fatal(err)
			}
			return
		}
		again := appendPreamble(nil, key)
		if !bytes.Equal(again, b[:base]) {
			t.Fatalf("the preamble %x is read as that of %+v", b[:base], key)
		}
		at := base
		end, err := parseEvents(b[base:], base, func(r record) bool {
			if r.offset != at {
				t.Fatalf("a record at %d follows one that ends at %d", r.offset, at)
			}
			at = r.end
			again = appendEvent(again, r.timestamp, r.ingestion, string(r.stream), r.message)
			return true
		})
		if end != at || !bytes.Equal(again, b[:end]) {
			t.Fatalf("%d bytes were read of %x, they are %x", end, b, again)
		}
		if (err == nil) != (end == int64(len(b))) {
			t.Fatalf("error %v at %d of %d", err, end, len(b))
		}
	})
}
