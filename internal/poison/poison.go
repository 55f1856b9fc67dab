// Package poison is the proof that no pooled buffer is used after it was given
// back: in a program built with the tag lamb_poison every one is overwritten
// at that moment, so that whoever still reads it sees garbage. Programs that
// are shipped are built without.
//
// It owns that setting and the filling; what is pooled, and when it goes back,
// is the matter of the packages that have pools.
package poison

// Byte is what a poisoned buffer is full of. It is neither JSON nor text.
const Byte = 0xDB

// Fill overwrites a buffer.
func Fill(b []byte) {
	if len(b) == 0 {
		return
	}
	b[0] = Byte
	for n := 1; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}
