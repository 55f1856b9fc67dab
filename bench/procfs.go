package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cpuTime is the CPU time that a process has used. The scheduler's own count
// per thread is in nanoseconds, where /proc/PID/stat has hundredths of a
// second; threads that ended in between would be missing, but Go's do not end.
func cpuTime(pid int) (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	var total time.Duration
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that has just ended
		}
		ns, _, _ := strings.Cut(string(text), " ")
		v, err := strconv.ParseInt(ns, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %q", file, text)
		}
		total += time.Duration(v)
	}
	if total == 0 {
		return 0, fmt.Errorf("no CPU time of process %d in /proc", pid)
	}
	return total, nil
}

// residentMB is a process's memory, in MB.
func residentMB(pid int) (float64, error) {
	kb, err := fieldKB(fmt.Sprintf("/proc/%d/status", pid), "VmRSS")
	return float64(kb) / 1024, err
}

// fieldKB reads "Name:  123 kB".
func fieldKB(file, name string) (int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte(name+":")); ok {
			return strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(string(value)), " kB"), 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, name)
}

// descendants are the processes below one, as far as /proc tells.
func descendants(pid int) []int {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil // a pattern of ours is never bad
	}
	var all []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that has just ended
		}
		for child := range strings.FieldsSeq(string(text)) {
			if n, err := strconv.Atoi(child); err == nil {
				all = append(append(all, n), descendants(n)...)
			}
		}
	}
	return all
}
