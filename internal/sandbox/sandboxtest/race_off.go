//go:build unix && !race

package sandboxtest

const (
	// floodMiB is more than could be buffered anywhere unnoticed.
	floodMiB = 256
	// memorySlop multiplies the most memory that a program may have used.
	memorySlop = 1
)
