// Package trace makes and reads X-Ray trace headers, and the causes of errors
// that runtimes report for X-Ray. Lamb sends no segments: what functions send
// themselves fits together, because the header that they get goes on from the
// caller's. All but Tracer is pure.
package trace

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
)

// Header is an X-Ray trace header.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html
type Header struct {
	Root     string // "1-", 8 hexadecimal digits, "-", 24 more
	Parent   string // the segment's id, 16 hexadecimal digits; empty if not given
	Sampling Sampling
	// Lineage counts the hops of a chain of invocations; empty if not given.
	Lineage string
	// Other has further fields as they were given ("Self=1-2;Key=Value"), or is
	// empty.
	Other string
}

// Sampling says whether a trace is recorded.
type Sampling int8

// The decisions.
const (
	Undecided Sampling = iota
	NotSampled
	Sampled
)

// maxHeader bounds what is read of a client's header: what the service model
// says of trace headers elsewhere.
const maxHeader = 8192

// Parse reads a trace header. It is false for one that cannot be passed on:
// without a root of X-Ray's form, not printable, or overlong. Fields may come
// in any order. A parent or a decision that is not of X-Ray's form counts as
// not given; of a field that comes twice the first counts.
func Parse(s string) (Header, bool) {
	if len(s) > maxHeader || !printable(s) {
		return Header{}, false
	}
	var h Header
	var other strings.Builder
	for field := range strings.SplitSeq(s, ";") {
		field = strings.TrimSpace(field)
		name, value, _ := strings.Cut(field, "=")
		switch {
		case strings.EqualFold(name, "Root"):
			setOnce(&h.Root, value, isRoot(value))
		case strings.EqualFold(name, "Parent"):
			setOnce(&h.Parent, value, isSegment(value))
		case strings.EqualFold(name, "Lineage"):
			setOnce(&h.Lineage, value, true)
		case strings.EqualFold(name, "Sampled"):
			if h.Sampling == Undecided {
				h.Sampling = decision(value)
			}
		case field != "":
			if other.Len() > 0 {
				other.WriteByte(';')
			}
			other.WriteString(field)
		}
	}
	h.Other = other.String()
	return h, h.Root != ""
}

func setOnce(to *string, value string, valid bool) {
	if *to == "" && valid {
		*to = value
	}
}

// decision reads the value of Sampled; "?" asks for one.
func decision(value string) Sampling {
	switch value {
	case "0":
		return NotSampled
	case "1":
		return Sampled
	}
	return Undecided
}

// String is the header's usual form; what is not given is left out.
func (h Header) String() string {
	var b strings.Builder
	b.Grow(len("Root=;Parent=;Sampled=1;Lineage=;") + len(h.Root) + len(h.Parent) + len(h.Lineage) + len(h.Other))
	b.WriteString("Root=")
	b.WriteString(h.Root)
	if h.Parent != "" {
		b.WriteString(";Parent=")
		b.WriteString(h.Parent)
	}
	switch h.Sampling {
	case NotSampled:
		b.WriteString(";Sampled=0")
	case Sampled:
		b.WriteString(";Sampled=1")
	case Undecided:
	}
	if h.Lineage != "" {
		b.WriteString(";Lineage=")
		b.WriteString(h.Lineage)
	}
	if h.Other != "" {
		b.WriteByte(';')
		b.WriteString(h.Other)
	}
	return b.String()
}

// newHeader begins a trace, with the id of a segment.
func newHeader(now time.Time) Header {
	var id [20]byte
	_, _ = rand.Read(id[:]) // never fails
	// In one string, because most invocations come without a header of their own.
	b := append(make([]byte, 0, rootLength+segmentLength), "1-"...)
	b = hex.AppendEncode(b, binary.BigEndian.AppendUint32(nil, uint32(now.Unix())))
	b = hex.AppendEncode(append(b, '-'), id[:12])
	ids := string(hex.AppendEncode(b, id[12:]))
	return Header{Root: ids[:rootLength], Parent: ids[rootLength:]}
}

// newSegment makes the id of a segment.
func newSegment() string {
	var id [segmentLength / 2]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

const (
	rootLength    = len("1-5f84c7a2-0123456789abcdef01234567")
	segmentLength = 16
)

func isRoot(s string) bool {
	return len(s) == rootLength && s[:2] == "1-" && isHex(s[2:10]) && s[10] == '-' && isHex(s[11:])
}

func isSegment(s string) bool { return len(s) == segmentLength && isHex(s) }

func isHex(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20 // capitals become small letters; digits stay
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') || s[i] < '0' {
			return false
		}
	}
	return true
}

// printable reports whether s can go into a header of the Runtime API, where a
// line feed would begin another one.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
