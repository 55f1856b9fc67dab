// Package trace makes and reads X-Ray trace headers.
package trace

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// New returns a header value for a request that came without one: a fresh
// root and parent, not sampled.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html
func New(now time.Time) string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("Root=1-%08x-%s;Parent=%s;Sampled=0", uint32(now.Unix()), hex.EncodeToString(b[:12]), hex.EncodeToString(b[12:]))
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
