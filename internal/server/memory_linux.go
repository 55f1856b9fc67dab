package server

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// availableMemory is the kernel's estimate of the memory, in bytes, that new
// programs can have without swapping.
func availableMemory() (int64, error) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	_, rest, ok := bytes.Cut(b, []byte("MemAvailable:"))
	fields := bytes.Fields(rest)
	if !ok || len(fields) == 0 {
		return 0, errors.New("/proc/meminfo has no MemAvailable")
	}
	kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read MemAvailable: %w", err)
	}
	return kib << 10, nil
}
