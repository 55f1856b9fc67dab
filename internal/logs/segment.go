package logs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Limits of what is kept, in bytes.
const (
	// MaxMessage bounds a message; the rest of a longer one is cut off.
	MaxMessage = 256 << 10
	// MaxName bounds the names of groups and streams.
	MaxName = 512

	magic       = "lamblog1"
	frameSize   = 8                                    // length and checksum
	eventSize   = 8 + 8 + 2                            // times and the stream name's length
	maxRecord   = eventSize + MaxName + MaxMessage     // without the frame
	maxIdentity = 4 * (2 + MaxName)                    // of the first record
	maxPreamble = len(magic) + frameSize + maxIdentity // what a segment has before its events
)

// errSegment says that a file is no segment, or not to its end.
var errSegment = errors.New("log segment is damaged")

// checksum is CRC-32C. Its table is made when it is first asked for: a package
// variable would be made in every start of every command.
func checksum(content []byte) uint32 {
	return crc32.Checksum(content, crc32.MakeTable(crc32.Castagnoli))
}

// record is one event as it is in a segment. Its bytes are the segment's.
type record struct {
	offset, end int64 // its place in the segment, frame included
	timestamp   int64 // ms since 1970
	ingestion   int64 // ms since 1970
	stream      []byte
	message     []byte
}

// appendEvent appends an event's record.
func appendEvent(dst []byte, timestamp, ingestion int64, stream string, message []byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, frameSize)...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(timestamp))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(ingestion))
	dst = appendName(dst, stream)
	dst = append(dst, message...)
	return seal(dst, start)
}

// appendPreamble appends what a new segment begins with.
func appendPreamble(dst []byte, g Group) []byte {
	dst = append(dst, magic...)
	start := len(dst)
	dst = append(dst, make([]byte, frameSize)...)
	for _, name := range []string{g.Partition, g.Account, g.Region, g.Name} {
		dst = appendName(dst, name)
	}
	return seal(dst, start)
}

func appendName(dst []byte, name string) []byte {
	return append(binary.LittleEndian.AppendUint16(dst, uint16(len(name))), name...)
}

// seal fills the frame of the record that begins at start.
func seal(b []byte, start int) []byte {
	content := b[start+frameSize:]
	binary.LittleEndian.PutUint32(b[start:], uint32(len(content)))
	binary.LittleEndian.PutUint32(b[start+4:], checksum(content))
	return b
}

// unseal returns the content of the record at the beginning of b, which must
// be whole and not longer than limit.
func unseal(b []byte, limit int) ([]byte, error) {
	if len(b) < frameSize {
		return nil, errSegment
	}
	n := uint64(binary.LittleEndian.Uint32(b))
	if n > uint64(limit) || n > uint64(len(b)-frameSize) {
		return nil, errSegment
	}
	content := b[frameSize : frameSize+n]
	if checksum(content) != binary.LittleEndian.Uint32(b[4:]) {
		return nil, errSegment
	}
	return content, nil
}

func cutName(b []byte) (name, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, errSegment
	}
	n := int(binary.LittleEndian.Uint16(b))
	if n > MaxName || n > len(b)-2 {
		return nil, nil, errSegment
	}
	return b[2 : 2+n], b[2+n:], nil
}

// parsePreamble reads a segment's beginning: whose it is, and where its
// events begin.
func parsePreamble(b []byte) (Group, int64, error) {
	if len(b) < len(magic) || string(b[:len(magic)]) != magic {
		return Group{}, 0, errSegment
	}
	content, err := unseal(b[len(magic):], maxIdentity)
	if err != nil {
		return Group{}, 0, err
	}
	var g Group
	rest := content
	for _, to := range []*string{&g.Partition, &g.Account, &g.Region, &g.Name} {
		var name []byte
		if name, rest, err = cutName(rest); err != nil {
			return Group{}, 0, err
		}
		*to = string(name)
	}
	if len(rest) > 0 {
		return Group{}, 0, errSegment
	}
	return g, int64(len(magic) + frameSize + len(content)), nil
}

// parseEvents calls visit with the events in b, which is a segment from the
// offset base on, until visit returns false. It returns where it stopped: at
// the record that visit did not want, or behind the last whole one. The error
// says that something is behind it that is none.
func parseEvents(b []byte, base int64, visit func(record) bool) (int64, error) {
	for pos := 0; pos < len(b); {
		content, err := unseal(b[pos:], maxRecord)
		if err != nil || len(content) < eventSize {
			return base + int64(pos), fmt.Errorf("%w at byte %d", errSegment, base+int64(pos))
		}
		stream, message, err := cutName(content[16:])
		if err != nil {
			return base + int64(pos), fmt.Errorf("%w at byte %d", errSegment, base+int64(pos))
		}
		end := pos + frameSize + len(content)
		if !visit(record{
			offset: base + int64(pos), end: base + int64(end),
			timestamp: int64(binary.LittleEndian.Uint64(content)),
			ingestion: int64(binary.LittleEndian.Uint64(content[8:])),
			stream:    stream, message: message,
		}) {
			return base + int64(pos), nil
		}
		pos = end
	}
	return base + int64(len(b)), nil
}
