package artifact

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The parts of a zip's end that checkDirectory reads, from APPNOTE.TXT 4.3:
// signatures, and sizes of the fixed parts in bytes.
const (
	headerSignature  = 0x02014b50
	endSignature     = 0x06054b50
	end64Signature   = 0x06064b50
	locatorSignature = 0x07064b50

	headerSize  = 46
	endSize     = 22
	end64Size   = 56
	locatorSize = 20

	maxComment = 1<<16 - 1
)

// checkDirectory counts the entries of the archive before archive/zip reads
// them: that takes some 300 bytes of memory for an entry of 46, believes no
// count, and reads on as long as it finds headers. The archive's directory
// must be exactly where and what its end says.
func checkDirectory(r io.ReaderAt, size int64, maxEntries int) error {
	end, at, err := readEnd(r, size)
	if err != nil {
		return err
	}
	if end.records > uint64(maxEntries) {
		return badZip("it has %d entries, more than %d", end.records, maxEntries)
	}
	if end.size > uint64(at) || end.offset != uint64(at)-end.size {
		return badZip("its directory is not where its end says")
	}
	left := int64(end.size)
	dir := bufio.NewReader(io.NewSectionReader(r, int64(end.offset), left))
	var header [headerSize]byte
	for range end.records {
		if _, err := io.ReadFull(dir, header[:]); err != nil {
			return readError(err)
		}
		if binary.LittleEndian.Uint32(header[:]) != headerSignature {
			return badZip("its directory is broken")
		}
		variable := 0 // name, extra field and comment
		for _, at := range []int{28, 30, 32} {
			variable += int(binary.LittleEndian.Uint16(header[at:]))
		}
		if _, err := dir.Discard(variable); err != nil {
			return readError(err)
		}
		left -= headerSize + int64(variable)
	}
	if left != 0 {
		return badZip("its directory is not as long as its end says")
	}
	return nil
}

// directoryEnd is the end record, of the plain or the 64-bit form.
type directoryEnd struct {
	records, size, offset uint64
}

// readEnd finds the end record and where the directory ends. It looks for the
// record as archive/zip does, so that both find the same one.
func readEnd(r io.ReaderAt, size int64) (end directoryEnd, at int64, err error) {
	tail := make([]byte, min(size, endSize+maxComment))
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return end, 0, fmt.Errorf("read the zip: %w", err)
	}
	signature := binary.LittleEndian.AppendUint32(nil, endSignature)
	// The record is not in the last 21 bytes, whatever these look like.
	i := bytes.LastIndex(tail[:max(0, len(tail)-endSize+len(signature))], signature)
	if i < 0 {
		return end, 0, badZip("it is not a zip archive, or it is cut short")
	}
	record := tail[i:]
	if int(binary.LittleEndian.Uint16(record[20:])) > len(record)-endSize {
		return end, 0, badZip("it is cut short")
	}
	end = directoryEnd{
		records: uint64(binary.LittleEndian.Uint16(record[10:])),
		size:    uint64(binary.LittleEndian.Uint32(record[12:])),
		offset:  uint64(binary.LittleEndian.Uint32(record[16:])),
	}
	at = size - int64(len(tail)) + int64(i)
	return readEnd64(r, end, at)
}

// readEnd64 reads the 64-bit end record if there is one before the plain end
// record, which is at the given place: the directory ends before it.
func readEnd64(r io.ReaderAt, plain directoryEnd, at int64) (directoryEnd, int64, error) {
	if at < locatorSize {
		return plain, at, nil
	}
	var locator [locatorSize]byte
	if _, err := r.ReadAt(locator[:], at-locatorSize); err != nil {
		return plain, 0, readError(err)
	}
	if binary.LittleEndian.Uint32(locator[:]) != locatorSignature ||
		binary.LittleEndian.Uint32(locator[4:]) != 0 || binary.LittleEndian.Uint32(locator[16:]) != 1 {
		return plain, at, nil
	}
	where := binary.LittleEndian.Uint64(locator[8:])
	if at < locatorSize+end64Size || where > uint64(at-locatorSize-end64Size) {
		return plain, 0, badZip("its end is broken")
	}
	var record [end64Size]byte
	if _, err := r.ReadAt(record[:], int64(where)); err != nil {
		return plain, 0, readError(err)
	}
	if binary.LittleEndian.Uint32(record[:]) != end64Signature {
		return plain, 0, badZip("its end is broken")
	}
	// Some programs write it without need. archive/zip's condition for what
	// counts, 0xffff for a size included.
	if plain.records != 0xffff && plain.size != 0xffff && plain.offset != 0xffffffff {
		return plain, int64(where), nil
	}
	return directoryEnd{
		records: binary.LittleEndian.Uint64(record[32:]),
		size:    binary.LittleEndian.Uint64(record[40:]),
		offset:  binary.LittleEndian.Uint64(record[48:]),
	}, int64(where), nil
}

// badZip is a fault of the archive.
func badZip(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBadZip, fmt.Sprintf(format, args...))
}

// readError tells an archive that ends too early from a file that cannot be
// read.
func readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badZip("it is cut short")
	}
	return fmt.Errorf("read the zip: %w", err)
}
