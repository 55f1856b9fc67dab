package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// descendants are the processes below a process.
func descendants(t testing.TB, pid int) []int {
	t.Helper()
	var all []int
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		b, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for _, field := range strings.Fields(string(b)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			all = append(append(all, child), descendants(t, child)...)
		}
	}
	return all
}

// places are the processes of functions below lamb: what they know of
// themselves, and their numbers on this host.
func (l *lamb) places(t testing.TB) map[place]int {
	t.Helper()
	all := map[place]int{}
	for _, pid := range descendants(t, l.PID) {
		environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil {
			continue // it has ended, or is no function's
		}
		_, rest, found := strings.Cut("\x00"+string(environment), "\x00AWS_LAMBDA_LOG_STREAM_NAME=")
		if !found {
			continue
		}
		stream, _, _ := strings.Cut(rest, "\x00")
		if numbers := strings.Fields(status(t, pid, "NSpid")); len(numbers) > 0 {
			inside, err := strconv.Atoi(numbers[len(numbers)-1])
			if err != nil {
				t.Fatal(err)
			}
			all[place{inside, stream}] = pid
		}
	}
	return all
}

// find watches the process of this host that a function's answer came from.
func (l *lamb) find(t testing.TB, at place) []watched {
	t.Helper()
	all := l.places(t)
	if all[at] == 0 {
		t.Fatalf("there is no process %v below lamb, but %v", at, all)
	}
	return watch(t, all[at])
}

// status is a field of /proc/PID/status; empty when the process has ended.
func status(t testing.TB, pid int, field string) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("the status of process %d has no %s", pid, field)
	return ""
}
