package api

import (
	"errors"
	"io"
)

// Limits of what a request body may hold beside its uploads. They bound the
// memory that a hostile body can make us use: an empty structure in a list is
// three bytes of JSON and a hundred of Go.
const (
	maxJSONText     = 1 << 20 // bytes outside uploads
	maxJSONDepth    = 64
	maxJSONElements = 100_000 // of all lists and maps together
	maxNumberText   = 512     // characters of one number
	jsonBuffer      = 32 << 10
)

// A jsonReader reads one JSON value from a stream, member by member, so that a
// long string can go to a file and never be in memory. It is stricter than
// encoding/json in three points: member names match by case, text must be
// UTF-8, and the limits above hold.
type jsonReader struct {
	src      io.Reader
	buf      []byte // the window: buf[pos:end] is read and not consumed
	pos, end int

	read     int64 // bytes taken from src
	uploaded int64 // bytes of them that belong to uploads
	inUpload bool
	depth    int
	elements int
	text     []byte // scratch for strings and numbers

	spool   string // folder for uploads
	uploads []*Upload
}

func newJSONReader(src io.Reader, size int64, spool string) *jsonReader {
	return &jsonReader{src: src, buf: make([]byte, min(max(size, 64), jsonBuffer)), spool: spool}
}

// fill reads more; it returns io.EOF at the end.
func (d *jsonReader) fill() error {
	if !d.inUpload && d.read-d.uploaded > maxJSONText+jsonBuffer {
		return NewRequestEntityTooLarge("Request must be smaller than %d bytes, not counting code", maxJSONText)
	}
	for range 100 {
		n, err := d.src.Read(d.buf)
		if n > 0 {
			d.pos, d.end = 0, n
			d.read += int64(n)
			return nil
		}
		if err != nil {
			d.pos, d.end = 0, 0
			return err
		}
	}
	return io.ErrNoProgress
}

// consumed is the number of bytes up to here.
func (d *jsonReader) consumed() int64 { return d.read - int64(d.end-d.pos) }

// next consumes one byte.
func (d *jsonReader) next() (byte, error) {
	if d.pos == d.end {
		if err := d.fill(); err != nil {
			if errors.Is(err, io.EOF) {
				return 0, NewSerialization("Unexpected end of the request body")
			}
			return 0, err
		}
	}
	c := d.buf[d.pos]
	d.pos++
	return c, nil
}

// peek gives the first byte of the next token, without consuming it.
func (d *jsonReader) peek() (byte, error) {
	for {
		c, err := d.next()
		if err != nil {
			return 0, err
		}
		switch c {
		case ' ', '\t', '\r', '\n':
		default:
			d.pos--
			return c, nil
		}
	}
}

// atEnd skips white space and tells whether the input is used up.
func (d *jsonReader) atEnd() (bool, error) {
	for {
		if d.pos == d.end {
			if err := d.fill(); errors.Is(err, io.EOF) {
				return true, nil
			} else if err != nil {
				return false, err
			}
		}
		switch d.buf[d.pos] {
		case ' ', '\t', '\r', '\n':
			d.pos++
		default:
			return false, nil
		}
	}
}

// expect consumes the token c.
func (d *jsonReader) expect(c byte) error {
	got, err := d.peek()
	if err != nil {
		return err
	}
	if got != c {
		return unexpected(got)
	}
	d.pos++
	return nil
}

func unexpected(c byte) error {
	return NewSerialization("Unexpected character %q in the request body", rune(c))
}

// word consumes a literal such as "true".
func (d *jsonReader) word(w string) error {
	for i := range len(w) {
		c, err := d.next()
		if err != nil {
			return err
		}
		if c != w[i] {
			return unexpected(c)
		}
	}
	return nil
}

// null consumes a null if there is one.
func (d *jsonReader) null() (bool, error) {
	c, err := d.peek()
	if err != nil || c != 'n' {
		return false, err
	}
	return true, d.word("null")
}

// wrongType is the answer to a value of another type than the member's.
func wrongType(first byte, want string) error {
	switch first {
	case '{':
		return NewSerialization("Start of structure or map found where not expected.")
	case '[':
		return NewSerialization("Start of list found where not expected")
	case '"':
		return NewSerialization("STRING_VALUE can not be converted to %s", want)
	case 't':
		return NewSerialization("TRUE_VALUE can not be converted to %s", want)
	case 'f':
		return NewSerialization("FALSE_VALUE can not be converted to %s", want)
	case 'n':
		return NewSerialization("null is not allowed as an element of a list or a map")
	}
	if first == '-' || first >= '0' && first <= '9' {
		return NewSerialization("NUMBER_VALUE can not be converted to %s", want)
	}
	return unexpected(first)
}

// enter begins a list or an object.
func (d *jsonReader) enter(open byte, want string) error {
	c, err := d.peek()
	if err != nil {
		return err
	}
	if c != open {
		return wrongType(c, want)
	}
	d.pos++
	if d.depth++; d.depth > maxJSONDepth {
		return NewSerialization("The request body is nested too deeply")
	}
	return nil
}

// sequence calls item for every item up to the closing byte.
func (d *jsonReader) sequence(closing byte, item func() error) error {
	c, err := d.peek()
	if err != nil {
		return err
	}
	if c == closing {
		d.pos++
		d.depth--
		return nil
	}
	for {
		if d.elements++; d.elements > maxJSONElements {
			return NewSerialization("The request body has too many elements")
		}
		if err := item(); err != nil {
			return err
		}
		c, err := d.peek()
		if err != nil {
			return err
		}
		d.pos++
		switch c {
		case ',':
		case closing:
			d.depth--
			return nil
		default:
			return unexpected(c)
		}
	}
}

// object reads an object; member must consume the value of its key.
func (d *jsonReader) object(member func(key string) error) error {
	if err := d.enter('{', "a structure or map"); err != nil {
		return err
	}
	return d.sequence('}', func() error {
		key, err := d.string()
		if err != nil {
			return err
		}
		if err := d.expect(':'); err != nil {
			return err
		}
		return member(key)
	})
}

// array reads a list; item must consume one element.
func (d *jsonReader) array(item func() error) error {
	if err := d.enter('[', "a list"); err != nil {
		return err
	}
	return d.sequence(']', item)
}

// skip consumes a value of any type.
func (d *jsonReader) skip() error {
	c, err := d.peek()
	if err != nil {
		return err
	}
	switch c {
	case '{':
		return d.object(func(string) error { return d.skip() })
	case '[':
		return d.array(d.skip)
	case '"':
		_, err = d.string()
	case 't', 'f':
		_, err = d.boolean()
	case 'n':
		err = d.word("null")
	default:
		_, err = d.number("a value")
	}
	return err
}
