package hostfs

import (
	"strings"
	"testing"
)

func TestDescribe(t *testing.T) {
	elf := func(class byte, machine string) string {
		return "\x7fELF\x02" + string(class) + strings.Repeat("\x00", 12) + machine + strings.Repeat("\x00", 40)
	}
	for _, test := range []struct{ head, want string }{
		{"", "it is empty"},
		{"#!/usr/bin/python9 -u\nprint()", `interpreter "/usr/bin/python9 -u"`},
		{"#!", `interpreter ""`},
		{"print('x')", "begins with #!"},
		{elf(1, "\xf7\x00"), "Linux program for another machine"},
		{elf(2, "\x00\x28"), "Linux program for arm,"},
		{"\x7fELF", "neither a program"},
	} {
		if got := Describe([]byte(test.head)); !strings.Contains(got, test.want) {
			t.Errorf("%q: %s, want %s", test.head, got, test.want)
		}
	}
}
