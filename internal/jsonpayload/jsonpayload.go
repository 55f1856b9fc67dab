// Package jsonpayload checks that an invocation's payload is JSON, as the
// Lambda service does before it accepts one, and words the refusal like the
// service (its parser is Jackson). Payloads pass through undecoded, so
// nothing but validity is computed: one pass, no allocation, several times
// the speed of encoding/json.Valid, against which it is fuzzed.
package jsonpayload

import "unicode/utf8"

// maxDepth bounds nesting, as Jackson does.
const maxDepth = 1000

// Check returns nil if src is one JSON value in UTF-8, with white space
// around it, and otherwise a *SyntaxError.
func Check(src []byte) error {
	s := scanner{src: src}
	if err := s.document(); err != nil {
		return err
	}
	// Bytes beyond ASCII stand in strings only, where they were noticed.
	if s.seen&highBits != 0 && !utf8.Valid(src) {
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
	// seen is the union of the words that strings were read by: whether
	// any byte may be beyond ASCII.
	seen uint64
}

// document is a value and nothing after it. The methods that it calls take the
// place where something begins and return the one after its end.
func (s *scanner) document() error {
	src, i := s.src, 0
	open := make([]byte, 0, 64) // the open objects ('{') and arrays ('[')
	inside := byte(0)           // the last of them
	var err error
	for {
		if inside == '{' {
			if i, err = s.key(i, open); err != nil {
				return err
			}
		}
		if i = skipSpace(src, i); i >= len(src) {
			return s.endOfInput(open)
		}
		switch c := src[i]; {
		case c == '"':
			i, err = s.str(i)
		case c == '{' || c == '[':
			if len(open) >= maxDepth {
				return s.fail(i+1, "Document nesting depth (%d) exceeds the maximum allowed (%d)", maxDepth+1, maxDepth)
			}
			open, inside = append(open, c), c
			if i = skipSpace(src, i+1); i >= len(src) || src[i] != closing(c) {
				continue
			}
		case c == '-' || isDigit(c):
			i, err = s.number(i, len(open) == 0)
		default:
			i, err = s.literal(i)
		}
		if err != nil {
			return err
		}
		// A value is complete: close what ends here, up to a comma.
		for {
			i = skipSpace(src, i)
			if len(open) == 0 {
				return s.end(i)
			}
			if i >= len(src) {
				return s.endOfInput(open)
			}
			if c := src[i]; c == ',' {
				i++
				break
			} else if c != closing(inside) {
				return s.noComma(i, inside)
			}
			i++
			if open, inside = open[:len(open)-1], 0; len(open) > 0 {
				inside = open[len(open)-1]
			}
		}
	}
}

// closing is the other bracket of one that opens.
func closing(open byte) byte { return open + 2 }

// end accepts the end of the input.
func (s *scanner) end(i int) error {
	if i < len(s.src) {
		return s.unexpected(i, "expected end of content")
	}
	return nil
}

// key reads a field name and its colon.
func (s *scanner) key(i int, open []byte) (int, error) {
	if i = skipSpace(s.src, i); i >= len(s.src) {
		return 0, s.endOfInput(open)
	}
	if s.src[i] != '"' {
		return 0, s.unexpected(i, "was expecting double-quote to start field name")
	}
	i, err := s.str(i)
	if err != nil {
		return 0, err
	}
	if i = skipSpace(s.src, i); i >= len(s.src) {
		return 0, s.endOfInput(open)
	}
	if s.src[i] != ':' {
		return 0, s.unexpected(i, "was expecting a colon to separate field name and value")
	}
	return i + 1, nil
}

// str reads a string, by words of eight bytes while there are so many.
func (s *scanner) str(i int) (int, error) {
	src, seen := s.src, uint64(0)
	for i++; hasWord(src, i); {
		word := load(src, i)
		seen |= word
		special := specials(word)
		if special == 0 {
			i += 8
			continue
		}
		i += firstByte(special)
		if src[i] != '"' {
			var err error
			if i, err = s.escapes(i); err != nil {
				return 0, err
			}
			if i >= len(src) || src[i] != '"' {
				continue
			}
		}
		s.seen |= seen
		return i + 1, nil
	}
	s.seen |= seen
	return s.strEnd(i)
}

// strEnd reads on in a string that comes near the end of the input.
func (s *scanner) strEnd(i int) (int, error) {
	for i < len(s.src) {
		switch c := s.src[i]; {
		case c == '"':
			return i + 1, nil
		case isSpecial(c):
			var err error
			if i, err = s.escapes(i); err != nil {
				return 0, err
			}
		default:
			s.seen |= uint64(c)
			i++
		}
	}
	return 0, s.fail(i, "Unexpected end-of-input in VALUE_STRING")
}

// escapes reads the escape sequences that follow each other from i on. It
// refuses what else ends a run of plain bytes: control characters.
func (s *scanner) escapes(i int) (int, error) {
	src := s.src
	if c := src[i]; c != '\\' {
		return 0, s.fail(i+1, "Illegal unquoted character ((CTRL-CHAR, code %d)): has to be escaped using backslash to be included in string value", c)
	}
	for i < len(src) && src[i] == '\\' {
		switch {
		case i+1 >= len(src):
			return 0, s.fail(i+1, "Unexpected end-of-input in character escape sequence")
		case escapable[src[i+1]]:
			i += 2
		case src[i+1] != 'u':
			return 0, s.fail(i+2, "Unrecognized character escape %s", show(src[i+1:]))
		default:
			n := hexDigits(src[i+2 : min(i+6, len(src))])
			if i += 2 + n; n < 4 {
				return 0, s.badEscape(i)
			}
		}
	}
	return i, nil
}

// escapable is what makes an escape sequence with a backslash alone.
var escapable = [256]bool{'"': true, '\\': true, '/': true, 'b': true, 'f': true, 'n': true, 'r': true, 't': true}

// hexDigits is the number of hexadecimal digits that b begins with.
func hexDigits(b []byte) int {
	n := 0
	for n < len(b) && (isDigit(b[n]) || b[n]|0x20 >= 'a' && b[n]|0x20 <= 'f') {
		n++
	}
	return n
}

// number reads a number; root says that it is the whole document.
func (s *scanner) number(first int, root bool) (int, error) {
	src := s.src
	if src[first] == '-' {
		first++
	}
	i := skipDigits(src, first)
	if i == first {
		return 0, s.badNumber(i, "expected digit (0-9) to follow minus sign, for valid numeric value")
	}
	if src[first] == '0' && i > first+1 {
		return 0, s.fail(first+2, "Invalid numeric value: Leading zeroes not allowed")
	}
	if i < len(src) && src[i] == '.' {
		start := i + 1
		if i = skipDigits(src, start); i == start {
			return 0, s.badNumber(i, "Decimal point not followed by a digit")
		}
	}
	if i < len(src) && src[i]|0x20 == 'e' {
		start := i + 1
		if start < len(src) && (src[start] == '+' || src[start] == '-') {
			start++
		}
		if i = skipDigits(src, start); i == start {
			return 0, s.badNumber(i, "Exponent indicator not followed by a digit")
		}
	}
	if root && i < len(src) && isWord(src[i]) {
		return 0, s.unexpected(i, "Expected space separating root-level values")
	}
	return i, nil
}

// literal reads true, false or null.
func (s *scanner) literal(start int) (int, error) {
	end := start
	if rest := s.src[start:]; len(rest) > 5 {
		if four := string(rest[:4]); (four == "true" || four == "null") && !isWord(rest[4]) {
			return start + 4, nil
		}
	}
	for end < len(s.src) && isWord(s.src[end]) {
		end++
	}
	word := s.src[start:end]
	switch string(word) { // does not allocate
	case "true", "false", "null":
		return end, nil
	case "":
		return 0, s.unexpected(start, "expected a valid value "+values)
	}
	return 0, s.fail(end, "Unrecognized token '%.256s': was expecting %s", word, values)
}

func isWord(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || isDigit(c) || c == '_' || c == '$'
}

func isDigit(c byte) bool { return c-'0' <= 9 }
