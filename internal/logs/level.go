package logs

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/lambhq/lamb/internal/jsonpayload"
)

// Level is how serious a line of a function is. The zero value is none.
type Level int

// The levels, in order.
const (
	Trace Level = iota + 1
	Debug
	Info
	Warn
	Error
	Fatal
)

var levelNames = [...]string{"", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}

// ParseLevel reads a level's name, in any case; zero if it is none.
func ParseLevel(name string) Level {
	for l := Trace; l <= Fatal; l++ {
		if strings.EqualFold(name, levelNames[l]) {
			return l
		}
	}
	return 0
}

// Below reports whether a line says of itself that its level is below least:
// it is a JSON object with such a "level" and an RFC 3339 "timestamp". What
// says nothing of the kind counts as INFO and is not below anything.
func Below(line []byte, least Level) bool {
	line = bytes.TrimLeft(line, " \t\r\n")
	if least <= Trace || len(line) == 0 || line[0] != '{' || jsonpayload.Check(line) != nil {
		return false
	}
	level, timestamp := members(line)
	if own := ParseLevel(text(level)); own == 0 || own >= least {
		return false
	}
	_, err := time.Parse(time.RFC3339, text(timestamp))
	return err == nil
}

// members finds the raw values of an object's members "level" and
// "timestamp", the last where there are several. The object is valid JSON: so
// brackets balance and strings end. encoding/json would need ten times as long,
// while the function's output waits.
func members(object []byte) (level, timestamp []byte) {
	var key []byte
	for pos := 1; pos < len(object); {
		switch c := object[pos]; c {
		case ' ', '\t', '\r', '\n', ',', ':', '}':
			pos++
			continue
		}
		end := value(object, pos)
		if key == nil {
			key = object[pos:end]
			pos = end
			continue
		}
		switch {
		case is(key, "level"):
			level = object[pos:end]
		case is(key, "timestamp"):
			timestamp = object[pos:end]
		}
		key, pos = nil, end
	}
	return level, timestamp
}

// value returns where the JSON value that begins at pos ends.
func value(b []byte, pos int) int {
	for depth := 0; pos < len(b); {
		switch b[pos] {
		case '"':
			pos = stringEnd(b, pos)
		case '{', '[':
			depth++
			pos++
			continue
		case '}', ']':
			depth--
			pos++
		case ' ', '\t', '\r', '\n', ',', ':':
			pos++
			continue
		default:
			for pos < len(b) && !delimiter(b[pos]) { // a number or literal
				pos++
			}
		}
		if depth == 0 {
			return pos
		}
	}
	return pos
}

func delimiter(c byte) bool {
	switch c {
	case ' ', '\t', '\r', '\n', ',', ':', '}', ']':
		return true
	}
	return false
}

// stringEnd returns the end of the string that begins at pos.
func stringEnd(b []byte, pos int) int {
	for pos++; pos < len(b); pos++ {
		switch b[pos] {
		case '\\':
			pos++
		case '"':
			return pos + 1
		}
	}
	return len(b)
}

// is reports whether a JSON string is a text, without making one of it.
func is(raw []byte, want string) bool {
	if bytes.IndexByte(raw, '\\') >= 0 {
		return text(raw) == want
	}
	return len(raw) == len(want)+2 && string(raw[1:len(raw)-1]) == want
}

// text is a JSON string's text; empty for another value. The names and values
// that are looked for are short.
func text(raw []byte) string {
	if len(raw) < 2 || raw[0] != '"' || len(raw) > 256 {
		return ""
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
