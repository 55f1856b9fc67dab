package jsonpayload

import (
	"bytes"
	"testing"
)

// Every byte at every place of a word, before each of some that could lead a
// carry or borrow to it, or take one from it.
func TestWords(t *testing.T) {
	neighbours := []byte{0x00, 0x1f, ' ', '!', '"', '#', '/', '0', '9', ':', '[', '\\', ']', 'a', 0x7f, 0x80, 0xa2, 0xdc, 0xff}
	for _, before := range []byte{'0', '9', ' ', '\n', '!', '#', '[', ']', 0x7f, 0x80, 0xff} {
		for _, after := range neighbours {
			for place := range 8 {
				for c := range 256 {
					b := append(bytes.Repeat([]byte{before}, place), byte(c))
					b = append(b, bytes.Repeat([]byte{after}, 8-len(b))...)
					checkWord(t, b)
				}
			}
		}
	}
}

func checkWord(t *testing.T, b []byte) {
	t.Helper()
	special := -1
	for i, c := range b {
		if isSpecial(c) {
			special = i
			break
		}
	}
	found := specials(load(b, 0))
	if (found != 0) != (special >= 0) || found != 0 && firstByte(found) != special {
		t.Fatalf("specials(% x) = %#x, want byte %d", b, found, special)
	}
	if got, want := skipSpace(b, 0), len(b)-len(bytes.TrimLeft(b, " \t\r\n")); got != want {
		t.Fatalf("skipSpace(% x) = %d, want %d", b, got, want)
	}
	digits := 0
	for digits < len(b) && isDigit(b[digits]) {
		digits++
	}
	if got := skipDigits(b, 0); got != digits {
		t.Fatalf("skipDigits(% x) = %d, want %d", b, got, digits)
	}
}
