package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseVariables(t *testing.T) {
	got, err := parseVariables("# comment\nA=1\nexport B = two words # and a comment\nC='single # kept'\nD=\"line\\nbreak \\\"q\\\"\"\nE=\nF=a=b\n\n")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"A": "1", "B": "two words", "C": "single # kept", "D": "line\nbreak \"q\"", "E": "", "F": "a=b"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{"A=1\nnonsense\n": "line 2", "A='open": "the quote does not end", "=x": "line 1"} {
		if _, err := parseVariables(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
