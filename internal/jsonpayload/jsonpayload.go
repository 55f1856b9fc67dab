// Package jsonpayload checks that an invocation's payload is JSON, as the
// Lambda service does before it accepts one, and words the refusal like the
// service (its parser is Jackson). Payloads pass through undecoded, so
// nothing but validity is computed: one pass, no allocation, several times
// the speed of encoding/json.Valid, against which it is fuzzed.
package jsonpayload

import (
	"fmt"
	"unicode/utf8"
)

// maxDepth bounds nesting, as Jackson does.
const maxDepth = 1000

// SyntaxError says what is wrong with a payload and where.
type SyntaxError struct {
	Reason string
	// Offset is the number of bytes read when the error was seen.
	Offset int
	source []byte
}

// Error is Jackson's text, with line and column.
func (e *SyntaxError) Error() string {
	line, column := position(e.source, e.Offset)
	return fmt.Sprintf("%s\n at [Source: (byte[])%s; line: %d, column: %d]", e.Reason, excerpt(e.source), line, column)
}

// excerptSize is how much of the source Jackson shows.
const excerptSize = 500

func excerpt(src []byte) string {
	if len(src) <= excerptSize {
		return `"` + string(src) + `"`
	}
	return fmt.Sprintf(`"%s"[truncated %d bytes]`, src[:excerptSize], len(src)-excerptSize)
}

// position counts from 1; the column is that of the byte after the last read.
func position(src []byte, offset int) (line, column int) {
	line, start := 1, 0
	for i, c := range src[:min(offset, len(src))] {
		if c == '\n' {
			line, start = line+1, i+1
		}
	}
	return line, offset - start + 1
}

const values = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"

// Check returns nil if src is one JSON value in UTF-8, with white space
// around it, and otherwise a *SyntaxError.
func Check(src []byte) error {
	s := scanner{src: src}
	if err := s.document(); err != nil {
		return err
	}
	if !utf8.Valid(src) {
		i := 0
		for i < len(src) {
			r, n := utf8.DecodeRune(src[i:])
			if r == utf8.RuneError && n <= 1 {
				break
			}
			i += n
		}
		return s.fail(i+1, "Invalid UTF-8 start byte 0x%x", src[i])
	}
	return nil
}

type scanner struct {
	src []byte
	pos int
	// open holds the open objects ('{') and arrays ('[').
	open  []byte
	space [64]byte // open's first storage
}

func (s *scanner) fail(offset int, format string, args ...any) error {
	return &SyntaxError{Reason: fmt.Sprintf(format, args...), Offset: offset, source: s.src}
}

// document is a value and nothing after it.
func (s *scanner) document() error {
	s.open = s.space[:0]
	for {
		done, err := s.value()
		if err != nil {
			return err
		}
		if done {
			break
		}
	}
	s.skipSpace()
	if s.pos < len(s.src) {
		return s.unexpected("expected end of content")
	}
	return nil
}

// value reads a scalar, or opens a container; after a complete value it closes
// and continues containers up to where the next value must stand. It reports
// true when the outermost value is complete.
func (s *scanner) value() (bool, error) {
	s.skipSpace()
	if s.pos >= len(s.src) {
		return false, s.endOfInput()
	}
	switch c := s.src[s.pos]; {
	case c == '{' || c == '[':
		return s.container(c)
	case c == '"':
		if err := s.str(); err != nil {
			return false, err
		}
	case c == '-' || c >= '0' && c <= '9':
		if err := s.number(); err != nil {
			return false, err
		}
	default:
		if err := s.literal(); err != nil {
			return false, err
		}
	}
	return s.afterValue()
}

func (s *scanner) container(c byte) (bool, error) {
	if len(s.open) >= maxDepth {
		return false, s.fail(s.pos+1, "Document nesting depth (%d) exceeds the maximum allowed (%d)", maxDepth+1, maxDepth)
	}
	s.open = append(s.open, c)
	s.pos++
	s.skipSpace()
	if s.pos >= len(s.src) {
		return false, s.endOfInput()
	}
	if s.src[s.pos] == c+2 { // '{'+2 is '}', '['+2 is ']'
		s.pos++
		s.open = s.open[:len(s.open)-1]
		return s.afterValue()
	}
	if c == '{' {
		return false, s.key()
	}
	return false, nil
}

// key reads a field name and its colon.
func (s *scanner) key() error {
	s.skipSpace()
	if s.pos >= len(s.src) {
		return s.endOfInput()
	}
	if s.src[s.pos] != '"' {
		return s.unexpected("was expecting double-quote to start field name")
	}
	if err := s.str(); err != nil {
		return err
	}
	s.skipSpace()
	if s.pos >= len(s.src) {
		return s.endOfInput()
	}
	if s.src[s.pos] != ':' {
		return s.unexpected("was expecting a colon to separate field name and value")
	}
	s.pos++
	return nil
}

// afterValue closes what ends here and stops where the next value begins.
func (s *scanner) afterValue() (bool, error) {
	for len(s.open) > 0 {
		s.skipSpace()
		if s.pos >= len(s.src) {
			return false, s.endOfInput()
		}
		inside := s.open[len(s.open)-1]
		switch s.src[s.pos] {
		case inside + 2:
			s.pos++
			s.open = s.open[:len(s.open)-1]
		case ',':
			s.pos++
			if inside == '{' {
				return false, s.key()
			}
			return false, nil
		default:
			if inside == '{' {
				return false, s.unexpected("was expecting comma to separate Object entries")
			}
			return false, s.unexpected("was expecting comma to separate Array entries")
		}
	}
	return true, nil
}

func (s *scanner) skipSpace() {
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// plain marks the bytes that stand for themselves in a string.
var plain = func() (t [256]bool) {
	for i := range t {
		t[i] = i >= 0x20 && i != '"' && i != '\\'
	}
	return t
}()

func (s *scanner) str() error {
	src, i := s.src, s.pos+1
	for {
		for i+8 <= len(src) && plain[src[i]] && plain[src[i+1]] && plain[src[i+2]] && plain[src[i+3]] &&
			plain[src[i+4]] && plain[src[i+5]] && plain[src[i+6]] && plain[src[i+7]] {
			i += 8
		}
		for i < len(src) && plain[src[i]] {
			i++
		}
		if i >= len(src) {
			return s.fail(i, "Unexpected end-of-input in VALUE_STRING")
		}
		switch c := src[i]; c {
		case '"':
			s.pos = i + 1
			return nil
		case '\\':
			n, err := s.escape(i)
			if err != nil {
				return err
			}
			i += n
		default:
			return s.fail(i+1, "Illegal unquoted character ((CTRL-CHAR, code %d)): has to be escaped using backslash to be included in string value", c)
		}
	}
}

// escape returns the length of the escape sequence at i.
func (s *scanner) escape(i int) (int, error) {
	if i+1 >= len(s.src) {
		return 0, s.fail(i+1, "Unexpected end-of-input in character escape sequence")
	}
	switch c := s.src[i+1]; c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, nil
	case 'u':
		for k := i + 2; k < i+6; k++ {
			if k >= len(s.src) {
				return 0, s.fail(k, "Unexpected end-of-input in character escape sequence")
			}
			if h := s.src[k]; !(h >= '0' && h <= '9' || h|0x20 >= 'a' && h|0x20 <= 'f') {
				return 0, s.fail(k+1, "Unexpected character (%s): expected a hex-digit for character escape sequence", show(s.src[k:]))
			}
		}
		return 6, nil
	default:
		return 0, s.fail(i+2, "Unrecognized character escape %s", show(s.src[i+1:]))
	}
}

func (s *scanner) number() error {
	i := s.pos
	if s.src[i] == '-' {
		i++
	}
	digits := func() bool {
		start := i
		for i < len(s.src) && s.src[i] >= '0' && s.src[i] <= '9' {
			i++
		}
		return i > start
	}
	first := i
	if !digits() {
		return s.badNumber(i, "expected digit (0-9) to follow minus sign, for valid numeric value")
	}
	if s.src[first] == '0' && i > first+1 {
		return s.fail(first+2, "Invalid numeric value: Leading zeroes not allowed")
	}
	if i < len(s.src) && s.src[i] == '.' {
		i++
		if !digits() {
			return s.badNumber(i, "Decimal point not followed by a digit")
		}
	}
	if i < len(s.src) && s.src[i]|0x20 == 'e' {
		i++
		if i < len(s.src) && (s.src[i] == '+' || s.src[i] == '-') {
			i++
		}
		if !digits() {
			return s.badNumber(i, "Exponent indicator not followed by a digit")
		}
	}
	s.pos = i
	if i < len(s.src) && isWord(s.src[i]) && len(s.open) == 0 {
		return s.unexpected("Expected space separating root-level values")
	}
	return nil
}

func (s *scanner) badNumber(i int, why string) error {
	if i >= len(s.src) {
		return s.fail(i, "Unexpected end-of-input within/between value")
	}
	return s.fail(i+1, "Unexpected character (%s) in numeric value: %s", show(s.src[i:]), why)
}

// literal reads true, false or null.
func (s *scanner) literal() error {
	end := s.pos
	for end < len(s.src) && isWord(s.src[end]) {
		end++
	}
	word := s.src[s.pos:end]
	switch string(word) { // does not allocate
	case "true", "false", "null":
		s.pos = end
		return nil
	case "":
		return s.unexpected("expected a valid value " + values)
	}
	return s.fail(end, "Unrecognized token '%.256s': was expecting %s", word, values)
}

func isWord(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '$'
}

func (s *scanner) unexpected(why string) error {
	return s.fail(s.pos+1, "Unexpected character (%s): %s", show(s.src[s.pos:]), why)
}

// show prints a character as Jackson does: 'x' (code 120).
func show(b []byte) string {
	r, _ := utf8.DecodeRune(b)
	if r < 0x20 {
		return fmt.Sprintf("(CTRL-CHAR, code %d)", r)
	}
	return fmt.Sprintf("'%c' (code %d)", r, r)
}

func (s *scanner) endOfInput() error {
	if len(s.open) == 0 {
		return s.fail(len(s.src), "No content to map due to end-of-input")
	}
	kind := "Object"
	if s.open[len(s.open)-1] == '[' {
		kind = "Array"
	}
	return s.fail(len(s.src), "Unexpected end-of-input: expected close marker for %s", kind)
}
