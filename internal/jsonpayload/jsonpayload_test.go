package jsonpayload

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCheck(t *testing.T) {
	tests := []struct{ in, want string }{
		{`{}`, ""},
		{` [1, -0.5e+3, "a\u00e9\n", true, null, {"k": [[]]}] `, ""},
		{`"x"`, ""},
		{`not json`, "Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')\n at [Source: (byte[])\"not json\"; line: 1, column: 4]"},
		{`{"a":1,}`, "Unexpected character ('}' (code 125)): was expecting double-quote to start field name\n at [Source: (byte[])\"{\"a\":1,}\"; line: 1, column: 9]"},
		{"{\n\"a\" 1}", "was expecting a colon to separate field name and value\n at [Source: (byte[])\"{\n\"a\" 1}\"; line: 2, column: 6]"},
		{`{"a":1`, "Unexpected end-of-input: expected close marker for Object"},
		{`[1 2]`, "was expecting comma to separate Array entries"},
		{`"abc`, "Unexpected end-of-input in VALUE_STRING"},
		{`01`, "Leading zeroes not allowed"},
		{`1.`, "Unexpected end-of-input within/between value"},
		{`1.x`, "Decimal point not followed by a digit"},
		{"\"a\tb\"", "Illegal unquoted character ((CTRL-CHAR, code 9))"},
		{`"\x"`, "Unrecognized character escape 'x' (code 120)"},
		{`{} {}`, "expected end of content"},
		{"\"\xff\"", "Invalid UTF-8 start byte 0xff"},
		{strings.Repeat("[", 1001), "nesting depth (1001) exceeds"},
		{``, "No content to map due to end-of-input"},
	}
	for _, tt := range tests {
		err := Check([]byte(tt.in))
		if tt.want == "" {
			if err != nil {
				t.Errorf("Check(%q) = %v, want nil", tt.in, err)
			}
			continue
		}
		var se *SyntaxError
		if !errors.As(err, &se) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Check(%.40q) = %v, want it to contain %q", tt.in, err, tt.want)
		}
	}
}

func TestLongSourceIsCut(t *testing.T) {
	err := Check(append(bytes.Repeat([]byte(" "), 2000), 'x'))
	if err == nil || !strings.Contains(err.Error(), "[truncated 1501 bytes]") || len(err.Error()) > 1000 {
		t.Errorf("got %v", err)
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":[1,2.5e-3,"\u0041\\"]}`, `nul`, `-`, `1e`, `"\ud800"`, "\xff", `[,]`, `{"a":}`, ` `, `[1]x`,
		// longer than some words, with everything at uneven places
		"{\"key of a map\" : [\"abcdefghijk\\\"l\\u00\\n\x01mnopqrst\", \"\xc3\xa9\x80vwx\" ,-12345678901.5e+123456789,\n\t          true ,null]  } ",
		`["\ud83d\ude00\t\\\\ and more", "", {"" :{ } , "b":[ ]}, 0.0E-0, false]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if depth(b) > maxDepth {
			return // a stricter bound than encoding/json's, on purpose
		}
		want := json.Valid(b) && utf8.Valid(b)
		err := Check(b)
		if (err == nil) != want {
			t.Fatalf("Check(%q) = %v, json.Valid = %v", b, err, want)
		}
		if err != nil && err.Error() == "" {
			t.Fatal("empty error text")
		}
	})
}

func depth(b []byte) int { return bytes.Count(b, []byte("[")) + bytes.Count(b, []byte("{")) }

// payload is about a megabyte of an array of one item.
func payload(item string) []byte {
	b := "[" + strings.Repeat(item+",", 1<<20/(len(item)+1))
	return []byte(b[:len(b)-1] + "]")
}

func BenchmarkCheck(b *testing.B) {
	nested := strings.Repeat(`{"a":[`, 50) + strings.Repeat(`]}`, 50)
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(`{"id":12345,"name":"some text","list":[{"ok":true},null]}`), "    ", "  "); err != nil {
		b.Fatal(err)
	}
	for _, bb := range []struct{ name, item string }{
		{"string", `"` + strings.Repeat("some text that is long, ", 1<<10) + `"`},
		{"objects", `{"id":12345,"name":"some text that is a little longer","ok":true,"list":[1,2,3]}`},
		{"small objects", `{"sku":"lamb-1","count":3,"price":12.5,"note":"a \"quoted\" note"}`},
		{"numbers", `1,-20,345.678,9007199254740993,1.5e-7,0`},
		{"nested", nested},
		{"indented", indented.String()},
		{"unicode", `"Grüße aus Köln, 東京から"`},
		{"escapes", `"a\nb\t\"c\"\u00e9\\"`},
	} {
		src := payload(bb.item)
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				if err := Check(src); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(bb.name+" encoding_json", func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				if !json.Valid(src) {
					b.Fatal("invalid")
				}
			}
		})
	}
}
