package sandbox

import (
	"strings"
	"testing"
)

func TestValidID(t *testing.T) {
	for id, want := range map[string]bool{
		"a": true, "a-1": true, "0": true, strings.Repeat("a", 64): true,
		"": false, ".": false, "..": false, "a/b": false, "A": false, "a_b": false, "ü": false, "a\x00": false,
		strings.Repeat("a", 65): false,
	} {
		if got := ValidID(id); got != want {
			t.Errorf("%q: %v", id, got)
		}
	}
}
