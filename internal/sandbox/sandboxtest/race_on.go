//go:build unix && race

package sandboxtest

// A program under the race detector needs several times the memory and time.
const (
	floodMiB   = 32
	memorySlop = 4
)
