package wire

import (
	"bytes"
	"io"
	"strconv"
)

const (
	// maxChunkLine is how long a line of the chunked encoding may be, in bytes.
	maxChunkLine = 4 << 10
	// maxGap is how many bytes may lie between what has been decoded and what
	// has not.
	maxGap = 64 << 10
)

// readChunks decodes a chunked body in place: it moves each chunk's data to
// the end of what has been decoded before, over the lines in between.
func (r *Response) readChunks(src io.Reader, start int) error {
	at, end := start, start // where the next line begins, and the body ends so far
	for {
		line, next, err := r.line(src, at)
		if err != nil {
			return err
		}
		size, err := chunkSize(line)
		if err != nil {
			return err
		}
		if size == 0 {
			return r.trailers(src, next, start, end)
		}
		if end-start+size > MaxBody {
			return errBig
		}
		if err := r.fillTo(src, next+size+2); err != nil {
			return err
		}
		if string(r.buf[next+size:next+size+2]) != "\r\n" {
			return errChunk
		}
		copy(r.buf[end:], r.buf[next:next+size])
		end, at = end+size, next+size+2
		if at-end > maxGap {
			// What has come already of the next chunks moves up, too, so that the
			// buffer does not grow by the lines between many small chunks.
			rest := copy(r.buf[end:], r.buf[at:])
			r.buf, at = r.buf[:end+rest], end
		}
	}
}

// line is the line that begins at a position, without its end, and where the
// next one begins.
func (r *Response) line(src io.Reader, at int) (line []byte, next int, err error) {
	for {
		if i := bytes.Index(r.buf[at:], []byte("\r\n")); i >= 0 {
			return r.buf[at : at+i], at + i + 2, nil
		}
		if len(r.buf)-at > maxChunkLine {
			return nil, 0, errChunk
		}
		if err := r.fill(src, firstBuffer); err != nil {
			return nil, 0, err
		}
	}
}

// chunkSize reads the line in front of a chunk; extensions are ignored.
func chunkSize(line []byte) (int, error) {
	digits, _, _ := bytes.Cut(line, []byte(";"))
	size, err := strconv.ParseUint(string(bytes.TrimRight(digits, " \t")), 16, 31)
	if err != nil {
		return 0, errChunk
	}
	return int(size), nil
}

// trailers skips what follows the last chunk of a body from start to end.
func (r *Response) trailers(src io.Reader, at, start, end int) error {
	for range maxFields {
		line, next, err := r.line(src, at)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			r.Body = r.buf[start:end:end]
			r.ends(next)
			return nil
		}
		at = next
	}
	return errChunk
}
