package jsonpayload

import (
	"encoding/binary"
	"math/bits"
)

// Eight bytes are looked at as one word, of which the first byte is the lowest.
// The tests below set the high bit of bytes that they find. A carry or borrow
// may set more of them, but only behind one that is right: the lowest always
// is, and only that counts.
const (
	lowBits  = 0x0101010101010101
	highBits = 0x80 * lowBits
)

// hasWord reports whether there is a word at i. What it says of i lets the
// compiler read one without a check, and above all without the arithmetic that
// keeps an empty slice from pointing behind its array: where each word's place
// comes from the one before, that is a part of the time.
func hasWord(src []byte, i int) bool { return i >= 0 && i <= len(src)-8 }

// load is the word at i, which must be there.
func load(src []byte, i int) uint64 { return binary.LittleEndian.Uint64(src[i:]) }

// firstByte is the number of the first byte that a test has found, 8 for none.
func firstByte(found uint64) int { return bits.TrailingZeros64(found) / 8 }

// specials finds what isSpecial is true for. To turn over the bit 0x02 puts
// the quote (0x22) right behind the control characters, and ! and # and the
// blank where they do no harm: one subtraction finds both.
func specials(word uint64) uint64 {
	return (((word ^ 0x02*lowBits) - 0x21*lowBits) | ((word ^ '\\'*lowBits) - lowBits)) &^ word & highBits
}

// isSpecial reports whether a byte does not stand for itself in a string.
func isSpecial(c byte) bool { return c < 0x20 || c == '"' || c == '\\' }

// skipDigits returns the place of the first byte from i on that is no digit.
func skipDigits(src []byte, i int) int {
	for i < len(src) && isDigit(src[i]) {
		i++
	}
	return i
}

// skipSpace returns the place of the first byte from i on that is not white
// space. Most often that is i, and the call is inlined.
func skipSpace(src []byte, i int) int {
	if i < len(src) && src[i] > ' ' {
		return i
	}
	return skipBlanks(src, i)
}

// skipBlanks is skipSpace in words, for indented documents. Inside skipSpace it
// would make that too long to be inlined.
//
//go:noinline
func skipBlanks(src []byte, i int) int {
	for i < len(src) {
		switch src[i] {
		case '\t', '\n', '\r', ' ':
			i++
		default:
			return i
		}
		if hasWord(src, i) {
			others := load(src, i) ^ ' '*lowBits // zero for blanks
			i += firstByte(others)               // 8 if there are none
		}
	}
	return i
}
