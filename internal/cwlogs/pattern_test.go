package cwlogs

import "testing"

func TestPatterns(t *testing.T) {
	const object = `{"level":"ERROR","code":503,"user":null,"ok":true,"at":{"path":["/a","/b"]},"text":"over && out"}`
	for _, tt := range []struct {
		pattern, message string
		want             bool
	}{
		{"", "anything", true},
		{"ERROR", "an ERROR here", true},
		{"ERROR", "an error here", false},
		{"ERROR disk", "disk: ERROR", true},
		{"ERROR disk", "ERROR", false},
		{"?ERROR ?WARN", "a WARN", true},
		{"?ERROR ?WARN", "INFO", false},
		{"ERROR -timeout", "ERROR: disk", true},
		{"ERROR -timeout", "ERROR: timeout", false},
		{`"disk full"`, "the disk full", true},
		{`"disk full"`, "full disk", false},
		{`"a \"b\""`, `x a "b" y`, true},
		{`%5\d\d%`, "status 503", true},
		{`%5\d\d%`, "status 404", false},
		{"REPORT RequestId:", "REPORT RequestId: 1", true},

		{`{ $.level = "ERROR" }`, object, true},
		{`{ $.level = ERROR }`, object, true},
		{`{ $.level = "ERR*" }`, object, true},
		{`{ $.level = "*RR*" }`, object, true},
		{`{ $.level != "ERROR" }`, object, false},
		{`{ $.level = "ERROR" }`, "no JSON ERROR", false},
		{`{ $.code >= 500 && $.code < 504 }`, object, true},
		{`{ $.code = 404 || $.code = 503 }`, object, true},
		{`{ $.code = 503 || $.code = 404 && $.level = "INFO" }`, object, true},
		{`{ ($.code = 503 || $.code = 404) && $.level = "INFO" }`, object, false},
		{`{ $.user IS NULL }`, object, true},
		{`{ $.other NOT EXISTS }`, object, true},
		{`{ $.level NOT EXISTS }`, object, false},
		{`{ $.ok IS TRUE }`, object, true},
		{`{ $.ok IS FALSE }`, object, false},
		{`{ $.at.path[1] = "/b" }`, object, true},
		{`{ $.at.path[2] = "/b" }`, object, false},
		{`{ $.text = "over && out" }`, object, true},
	} {
		p, err := parsePattern(tt.pattern)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
			continue
		}
		if got := p.matches(tt.message); got != tt.want {
			t.Errorf("%s on %s: %v, want %v", tt.pattern, tt.message, got, tt.want)
		}
	}
	for _, bad := range []string{`"open`, `%(%`, `%open`, "?", "-", "[a, b]", "{ $.a }", "{ $.a = }", "{ a = 1 }", "{ $.a = 1", "{ ($.a = 1 }", "{ $.a[x] = 1 }", "{ $..a = 1 }", "{ $.a = 1 $.b = 2 }"} {
		if _, err := parsePattern(bad); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"ERROR", `?a -"b c" %d+%`, `{ $.a[0].b = "x*" && ($.c > 1 || $.d NOT EXISTS) }`, "{ ((((", "{$"} {
		f.Add(seed, `{"a":[{"b":"xy"}],"c":2}`)
	}
	f.Fuzz(func(_ *testing.T, pattern, message string) {
		if p, err := parsePattern(pattern); err == nil {
			p.matches(message) // must come to an end, without a panic
		}
	})
}
