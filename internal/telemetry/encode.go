package telemetry

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/lambhq/lamb/internal/jsonpayload"
)

// object writes the members of a JSON object. Nested ones are begun and ended.
type object struct{ b []byte }

func open(dst []byte) object { return object{append(dst, '{')} }

func (o *object) close() []byte { return append(o.b, '}') }

func (o *object) end() { o.b = append(o.b, '}') }

func (o *object) begin(name string) {
	o.key(name)
	o.b = append(o.b, '{')
}

// key writes a member's name, which needs no escaping. A value never ends in
// an opening brace, so the last byte tells whether it is the first member.
func (o *object) key(name string) {
	if o.b[len(o.b)-1] != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(o.b, '"')
	o.b = append(o.b, name...)
	o.b = append(o.b, `":`...)
}

func (o *object) text(name, value string) {
	o.key(name)
	o.b = appendString(o.b, value)
}

// optional leaves the member out when it is empty.
func (o *object) optional(name, value string) {
	if value != "" {
		o.text(name, value)
	}
}

func (o *object) integer(name string, value int64) {
	o.key(name)
	o.b = strconv.AppendInt(o.b, value, 10)
}

// duration writes milliseconds with as many of three decimals as needed.
func (o *object) duration(name string, d time.Duration) {
	o.key(name)
	ms := float64(d.Round(time.Microsecond).Microseconds()) / 1000
	o.b = strconv.AppendFloat(o.b, ms, 'f', -1, 64)
}

func (o *object) list(name string, values []string) {
	o.key(name)
	o.b = append(o.b, '[')
	for i, v := range values {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = appendString(o.b, v)
	}
	o.b = append(o.b, ']')
}

// tracing writes the X-Ray context, if there is one.
func (o *object) tracing(t Tracing) {
	if t.Value == "" {
		return
	}
	o.begin("tracing")
	o.text("type", "X-Amzn-Trace-Id")
	o.text("value", t.Value)
	o.optional("spanId", t.SpanID)
	o.end()
}

func (t Tracing) size() int { return len(t.Value) + len(t.SpanID) }

// spans writes the spans that have names, if there are any.
func (o *object) spans(spans *Spans) {
	some := false
	for i := range spans {
		if spans[i].Name == "" {
			continue
		}
		if some {
			o.b = append(o.b, `,{`...)
		} else {
			o.key("spans")
			o.b = append(o.b, `[{`...)
			some = true
		}
		o.text("name", string(spans[i].Name))
		o.key("start")
		o.b = append(o.b, '"')
		o.b = appendTime(o.b, spans[i].Start)
		o.b = append(o.b, '"')
		o.duration("durationMs", spans[i].Duration)
		o.end()
	}
	if some {
		o.b = append(o.b, ']')
	}
}

// appendTime writes RFC 3339 in UTC with milliseconds.
func appendTime(dst []byte, at time.Time) []byte {
	return at.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
}

const hexDigits = "0123456789abcdef"

// appendString writes s as a JSON string. What is not UTF-8 becomes U+FFFD, so
// that a function's binary output cannot spoil a batch. Unlike encoding/json
// it leaves <, > and & alone, as AWS does.
func appendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			dst = appendEscaped(dst, c)
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRune([]byte(s[i:min(i+utf8.UTFMax, len(s))]))
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\uFFFD"...)
			start = i + 1
		}
		i += n
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func appendEscaped(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// isObject tells whether a line is one whole JSON object, in UTF-8.
func isObject(line []byte) bool {
	line = bytes.TrimLeft(line, " \t\r\n")
	return len(line) > 0 && line[0] == '{' && jsonpayload.Check(line) == nil
}

// appendObject writes a line that is a JSON object as it is, without line
// ends: TCP subscribers would read them as the end of the event, and JSON
// allows them only between tokens.
func appendObject(dst, line []byte) []byte {
	from := len(dst)
	dst = append(dst, bytes.TrimSpace(line)...)
	for i, c := range dst[from:] {
		if c == '\n' || c == '\r' {
			dst[from+i] = ' '
		}
	}
	return dst
}
