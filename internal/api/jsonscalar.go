package api

import (
	"errors"
	"io"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// string reads a string.
func (d *jsonReader) string() (string, error) {
	c, err := d.peek()
	if err != nil {
		return "", err
	}
	if c != '"' {
		return "", wrongType(c, "a String")
	}
	d.pos++
	d.text = d.text[:0]
	if err := d.chunks(func(p []byte) error {
		d.text = append(d.text, p...)
		return nil
	}); err != nil {
		return "", err
	}
	if !utf8.Valid(d.text) {
		return "", NewSerialization("The request body is not valid UTF-8")
	}
	return string(d.text), nil
}

// chunks passes the text of a string on, piece by piece, up to and including
// the closing quote. A piece is valid only during the call.
func (d *jsonReader) chunks(emit func([]byte) error) error {
	var one [utf8.UTFMax]byte
	for {
		i := d.pos
		for i < d.end && d.buf[i] != '"' && d.buf[i] != '\\' && d.buf[i] >= ' ' {
			i++
		}
		if i > d.pos {
			if err := emit(d.buf[d.pos:i]); err != nil {
				return err
			}
			d.pos = i
		}
		c, err := d.next()
		if err != nil {
			return err
		}
		switch {
		case c == '"':
			return nil
		case c == '\\':
			r, err := d.escape()
			if err != nil {
				return err
			}
			if err := emit(one[:utf8.EncodeRune(one[:], r)]); err != nil {
				return err
			}
		case c < ' ':
			return NewSerialization("Unescaped control character in a string of the request body")
		default:
			d.pos-- // the window had ended; go on in the new one
		}
	}
}

// escape reads what follows a backslash.
func (d *jsonReader) escape() (rune, error) {
	c, err := d.next()
	if err != nil {
		return 0, err
	}
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		return d.unicode()
	}
	return 0, NewSerialization("Unknown escape in a string of the request body")
}

// unicode reads the four digits of an escape, and the second half of a
// surrogate pair if it follows.
func (d *jsonReader) unicode() (rune, error) {
	r, err := d.hex4()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	// A lone half stands for nothing; refusing it saves looking ahead.
	for _, want := range []byte{'\\', 'u'} {
		c, err := d.next()
		if err != nil {
			return 0, err
		}
		if c != want {
			return 0, NewSerialization("Unpaired surrogate in a string of the request body")
		}
	}
	low, err := d.hex4()
	if err != nil {
		return 0, err
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, NewSerialization("Unpaired surrogate in a string of the request body")
	}
	return r, nil
}

func (d *jsonReader) hex4() (rune, error) {
	var r rune
	for range 4 {
		c, err := d.next()
		if err != nil {
			return 0, err
		}
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, NewSerialization("Unknown escape in a string of the request body")
		}
		r = r<<4 | rune(c)
	}
	return r, nil
}

// number reads the text of a number and checks its grammar; the result is
// valid until the next read.
func (d *jsonReader) number(want string) ([]byte, error) {
	c, err := d.peek()
	if err != nil {
		return nil, err
	}
	if c != '-' && (c < '0' || c > '9') {
		return nil, wrongType(c, want)
	}
	d.text = d.text[:0]
	for {
		if d.pos == d.end {
			if err := d.fill(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, err
			}
		}
		c := d.buf[d.pos]
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			break
		}
		if len(d.text) == maxNumberText {
			return nil, NewSerialization("A number in the request body is too long")
		}
		d.text = append(d.text, c)
		d.pos++
	}
	if !validNumber(d.text) {
		return nil, NewSerialization("Malformed number in the request body")
	}
	return d.text, nil
}

// validNumber checks JSON's grammar: no leading zeros, digits on both sides
// of the point.
func validNumber(s []byte) bool {
	i := 0
	digits := func() bool {
		from := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > from
	}
	if s[i] == '-' {
		i++
	}
	start := i
	if !digits() || s[start] == '0' && i > start+1 {
		return false
	}
	if i < len(s) && s[i] == '.' {
		i++
		if !digits() {
			return false
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(s)
}

// integer reads a 32-bit number. "3.0" is 3.
func (d *jsonReader) integer() (int, error) {
	n, err := d.whole("an Integer")
	if err == nil && (n < math.MinInt32 || n > math.MaxInt32) {
		err = NewSerialization("NUMBER_VALUE can not be converted to an Integer")
	}
	return int(n), err
}

func (d *jsonReader) whole(want string) (int64, error) {
	text, err := d.number(want)
	if err != nil {
		return 0, err
	}
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<53 {
		return 0, NewSerialization("NUMBER_VALUE can not be converted to %s", want)
	}
	return int64(f), nil
}

func (d *jsonReader) double() (float64, error) {
	text, err := d.number("a Double")
	if err != nil {
		return 0, err
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return 0, NewSerialization("NUMBER_VALUE can not be converted to a Double")
	}
	return f, nil
}

func (d *jsonReader) boolean() (bool, error) {
	c, err := d.peek()
	if err != nil {
		return false, err
	}
	switch c {
	case 't':
		return true, d.word("true")
	case 'f':
		return false, d.word("false")
	}
	return false, wrongType(c, "a Boolean")
}

func (d *jsonReader) timestamp() (Time, error) {
	f, err := d.double()
	if err != nil {
		return Time{}, err
	}
	t, err := epoch(f)
	if err != nil {
		return Time{}, NewSerialization("NUMBER_VALUE can not be converted to a Timestamp")
	}
	return t, nil
}
