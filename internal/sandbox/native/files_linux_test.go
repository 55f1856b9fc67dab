package native

import (
	"math"
	"testing"

	"golang.org/x/sys/unix"
)

// A function has as many open files as on AWS, or as many as lamb itself may
// have: asking for more would fail every start.
func TestOpenFilesWithinOwnLimit(t *testing.T) {
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err != nil {
		t.Fatal(err)
	}
	if own.Max >= math.MaxInt {
		t.Skip("this process has no limit")
	}
	for wanted, want := range map[int]uint64{0: 0, 16: 16, math.MaxInt: own.Max} {
		if got := openFiles(wanted); uint64(got) != want {
			t.Errorf("%d files wanted of %d: %d, want %d", wanted, own.Max, got, want)
		}
	}
}
