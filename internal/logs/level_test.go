package logs

import (
	"encoding/json"
	"testing"
	"time"
)

func TestBelow(t *testing.T) {
	const ts = `"timestamp":"2026-11-22T10:00:00.123Z"`
	for _, tt := range []struct {
		line  string
		least Level
		want  bool
	}{
		{`{"level":"DEBUG",` + ts + `}`, Info, true},
		{`{"level":"DEBUG",` + ts + "}\n", Info, true},
		{` {"level":"debug",` + ts + `} `, Info, true},
		{`{"level":"INFO",` + ts + `}`, Info, false},
		{`{"level":"INFO",` + ts + `}`, Error, true},
		{`{"level":"ERROR",` + ts + `}`, Fatal, true},
		{`{"level":"FATAL",` + ts + `}`, Fatal, false},
		{`{"level":"TRACE",` + ts + `}`, Trace, false},
		{`{"level":"TRACE",` + ts + `}`, Debug, true},
		{`{"level":"DEBUG",` + ts + `}`, 0, false},
		{`{"timestamp":"2026-11-22T10:00:00+01:00","a":{"level":"ERROR"},"level":"WARN"}`, Error, true},
		{`{"message":"\"level\":\"ERROR\"","level":"WARN",` + ts + `}`, Error, true},
		{`{"l\u0065vel":"D\u0045BUG",` + ts + `}`, Info, true},
		{`{"level":"DEBUG","level":"ERROR",` + ts + `}`, Info, false},
		// What is missing, unknown or no string counts as INFO, and is kept.
		{`{"level":"DEBUG"}`, Error, false},
		{`{"level":"DEBUG","timestamp":"yesterday"}`, Error, false},
		{`{"level":"DEBUG","timestamp":1700000000}`, Error, false},
		{`{"level":"NOISE",` + ts + `}`, Error, false},
		{`{"level":10,` + ts + `}`, Error, false},
		{`{"level":null,` + ts + `}`, Error, false},
		{`{"level":["DEBUG"],` + ts + `}`, Error, false},
		{`{"Level":"DEBUG",` + ts + `}`, Error, false},
		{`{` + ts + `}`, Error, false},
		{`{}`, Error, false},
		{`[{"level":"DEBUG",` + ts + `}]`, Error, false},
		{`{"level":"DEBUG",` + ts, Error, false},
		{`{"level":"DEBUG",` + ts + `} and more`, Error, false},
		{`{"a":{"level":"DEBUG",` + ts + `}}`, Error, false},
		{`START RequestId: x`, Error, false},
		{`{"time":"2026-11-22T10:00:00.123Z","type":"platform.start","record":{"level":"DEBUG"}}`, Error, false},
		{"", Error, false},
	} {
		if got := Below([]byte(tt.line), tt.least); got != tt.want {
			t.Errorf("%s below %d: %v", tt.line, tt.least, got)
		}
	}
}

// FuzzBelow has encoding/json as the other opinion.
func FuzzBelow(f *testing.F) {
	for _, seed := range []string{
		`{"level":"DEBUG","timestamp":"2026-11-22T10:00:00Z"}`, `{"a":[1,{"b":"}"}],"level":"WARN","timestamp":"2026-11-22T10:00:00Z","c":-1e5}`,
		`{"level":"\u0044EBUG","x":true}`, `{"level":{"level":"DEBUG"},"timestamp":null}`, `{"":"","level":""}`, "{\"a\":\"\\\\\",\"level\":\"INFO\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		got := Below(line, Fatal)
		var object map[string]any
		want := false
		if json.Unmarshal(line, &object) == nil && object != nil {
			level, _ := object["level"].(string)
			stamp, _ := object["timestamp"].(string)
			_, err := time.Parse(time.RFC3339, stamp)
			own := ParseLevel(level)
			want = own > 0 && own < Fatal && err == nil
		}
		if got && !want {
			t.Fatalf("%q is left out", line)
		}
		// Lines that are no UTF-8, nested too deep or with over-long names
		// for a level are kept, whatever they say.
		if want && !got && len(line) < 256 && json.Valid(line) && string(line) == string([]rune(string(line))) {
			t.Fatalf("%q is kept", line)
		}
	})
}
