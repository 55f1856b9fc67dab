package execenv

import (
	"bytes"
	"encoding/binary"
	"time"
)

// logDescriptor is where runtimes write framed log events, which so keep their
// line breaks and their times; the variable tells them. It is for the runtimes
// that AWS manages, not for custom ones (docs/design/004-environment.md).
const (
	logDescriptor         = 62
	logDescriptorVariable = "_LAMBDA_TELEMETRY_LOG_FD"
)

// A frame is 4 bytes for its type, 4 for the length of its message, 8 for its
// time in microseconds since 1970 if the type has one, and the message. All
// numbers are big-endian. The type is frameMagic and a byte of flags: bit 0 for a text
// instead of JSON, bit 1 for a time, above them the level, which JSON has too.
const (
	frameTimed = 2

	// maxFrame bounds a message: what says that it is longer is no frame. It is
	// above what AWS keeps of one event.
	maxFrame = 1 << 20
	// maxFrameAge is how long ago an event may have happened.
	maxFrameAge = time.Minute
)

// frameMagic is in no text: UTF-8 has its first byte only after another one, and
// its third is zero.
var frameMagic = [...]byte{0xa5, 0x5a, 0x00}

// frame is a frame of which a part has come.
type frame struct {
	head [16]byte
	have int // bytes of head
	left int // bytes of the message, once the head is whole
}

// size is the length of the head, as far as it is known; zero means that this
// is no frame.
func (f *frame) size() int {
	for i := range min(f.have, 3) {
		if f.head[i] != frameMagic[i] {
			return 0
		}
	}
	switch {
	case f.have < 4:
		return 4
	case f.head[3]&frameTimed != 0:
		return 16
	}
	return 8
}

// take takes bytes of the head and returns the rest; whole means that the
// message follows, bad that all that was taken is no head.
func (f *frame) take(p []byte) (rest []byte, whole, bad bool) {
	for len(p) > 0 {
		f.head[f.have] = p[0]
		f.have++
		p = p[1:]
		size := f.size()
		if size == 0 {
			return p, false, true
		}
		if f.have == size && size > 4 {
			f.left = int(binary.BigEndian.Uint32(f.head[4:]))
			return p, true, f.left > maxFrame
		}
	}
	return p, false, false
}

// at is when the event happened: as the frame says, if that can be.
func (f *frame) at(now time.Time) time.Time {
	if f.head[3]&frameTimed == 0 {
		return now
	}
	at := time.UnixMicro(int64(binary.BigEndian.Uint64(f.head[8:])))
	if at.After(now) || now.Sub(at) > maxFrameAge {
		return now
	}
	return at
}

// begins is where a frame begins in p, or may do, or goes on; -1 when all of p
// is text.
func (f *frame) begins(p []byte) int {
	if f.have > 0 {
		return 0
	}
	for at := 0; ; at++ {
		i := bytes.IndexByte(p[at:], frameMagic[0])
		if i < 0 {
			return -1
		}
		at += i
		if n := min(len(frameMagic), len(p)-at); bytes.Equal(p[at:at+n], frameMagic[:n]) {
			return at
		}
	}
}

// noFrame takes what was taken for the head of a frame as what it is: text, but
// for what may be the head of another.
func (s *stream) noFrame() {
	head := *s.frame
	*s.frame = frame{}
	s.writeText(head.head[:1])
	s.write(head.head[1:head.have])
}

// writeFrame takes what belongs to a frame and returns the rest. The book's
// lock is held.
func (s *stream) writeFrame(p []byte) []byte {
	f := s.frame
	if f.left == 0 {
		rest, whole, bad := f.take(p)
		switch {
		case bad:
			s.noFrame()
		case whole && f.left == 0:
			*f = frame{} // an empty message is no event
			s.endLine()
		case whole:
			s.endLine() // of text without a newline
		}
		return rest
	}
	n := min(f.left, len(p), maxLine-len(s.partial))
	s.partial = append(s.partial, p[:n]...)
	f.left -= n
	if f.left == 0 || len(s.partial) >= maxLine {
		s.partial = append(bytes.TrimRight(s.partial, "\n"), '\n')
		s.pass(f.at(s.book.clock.Now()), s.partial)
		s.partial = s.partial[:0]
	}
	if f.left == 0 {
		*f = frame{}
	}
	return p[n:]
}
