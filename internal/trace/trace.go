// Package trace makes and reads X-Ray trace headers.
package trace

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
)

// New returns a header value for a request that came without one: a fresh
// root and parent, not sampled.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html
func New(now time.Time) string {
	var id [20]byte
	_, _ = rand.Read(id[:]) // never fails
	// By hand, because most invocations come without a header of their own.
	h := append(make([]byte, 0, 80), "Root=1-"...)
	h = hex.AppendEncode(h, binary.BigEndian.AppendUint32(nil, uint32(now.Unix())))
	h = hex.AppendEncode(append(h, '-'), id[:12])
	h = hex.AppendEncode(append(h, ";Parent="...), id[12:])
	return string(append(h, ";Sampled=0"...))
}

// maxHeader bounds what is passed on of a client's header.
const maxHeader = 512

// FromClient returns a client's header if it can be passed on: it has a Root,
// is printable and not overlong. Otherwise it is empty.
func FromClient(h string) string {
	if len(h) > maxHeader || !strings.Contains(h, "Root=") {
		return ""
	}
	for i := range len(h) {
		if h[i] < 0x20 || h[i] > 0x7e {
			return ""
		}
	}
	return h
}
