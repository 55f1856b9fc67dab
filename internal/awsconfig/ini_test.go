package awsconfig

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// flat is what a file says, without the places: values of blocks are maps.
func flat(sections []named) map[string]map[string]any {
	all := map[string]map[string]any{}
	for _, s := range sections {
		all[s.name] = map[string]any{}
		for key, v := range s.settings {
			all[s.name][key] = v.text
			if v.nested != nil {
				block := map[string]any{}
				for k, v := range v.nested {
					block[k] = v
				}
				all[s.name][key] = block
			}
		}
	}
	return all
}

func TestINI(t *testing.T) {
	text := "\ufeff# a comment\r\n[default]\nRegion: eu-west-1\n ; another\nkey = a = b # kept\n\n" +
		"s3 =\n  # of the block\n  max = 1\n\n  style = path\nlong = one\n  two\n" +
		"[profile x] and more\n  indented = 1\n  next = 2\n[default]\nregion = eu-west-2\nempty =\n\n[DEFAULT]\nmfa = m\n"
	got, err := parseINI("config", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]any{
		"default": {
			"region": "eu-west-2", "key": "a = b # kept", "s3": map[string]any{"max": "1", "style": "path"},
			"long": "one\ntwo", "empty": "", "mfa": "m",
		},
		"profile x": {"indented": "1", "next": "2", "mfa": "m"},
	}
	if diff := cmp.Diff(want, flat(got)); diff != "" {
		t.Error(diff)
	}
	if at := got[0].settings["region"].at; at != "config:18" {
		t.Errorf("region is at %s", at)
	}
}

// TestINIErrors say where, and quote nothing.
func TestINIErrors(t *testing.T) {
	for text, want := range map[string]string{
		"the-secret = x\n":          "config:1: there is no section",
		"[default]\n\nthe-secret\n": "config:3: neither a section",
		"[default]\n= the-secret\n": "config:2: neither a section",
		"[]\n":                      "config:1: there is no section",
		"[default]\na =\n b = c\n the-secret\nb = x\n": "config:2: a line of the block that begins here",
		"[default]\na = \xff the-secret":               "config: it is not UTF-8",
	} {
		_, err := parseINI("config", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "the-secret") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestSplit(t *testing.T) {
	for line, want := range map[string][]string{
		`a  b	c`:             {"a", "b", "c"},
		`"a b" 'c "d' e\ f`:  {"a b", `c "d`, "e f"},
		`"a\"b\\c\d" '\' ''`: {`a"b\c\d`, `\`, ""},
		`a"b"'c'`:            {"abc"},
		``:                   nil,
	} {
		if got, err := split(line); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", line, got, err, want)
		}
	}
	for _, line := range []string{`"a`, `'a`, `a\`} {
		if got, err := split(line); err == nil {
			t.Errorf("%s: %q", line, got)
		}
	}
}

// render writes sections as a file.
func render(sections []named) string {
	var b strings.Builder
	for _, s := range sections {
		fmt.Fprintf(&b, "[%s]\n", s.name)
		for key, v := range s.settings {
			fmt.Fprintf(&b, "%s = %s\n", key, strings.ReplaceAll(v.text, "\n", "\n  "))
			for k, v := range v.nested {
				fmt.Fprintf(&b, "  %s = %s\n", k, v)
			}
		}
	}
	return b.String()
}

// FuzzINI: whatever is read can be written and read again, and errors quote
// nothing.
func FuzzINI(f *testing.F) {
	for _, seed := range []string{
		"[default]\nregion = eu-west-1\n", "[profile \"a b\"]\ns3 =\n  a = b\n\n  c=d\n", "[a]\nb: c\n  d\n\n  e\n[a]\nb=\n",
		"[DEFAULT]\na=b\n[x]\n", "[a]]\n=b", "\ufeff[a]\r\nb=c\r", "[a]\n[b = ]\n", "[a]\nx=\n =\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		const mark = "Zq7" // in no message
		if _, err := parseINI("p", []byte(strings.ReplaceAll(text, "x", mark))); err != nil && strings.Contains(err.Error(), mark) {
			t.Errorf("%q: %v", text, err)
		}
		first, err := parseINI("p", []byte(text))
		if err != nil {
			return
		}
		for _, s := range first {
			for key := range s.settings {
				if key == "" || strings.ContainsAny(key, "\n=:") {
					t.Errorf("%q: key %q", text, key)
				}
			}
		}
		again, err := parseINI("p", []byte(render(first)))
		if err != nil {
			t.Fatalf("%q: written as %q: %v", text, render(first), err)
		}
		if diff := cmp.Diff(flat(first), flat(again)); diff != "" {
			t.Errorf("%q: written as %q: %s", text, render(first), diff)
		}
	})
}

func FuzzSplit(f *testing.F) {
	f.Add(`a "b c" 'd' \e`)
	f.Fuzz(func(t *testing.T, line string) {
		words, err := split(line)
		if err != nil {
			return
		}
		quoted := make([]string, len(words))
		for i, w := range words {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'"'"'`) + "'"
		}
		if again, err := split(strings.Join(quoted, " ")); err != nil || !cmp.Equal(words, again) {
			t.Errorf("%q: %q, then %q, %v", line, words, again, err)
		}
	})
}
