package envapi

import "bytes"

// tokenChars has a bit for each character of a name, RFC 9110 section 5.6.2.
const tokenChars = (1<<10-1)<<'0' | (1<<26-1)<<'A' | (1<<26-1)<<'a' |
	1<<'!' | 1<<'#' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'*' | 1<<'+' |
	1<<'-' | 1<<'.' | 1<<'^' | 1<<'_' | 1<<'`' | 1<<'|' | 1<<'~'

func isTokenByte(c byte) bool {
	if c >= 64 {
		return c < 128 && tokenChars>>64&(1<<(c-64)) != 0
	}
	return tokenChars&(1<<64-1)&uint64(1<<c) != 0
}

// isValueByte tells what a header value may hold, RFC 9110 section 5.5,
// bytes beyond ASCII included: some values are JSON.
func isValueByte(c byte) bool { return c == '\t' || c >= ' ' && c != 0x7f }

func isToken(b []byte) bool {
	for _, c := range b {
		if !isTokenByte(c) {
			return false
		}
	}
	return len(b) > 0
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// hexValue is -1 for anything but a hexadecimal digit.
func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// equalFold compares with a lower-case ASCII string.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func trimOWS(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// cutLine takes a line that is known to end in CRLF.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	return b[:i-1], b[i+1:]
}

// splitHeader splits "name: value"; a folded line has no name and fails.
func splitHeader(line []byte) (name, value []byte, ok bool) {
	i := bytes.IndexByte(line, ':')
	if i < 0 || !isToken(line[:i]) {
		return nil, nil, false
	}
	for _, c := range line[i+1:] {
		if !isValueByte(c) {
			return nil, nil, false
		}
	}
	return line[:i], trimOWS(line[i+1:]), true
}

// first keeps the first of repeated values.
func first(dst *[]byte, value []byte) {
	if *dst == nil {
		*dst = value
	}
}

// namesFraming reports whether a Trailer header announces one that would
// change how the message is read.
func namesFraming(list []byte) bool {
	for len(list) > 0 {
		var name []byte
		name, list, _ = bytes.Cut(list, []byte{','})
		name = trimOWS(name)
		if equalFold(name, "content-length") || equalFold(name, "transfer-encoding") || equalFold(name, "trailer") {
			return true
		}
	}
	return false
}
