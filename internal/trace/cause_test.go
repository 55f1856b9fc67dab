package trace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestErrorCause(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"whole", `{"working_directory":"/var/task","exceptions":[{"message":"a<b","type":"E","stack":[{"path":"app.py","line":7,"label":"f"}]}],"paths":["app.py"]}`,
			`{"exceptions":[{"message":"a<b","type":"E","stack":[{"path":"app.py","line":7,"label":"f"}]}],"working_directory":"/var/task","paths":["app.py"]}`},
		{"message only", `{"message":"m"}`, `{"message":"m"}`},
		{"unknown members", `{"message":"m","password":"p","exceptions":[{"x":1}]}`, `{"exceptions":[{}],"message":"m"}`},
		{"empty", `{}`, ""},
		{"empty members", `{"exceptions":[],"paths":[],"message":""}`, ""},
		{"nothing known", `{"a":1}`, ""},
		{"null", `null`, ""},
		{"no JSON", `oops`, ""},
		{"no object", `"text"`, ""},
		{"wrong types", `{"exceptions":[{"stack":[{"line":"seven"}]}]}`, ""},
		{"two documents", `{"message":"m"}{}`, ""},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		got, err := ErrorCause([]byte(tt.in))
		if string(got) != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: got %s, %v, want %s", tt.name, got, err, tt.want)
		}
	}
	if _, err := ErrorCause([]byte(`{"message":"` + strings.Repeat("m", maxCauseRead) + `"}`)); err == nil {
		t.Error("a megabyte is read")
	}
	if got, err := ErrorCause([]byte(`{"paths":["` + strings.Repeat("p", 70<<10) + `"]}`)); err == nil {
		t.Errorf("of one long path is left %s", got)
	}
}

// causeOf has so many exceptions and paths of about size bytes each.
func causeOf(exceptions, paths, size int, message string) []byte {
	c := errorCause{WorkingDir: "/var/task", Message: message}
	for i := range exceptions {
		c.Exceptions = append(c.Exceptions, exception{Type: fmt.Sprint(i), Message: strings.Repeat("e", size)})
	}
	for i := range paths {
		c.Paths = append(c.Paths, fmt.Sprint(i)+strings.Repeat("p", size))
	}
	return c.encode()
}

func TestErrorCauseIsCropped(t *testing.T) {
	const kb = 1 << 10
	long := strings.Repeat("m", 100*kb)
	half := strings.Repeat("m", (MaxErrorCause-4096)/2-3) + "..."
	tests := []struct {
		name              string
		in                []byte
		exceptions, paths int // that are left
		message           string
	}{
		{"fits", causeOf(10, 10, kb, "m"), 10, 10, "m"},
		{"four fifths", causeOf(37, 37, kb, "m"), 29, 29, "m"},
		{"one fifth", causeOf(100, 100, kb, "m"), 20, 20, "m"},
		{"few and large", causeOf(4, 0, 40*kb, "m"), 1, 0, "m"},
		{"one too large", causeOf(1, 3, 70*kb, "m"), 0, 0, "m"}, // a fifth of one is none
		{"nothing left", causeOf(1000, 0, 500, "m"), 0, 0, "m"},
		{"long message", causeOf(3, 3, kb, long), 0, 0, half},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := ErrorCause(tt.in)
			if err != nil || len(out) > MaxErrorCause {
				t.Fatalf("%d bytes, %v", len(out), err)
			}
			var got errorCause
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatal(err)
			}
			if len(got.Exceptions) != tt.exceptions || len(got.Paths) != tt.paths || got.Message != tt.message || got.WorkingDir != "/var/task" {
				t.Errorf("%d exceptions, %d paths, message of %d bytes, folder %q; want %d, %d, %d",
					len(got.Exceptions), len(got.Paths), len(got.Message), got.WorkingDir, tt.exceptions, tt.paths, len(tt.message))
			}
			for i, e := range got.Exceptions {
				if e.Type != fmt.Sprint(i) {
					t.Errorf("exception %d is number %s: the first ones matter", i, e.Type)
				}
			}
		})
	}
	// A character of three bytes is not cut apart; one that becomes six bytes of
	// JSON does not make the result too large.
	for _, unit := range []string{"€", "\x01"} {
		in := errorCause{Message: strings.Repeat(unit, 30*kb), WorkingDir: strings.Repeat(unit, 30*kb)}.encode()
		out, err := ErrorCause(in)
		var got errorCause
		if err != nil || len(out) > MaxErrorCause || json.Unmarshal(out, &got) != nil {
			t.Fatalf("%q: %d bytes, %v", unit, len(out), err)
		}
		if rest := strings.ReplaceAll(got.Message, unit, ""); rest != "..." || got.WorkingDir != got.Message {
			t.Errorf("%q: beside it is left %q", unit, rest)
		}
	}
}

// FuzzErrorCause: what is kept is small, valid, and stays what it is.
func FuzzErrorCause(f *testing.F) {
	f.Add(causeOf(2, 2, 10, "m"))
	f.Add(causeOf(100, 3, 1000, "\x00\u2028"))
	f.Add([]byte(`{"message":"\ud800","exceptions":[null,{"stack":[null]}],"paths":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, err := ErrorCause(raw)
		if err != nil {
			return
		}
		if len(out) > MaxErrorCause || !json.Valid(out) || bytes.ContainsAny(out, "\r\n") {
			t.Fatalf("%d bytes: %.100q", len(out), out)
		}
		again, err := ErrorCause(out)
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("%.100q becomes %.100q, %v", out, again, err)
		}
	})
}
