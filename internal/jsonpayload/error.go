package jsonpayload

import (
	"fmt"
	"unicode/utf8"
)

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

func (s *scanner) fail(offset int, format string, args ...any) error {
	return &SyntaxError{Reason: fmt.Sprintf(format, args...), Offset: offset, source: s.src}
}

func (s *scanner) unexpected(i int, why string) error {
	return s.fail(i+1, "Unexpected character (%s): %s", show(s.src[i:]), why)
}

func (s *scanner) noComma(i int, inside byte) error {
	if inside == '{' {
		return s.unexpected(i, "was expecting comma to separate Object entries")
	}
	return s.unexpected(i, "was expecting comma to separate Array entries")
}

func (s *scanner) badNumber(i int, why string) error {
	if i >= len(s.src) {
		return s.fail(i, "Unexpected end-of-input within/between value")
	}
	return s.fail(i+1, "Unexpected character (%s) in numeric value: %s", show(s.src[i:]), why)
}

// badEscape is for what stands at i in place of a hexadecimal digit.
func (s *scanner) badEscape(i int) error {
	if i >= len(s.src) {
		return s.fail(i, "Unexpected end-of-input in character escape sequence")
	}
	return s.fail(i+1, "Unexpected character (%s): expected a hex-digit for character escape sequence", show(s.src[i:]))
}

func (s *scanner) endOfInput(open []byte) error {
	if len(open) == 0 {
		return s.fail(len(s.src), "No content to map due to end-of-input")
	}
	kind := "Object"
	if open[len(open)-1] == '[' {
		kind = "Array"
	}
	return s.fail(len(s.src), "Unexpected end-of-input: expected close marker for %s", kind)
}

// show prints a character as Jackson does: 'x' (code 120).
func show(b []byte) string {
	r, _ := utf8.DecodeRune(b)
	if r < 0x20 {
		return fmt.Sprintf("(CTRL-CHAR, code %d)", r)
	}
	return fmt.Sprintf("'%c' (code %d)", r, r)
}
