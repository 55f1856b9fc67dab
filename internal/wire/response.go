package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

const (
	// maxHead is how long the head of an answer may be, in bytes. An event's
	// client context, up to 3,583 bytes of base64, is in there.
	maxHead = 64 << 10
	// MaxBody is how long the body of an answer may be, in bytes: an event is
	// at most 6 MB, so ten times what comes.
	MaxBody = 64 << 20
	// firstBuffer holds the head and the body of nearly every answer.
	firstBuffer = 4 << 10
	// maxFields is how many header fields an answer may have.
	maxFields = 128
)

// errors of answers that are not HTTP/1.1 as the APIs speak it.
var (
	errHead     = errors.New("the API's answer has no valid HTTP/1.1 head")
	errBig      = fmt.Errorf("the API's answer is larger than %d bytes", MaxBody)
	errChunk    = errors.New("the API's answer has an invalid chunk")
	errEncoding = errors.New("the API's answer has an unknown transfer encoding")
	errLength   = errors.New("the API's answer has an invalid Content-Length")
)

// Response is an answer. Its buffer is used again by the next request that
// gets the same Response; until then what Body and Header return is valid.
type Response struct {
	Status int
	// Body is without its transfer encoding.
	Body []byte
	// Repeated tells that the request was sent twice, the first time without
	// any answer: the server may have acted on the first.
	Repeated bool
	// Close tells that the connection was closed after this answer.
	Close bool

	buf    []byte // all that was read
	fields []field
}

// field is a header field, as positions in buf.
type field struct{ name, colon, end int }

func (r *Response) reset() {
	r.Status, r.Body, r.Repeated, r.Close = 0, nil, false, false
	r.buf, r.fields = r.buf[:0], r.fields[:0]
}

// begun tells whether any byte of the answer has come.
func (r *Response) begun() bool { return len(r.buf) > 0 }

// Header is the value of a field, name in any case; nil if there is none, or
// an empty one.
func (r *Response) Header(name string) []byte {
	for _, f := range r.fields {
		if f.colon-f.name == len(name) && equalFold(r.buf[f.name:f.colon], name) {
			return bytes.Trim(r.buf[f.colon+1:f.end], " \t")
		}
	}
	return nil
}

// equalFold compares ASCII without case; both have the same length.
func equalFold(b []byte, s string) bool {
	for i := range len(s) {
		if x, y := b[i], s[i]; x != y && (x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z') {
			return false
		}
	}
	return true
}

// read reads one answer. Interim answers (1xx) are skipped.
func (r *Response) read(src io.Reader) error {
	for {
		end, err := r.readHead(src)
		if err != nil {
			return err
		}
		if err := r.parse(end); err != nil {
			return err
		}
		if r.Status >= 200 {
			return r.readBody(src, end)
		}
		r.buf, r.fields = append(r.buf[:0], r.buf[end:]...), r.fields[:0]
	}
}

// readHead reads until the buffer has a whole head, and returns its length.
func (r *Response) readHead(src io.Reader) (int, error) {
	for from := 0; ; {
		if i := bytes.Index(r.buf[from:], []byte("\r\n\r\n")); i >= 0 {
			return from + i + 4, nil
		}
		from = max(0, len(r.buf)-3)
		if len(r.buf) >= maxHead {
			return 0, errHead
		}
		if err := r.fill(src, firstBuffer); err != nil {
			return 0, err
		}
	}
}

// fillTo reads until the buffer holds n bytes. What was promised gets memory
// as it comes: at most twice what is there, or a megabyte.
func (r *Response) fillTo(src io.Reader, n int) error {
	for len(r.buf) < n {
		if err := r.fill(src, min(n-len(r.buf), max(len(r.buf), 1<<20))); err != nil {
			return err
		}
	}
	return nil
}

// fill reads once into the free part of the buffer, which is made to have at
// least one byte, and as many as least when it has to be made anew.
func (r *Response) fill(src io.Reader, least int) error {
	if len(r.buf) == cap(r.buf) {
		r.buf = slices.Grow(r.buf, least)
	}
	n, err := src.Read(r.buf[len(r.buf):cap(r.buf)])
	r.buf = r.buf[:len(r.buf)+n]
	if n > 0 {
		return nil // an error comes again with the next read
	}
	if err == nil {
		return io.ErrNoProgress
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parse reads the status line and the fields of the head, which ends at end.
func (r *Response) parse(end int) error {
	head := r.buf[:end-2] // every line ends with CRLF
	line := head[:bytes.Index(head, []byte("\r\n"))]
	if len(line) < 12 || string(line[:7]) != "HTTP/1." || line[8] != ' ' || len(line) > 12 && line[12] != ' ' || hasBreak(line) {
		return errHead
	}
	status, err := strconv.ParseUint(string(line[9:12]), 10, 16)
	if err != nil || status < 100 || line[7] != '0' && line[7] != '1' {
		return errHead
	}
	r.Status = int(status)
	for at := len(line) + 2; at < len(head); {
		line := head[at : at+bytes.Index(head[at:], []byte("\r\n"))]
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || !isToken(line[:colon]) || hasBreak(line) || len(r.fields) == maxFields {
			return errHead
		}
		r.fields = append(r.fields, field{at, at + colon, at + len(line)})
		at += len(line) + 2
	}
	if line[7] == '0' && r.Header("Transfer-Encoding") != nil {
		return errEncoding // which HTTP/1.0 does not have: where such a body ends, readers do not agree
	}
	r.Close = line[7] == '0' || equalFoldBytes(r.Header("Connection"), "close")
	return nil
}

// hasBreak tells whether other parsers may see more than one line in b.
func hasBreak(b []byte) bool { return bytes.IndexByte(b, '\n') >= 0 || bytes.IndexByte(b, '\r') >= 0 }

// isToken tells whether b can be the name of a header field (RFC 9110, 5.6.2).
func isToken(b []byte) bool {
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'z':
		case bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0:
		default:
			return false
		}
	}
	return true
}

func equalFoldBytes(b []byte, s string) bool { return len(b) == len(s) && equalFold(b, s) }

// readBody reads the body that follows a head which ends at end.
func (r *Response) readBody(src io.Reader, end int) error {
	if r.Status == 204 || r.Status == 304 {
		r.ends(end)
		return nil
	}
	if encoding := r.Header("Transfer-Encoding"); encoding != nil {
		if !equalFoldBytes(encoding, "chunked") {
			return errEncoding
		}
		return r.readChunks(src, end)
	}
	length := r.Header("Content-Length")
	if length == nil {
		return r.readToEnd(src, end)
	}
	n, err := strconv.ParseUint(string(length), 10, 63)
	switch {
	case err != nil:
		return errLength
	case n > MaxBody:
		return errBig
	}
	whole := end + int(n)
	if err := r.fillTo(src, whole); err != nil {
		return err
	}
	r.Body = r.buf[end:whole:whole]
	r.ends(whole)
	return nil
}

// readToEnd takes all until the server closes as the body.
func (r *Response) readToEnd(src io.Reader, end int) error {
	r.Close = true
	for {
		err := r.fill(src, firstBuffer)
		switch {
		case len(r.buf)-end > MaxBody:
			return errBig
		case errors.Is(err, io.ErrUnexpectedEOF):
			r.Body = r.buf[end:]
			return nil
		case err != nil:
			return err
		}
	}
}

// ends says where the answer ends. If more came, the connection has to be
// closed: nothing was asked for that it could belong to.
func (r *Response) ends(end int) { r.Close = r.Close || len(r.buf) > end }
